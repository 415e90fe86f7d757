import type { Member } from "../../cluster/types.ts";
import { product, productPath, type Product } from "../../host/catalog.ts";
import type { Facts } from "../../host/facts.ts";
import type { MinioSpec } from "../../spec/types.ts";
import { nodesOf, specOf } from "../of-role.ts";
import type { RoleContext } from "../types.ts";

export const roleName = "minio";
export const s3Port = 9000;
export const consolePort = 9001;

/** The administrator, who is for chime-node alone, and the account for applications (`access_key`). */
export const users = { root: "chime-root", application: "chime-server" } as const;

/** Where things of the chosen engine are on this system. */
export interface Layout {
  product: Product;
  /** What is run. */
  binary: string;
  /** The unit's variables, the administrator's password among them. */
  environment: string;
}

/** @throws ChimeError `host.unsupported` */
export function layout({ spec, facts }: Pick<RoleContext, "spec" | "facts">): Layout {
  return layoutOf(minioSpec({ spec }), facts.os);
}

/** The operator's own program takes the place of the engine's package. @throws ChimeError `host.unsupported` */
export function layoutOf({ engine, binary }: Pick<MinioSpec, "engine" | "binary">, os: Facts["os"]): Layout {
  const found = product(productName({ engine, binary }), os);
  return {
    product: found,
    binary: productPath(found, "binary"),
    environment: productPath(found, "environment"),
  };
}

/** The catalog's name for what is installed. */
export function productName({
  engine,
  binary,
}: {
  engine: MinioSpec["engine"];
  binary?: string | undefined;
}) {
  return binary === undefined ? engine : "minio";
}

export const minioSpec = (context: Pick<RoleContext, "spec">): MinioSpec => specOf(roleName, context);

/** How many drives each server uses: all of a pool's, its own node's of a mirror. Pure. */
export const driveCount = ({ topology, nodes, disksPerNode }: MinioSpec): number =>
  topology === "pool" ? nodes * disksPerNode : disksPerNode;

/** The members with this role, by rising index. */
export const nodes = <T extends Pick<Member, "roles" | "index">>(members: readonly T[]): T[] =>
  nodesOf(roleName, members);

/** The name of a place in the layout, which every node knows by its /etc/hosts: whoever has the place has the name. */
export const slotName = (slot: number | string, domain: string): string => `minio${slot}.${domain}`;

/** The place of a server that calls itself so; undefined where it has none, as a store of a mirror. */
export function slotIn(endpoint: string): number | undefined {
  const [, slot] = /^minio(\d+)\./.exec(endpoint) ?? [];
  return slot === undefined ? undefined : Number(slot);
}

/** What all nodes are started with, the same on each. A store of a mirror has its own node's disks alone. */
export function volumes({ spec }: Pick<RoleContext, "spec">): string {
  const { topology, nodes, disksPerNode, tls } = minioSpec({ spec });
  const disks = disksPerNode === 1 ? "1" : `{1...${disksPerNode}}`;
  if (topology === "mirror") return place(disks);
  return `${tls ? "https" : "http"}://${slotName(`{1...${nodes}}`, spec.cluster.domain)}:${s3Port}${place(disks)}`;
}

/** Where the n-th disk of a node is mounted. */
export const place = (disk: number | string): string => `/minio/disk${disk}`;
