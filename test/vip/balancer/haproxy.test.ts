import { expect, test } from "bun:test";
import { checkForeign, haproxy } from "../../../src/vip/balancer/haproxy.ts";
import { renderHaproxy } from "../../../src/vip/balancer/haproxy-config.ts";
import { context } from "../fixtures.ts";
import { store, tcp } from "./fixtures.ts";

const { installed, configured } = haproxy.resources({ context: context(), services: [store] });

test("what haproxy needs, by phase", () => {
  expect(installed.map(({ id }) => id)).toEqual([
    "file:/etc/systemd/system/haproxy.service.d/chime-node.conf",
    "package:haproxy",
  ]);
  expect(configured.map(({ id }) => id)).toEqual([
    "sysctl:net.ipv4.ip_nonlocal_bind",
    "file:/etc/haproxy/chime-node-shutdown.lua",
    "file:/etc/haproxy/chime-node-hold.lua",
    "file:/etc/haproxy/chime-node-held.map",
    "file:/etc/haproxy/haproxy.cfg",
    "service:haproxy.service",
  ]);
});

test("it starts last: the addresses that it listens on may be on another node", () => {
  const before = [...installed, ...configured].slice(0, -1).map(({ id }) => id);
  expect(configured.at(-1)?.needs.toSorted()).toEqual(before.toSorted());
});

test("another service is another file, and nothing else", () => {
  const more = haproxy.resources({ context: context(), services: [store, tcp] });
  const changed = more.configured.filter((r, i) => r.desired !== configured[i]?.desired).map(({ id }) => id);
  expect(changed).toEqual(["file:/etc/haproxy/haproxy.cfg", "service:haproxy.service"]);
});

/** Debian's package, shortened. */
const shipped =
  "global\n\tlog /dev/log\tlocal0\n\tdaemon\n\ndefaults\n\tmode\thttp\n\ttimeout connect 5000\n";

test.each([
  ["none", undefined],
  ["an empty one", "\n"],
  ["the package's own", shipped],
  ["ours", renderHaproxy("c0ffee", [store])],
])("%s is no haproxy of somebody else", (_, text) => {
  expect(checkForeign(text, "c0ffee")).toBeUndefined();
});

test.each([
  [`${shipped}\nfrontend web\n\tbind :80\n`, "not ours"],
  [`${shipped}\n  listen web\n\tbind :80\n`, "not ours"],
  [renderHaproxy("other1", [store]), "another chime-node cluster (other1)"],
])("a haproxy that serves another is refused", (text, why) => {
  expect(checkForeign(text, "c0ffee")).toMatchObject({
    severity: "error",
    message: expect.stringContaining(why),
  });
});

test("before there is a cluster, whatever of ours is left is nobody's enemy", () => {
  expect(checkForeign(renderHaproxy("other1", [store]), "")).toBeUndefined();
});
