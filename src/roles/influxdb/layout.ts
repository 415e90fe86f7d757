import type { Member } from "../../cluster/types.ts";
import { product, productPath, type Product } from "../../host/catalog.ts";
import type { Facts } from "../../host/facts.ts";
import type { InfluxdbSpec } from "../../spec/types.ts";
import { nodesOf, specOf } from "../of-role.ts";
import type { RoleContext } from "../types.ts";

export const roleName = "influxdb";
export const httpPort = 8086;

/** The first user of the server, whom nobody logs in as: everything is asked with tokens. */
export const userName = "chime-node";

/** Where the nodes prove that their servers take points and give them back. Of each its own, never compared. */
export const probeBucket = { name: "chime-node", retentionSeconds: 3_600 } as const;

/** Where things of the server are on this system. */
export interface Layout {
  product: Product;
  /** What is run. */
  binary: string;
  data: string;
}

/** @throws ChimeError `host.unsupported` */
export function layout({ spec, facts }: Pick<RoleContext, "spec" | "facts">): Layout {
  return layoutOf(influxdbSpec({ spec }), facts.os);
}

/** The operator's own program takes the place of the package. @throws ChimeError `host.unsupported` */
export function layoutOf(spec: Pick<InfluxdbSpec, "binary">, os: Facts["os"]): Layout {
  const found = product(productName(spec), os);
  return { product: found, binary: productPath(found, "binary"), data: productPath(found, "data") };
}

/** The catalog's name for what is installed. */
export function productName({ binary }: Pick<InfluxdbSpec, "binary">): string {
  return binary === undefined ? "influxdb" : "influxd";
}

export const influxdbSpec = (context: Pick<RoleContext, "spec">): InfluxdbSpec => specOf(roleName, context);

/** The members with this role, by rising index. */
export const nodes = <T extends Pick<Member, "roles" | "index">>(members: readonly T[]): T[] =>
  nodesOf(roleName, members);
