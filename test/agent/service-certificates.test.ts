import { expect, test } from "bun:test";
import { followAuthority, requireRotatable } from "../../src/agent/service-certificates.ts";
import { failed } from "../../src/core/errors.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { codeOf } from "../cluster/support.ts";

const stores = {
  minio: (tls: boolean) => `[roles.minio]\nvip = "10.0.0.50"\ndisks_per_node = 3\nnodes = 2\ntls = ${tls}`,
  influxdb: (tls: boolean) => `[roles.influxdb]\nvip = "10.0.0.40"\ntls = ${tls}`,
};

test.each(Object.entries(stores))(
  "where %s speaks TLS the CA is not rotated: nobody would restart it in time",
  async (_, spec) => {
    const asked = (tls: boolean) =>
      codeOf(Promise.resolve(parseSpec(spec(tls), "cluster.toml")).then(requireRotatable));
    expect([await asked(true), await asked(false)]).toEqual(["ca.stores", "nothing was thrown"]);
  },
);

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
