import { isStopped } from "../../host/systemd.ts";
import type { Role } from "../types.ts";
import { homeOf } from "../home.ts";
import { checks } from "./checks.ts";
import { TwinGuard } from "./guard/guard.ts";
import { unrenewed } from "./guard/renewal.ts";
import { influxdbSpec, layout, nodes, productName, roleName } from "./layout.ts";
import { resources } from "./resources.ts";
import { influxdbStatus } from "./status.ts";
import { serverOf, vipServer } from "./servers.ts";
import { serverFiles } from "./tls.ts";
import { originOf } from "../http.ts";
import { keptTokens } from "./tokens.ts";

/** Two live servers: clients write to both, and read from the one that the address is on. */
export const influxdb: Role = {
  name: roleName,
  secretNames: ["token", "password"],
  rotatedByHand: {
    why: "InfluxDB makes each token itself: two servers that hold points cannot be given the same new one",
    remedy:
      'docs/influxdb.md, "Other tokens": new ones are made on one server, and the other one is built anew from it',
  },
  products: (spec) => [productName(influxdbSpec({ spec })), "keepalived"],
  limit: ({ roles }) => ({
    max: roles.influxdb ? 2 : 0,
    reason: "twins are two; a third member can be a witness (--role witness)",
  }),
  checks,
  plan: resources,
  vip(context) {
    const { spec, members } = context;
    if (!spec.roles.influxdb) return undefined;
    const { address, prefix } = spec.roles.influxdb.vip;
    const home = homeOf(roleName, context);
    return { name: roleName, address: `${address}/${prefix}`, nodes: nodes(members), home };
  },
  connection(context) {
    const { org, bucket, tls } = influxdbSpec(context);
    const limited = keptTokens();
    return {
      vip_endpoint: originOf(vipServer(context)),
      // As chime-server's configuration wants it.
      real_endpoints: nodes(context.members)
        .map((node) => originOf(serverOf(node, context)))
        .join(","),
      ...(tls && { ca_file: serverFiles.ca }),
      token: context.secrets[roleName]?.["token"] ?? "",
      org,
      bucket,
      read_token: limited?.read ?? null,
      write_token: limited?.write ?? null,
    };
  },
  unrenewed: (context) =>
    influxdbSpec(context).tls
      ? unrenewed(context.self.address, () => isStopped(layout(context).product.unit))
      : Promise.resolve(undefined),
  status: influxdbStatus,
  guard: (deps) => new TwinGuard(deps),
};
