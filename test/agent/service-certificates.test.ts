import { expect, test } from "bun:test";
import { requireRotatable } from "../../src/agent/service-certificates.ts";
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
