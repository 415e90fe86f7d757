import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  followAuthority,
  requireCertificates,
  requireFollowers,
  requireShown,
} from "../../src/agent/service-certificates.ts";
import { failed } from "../../src/core/errors.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import type { Change, Impact, Resource } from "../../src/resources/types.ts";
import { roles } from "../../src/roles/index.ts";
import type { Role } from "../../src/roles/types.ts";
import { codeOf } from "../cluster/support.ts";
import { twinContext, twinNode } from "../roles/influxdb/context.ts";

const certificate = "certificate:balancer";

test.each<[string, Record<string, Partial<Change> | undefined>, string]>([
  ["nothing", {}, "nothing was thrown"],
  ["a certificate", { [certificate]: { impact: "none" } }, "ca.services"],
  ["a reload for it", { "service:haproxy": { impact: "reload", cause: "spec" } }, "ca.services"],
  [
    "a reload for what a hand did",
    { "service:haproxy": { impact: "reload", cause: "drift" } },
    "nothing was thrown",
  ],
  ["a restart", { "service:haproxy": { impact: "restart", cause: "spec" } }, "nothing was thrown"],
  [
    "a reload of another service",
    { "service:keepalived": { impact: "reload", cause: "spec" } },
    "nothing was thrown",
  ],
])("a rotation and a node where there is still to come: %s", async (_, changes, wanted) => {
  const directory = mkdtempSync(join(tmpdir(), "chime-services-"));
  const resource = (id: string, needs: string[] = []): Resource => ({
    id,
    needs,
    desired: "",
    inspect: async () => {
      const found = changes[id];
      const impact: Impact = "none";
      return found && { action: "update", impact, diff: "", apply: () => Promise.resolve(), ...found };
    },
  });
  const all = [
    resource("service:haproxy", [certificate, "file:x"]),
    resource("service:keepalived"),
    resource(certificate),
  ];
  const asked = requireCertificates(all, () => openLedger(join(directory, "ledger.jsonl")));
  expect(await codeOf(asked)).toBe(wanted);
  rmSync(directory, { recursive: true });
});

test("a rotation waits for a server that still shows the certificate before", async () => {
  const context = twinContext([twinNode(1)]);
  const role = (waits: string | undefined): Role => ({
    ...(roles[0] as Role),
    unrenewed: () => Promise.resolve(waits),
  });
  expect(await codeOf(requireShown(context, [role(undefined)]))).toBe("nothing was thrown");
  expect(await codeOf(requireShown(context, [role(undefined), role("it is restarted")]))).toBe("ca.services");
});

test("a rotation does not begin where a service could not follow it", () => {
  const context = twinContext([twinNode(1)]);
  const begin = (old: string[]) =>
    requireFollowers(context, [], [{ ...(roles[0] as Role), cannotFollow: () => old }, roles[0] as Role]);
  expect(() => begin([])).not.toThrow();
  expect(() => begin(["node2"])).toThrow("node2 does not say which CAs");
});

test("a rotation begins in a cluster that does not configure every role", () => {
  const members = [twinNode(1), twinNode(2)];
  expect(() => requireFollowers(twinContext(members), members, roles)).not.toThrow();
});

test("services are through once their certificates are as the CA has it, whatever else fails on the node", async () => {
  const fine = () => Promise.resolve();
  const fails = (code: string) => () => Promise.reject(failed(code, `${code} is wrong`));
  const stands = (configure: () => Promise<void>, check: () => Promise<void>) =>
    followAuthority(configure, check).then(
      () => "through",
      ({ message }: Error) => message,
    );
  expect([
    await stands(fine, fine),
    await stands(fails("lock.held"), fine),
    await stands(fine, fails("ca.services")),
    await stands(fails("lock.held"), fails("ca.services")),
  ]).toEqual(["through", "through", "ca.services is wrong", "ca.services is wrong: lock.held is wrong"]);
});
