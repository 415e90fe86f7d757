import { paths } from "../../core/paths.ts";
import { product, productPath, type Product } from "../../host/catalog.ts";
import type { Member } from "../../cluster/types.ts";
import { nodesOf, specOf } from "../of-role.ts";
import type { RoleContext } from "../types.ts";
import type { MysqlSpec } from "../../spec/types.ts";

export const roleName = "mysql";
export const mysqlPort = 3306;

/** Accounts that the role makes. The administrator is root by the unix socket alone. */
export const users = { replication: "chime_repl", clone: "chime_clone", application: "chime" } as const;

/** Where things of the chosen product are on this system. */
export interface Layout {
  product: Product;
  config: string;
  data: string;
  socket: string;
  pidFile: string;
  dropIn: string;
  /** Options for the next start alone, decided by the guard; gone after a reboot. */
  startOptions: string;
  tls: { ca: string; cert: string; key: string };
}

/** @throws ChimeError `host.unsupported` */
export function layout({ spec, facts }: Pick<RoleContext, "spec" | "facts">): Layout {
  return layoutOf(mysqlSpec({ spec }).engine, facts.os);
}

/** The same where no spec is known yet. @throws ChimeError `host.unsupported` */
export function layoutOf(engine: MysqlSpec["engine"], os: RoleContext["facts"]["os"]): Layout {
  const found = product(engine, os);
  const config = productPath(found, "config");
  const socket = productPath(found, "socket");
  return {
    product: found,
    config,
    data: productPath(found, "data"),
    socket,
    pidFile: socket.replace(/\.sock$/, ".pid"),
    dropIn: `/etc/systemd/system/${found.unit}.d/chime-node.conf`,
    startOptions: `${paths.run}/mysql-start.env`,
    tls: {
      ca: "/etc/mysql/chime-node/ca.crt",
      cert: "/etc/mysql/chime-node/server.crt",
      key: "/etc/mysql/chime-node/server.key",
    },
  };
}

export const mysqlSpec = (context: Pick<RoleContext, "spec">): MysqlSpec => specOf(roleName, context);

/** The members with this role, by rising index. */
export const nodes = <T extends Pick<Member, "roles" | "index">>(members: readonly T[]): T[] =>
  nodesOf(roleName, members);
