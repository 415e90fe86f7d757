import { expect, test } from "bun:test";
import { followAuthority, requireRotatable, requireShown } from "../../src/agent/service-certificates.ts";
import { failed } from "../../src/core/errors.ts";
import { roles } from "../../src/roles/index.ts";
import type { Role } from "../../src/roles/types.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { codeOf } from "../cluster/support.ts";
import { twinContext, twinNode } from "../roles/influxdb/context.ts";

const minio = (tls: boolean) =>
  parseSpec(`[roles.minio]\nvip = "10.0.0.50"\ndisks_per_node = 3\nnodes = 2\ntls = ${tls}`, "cluster.toml");

test("where MinIO speaks TLS the CA is not rotated: its servers would know each other no more", async () => {
  const asked = (tls: boolean) => codeOf(Promise.resolve(minio(tls)).then(requireRotatable));
  expect([await asked(true), await asked(false)]).toEqual(["ca.stores", "nothing was thrown"]);
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
