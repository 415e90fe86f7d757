import { expect, test } from "bun:test";
import { vipResources } from "../../src/vip/resources.ts";
import { context, facts, node1, node2 } from "./fixtures.ts";

const requests = [{ name: "mysql", address: "10.0.0.30", nodes: [node1, node2] }];
const { installed, configured } = vipResources({ context: context(), requests });
const ids = [...installed, ...configured].map((resource) => resource.id);

test("what keepalived needs, by phase", () => {
  expect(installed.map((resource) => resource.id)).toEqual([
    "file:/etc/tmpfiles.d/chime-node.conf",
    "file:/etc/systemd/system/keepalived.service.d/chime-node.conf",
    "package:keepalived",
  ]);
  expect(configured.map((resource) => resource.id)).toEqual([
    "file:/etc/keepalived/keepalived.conf",
    "port:vrrp",
    "service:keepalived.service",
  ]);
});

test("the service starts last: without its directory keepalived would ignore the gate", () => {
  expect(configured.at(-1)?.needs.toSorted()).toEqual(ids.slice(0, -1).toSorted());
});

test("the configuration is tested with the installed program", () => {
  const config = configured.find((resource) => resource.id.endsWith("keepalived.conf"));
  expect(config?.needs).toEqual(["package:keepalived"]);
});

test("the same input gives the same desired state, a partner another", () => {
  const again = vipResources({ context: context(), requests });
  expect(again.configured.map((r) => r.desired)).toEqual(configured.map((r) => r.desired));
  const alone = vipResources({ context: context(), requests: [{ ...requests[0]!, nodes: [node1] }] });
  const changed = alone.configured.filter((r, i) => r.desired !== configured[i]?.desired).map((r) => r.id);
  expect(changed).toEqual(["file:/etc/keepalived/keepalived.conf", "service:keepalived.service"]);
});

test("a system that the catalog does not know is refused", () => {
  const elsewhere = context({ facts: { ...facts, os: { ...facts.os, id: "plan9", versionId: "4" } } });
  expect(() => vipResources({ context: elsewhere, requests })).toThrow(
    expect.objectContaining({ code: "host.unsupported", exit: 3 }),
  );
});
