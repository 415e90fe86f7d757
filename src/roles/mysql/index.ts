import type { Role } from "../types.ts";
import { abandon } from "./abandon.ts";
import { checks } from "./checks.ts";
import { MysqlGuard } from "./guard/guard.ts";
import { mysqlPort, mysqlSpec, nodes, roleName, users } from "./layout.ts";
import { resources } from "./resources.ts";
import { mysqlStatus } from "./status.ts";

/** A pair of servers behind one address: one writes, the other holds the same and can go on at any moment. */
export const mysql: Role = {
  name: roleName,
  secretNames: ["replication", "application"],
  products: (spec) => [mysqlSpec({ spec }).engine, "keepalived"],
  limit: ({ roles }) => ({
    max: roles.mysql ? 2 : 0,
    reason: "a dual-master pair has two nodes; a third member can be a witness (--role witness)",
  }),
  checks,
  plan: resources,
  vip({ spec, members }) {
    if (!spec.roles.mysql) return undefined;
    const { address, prefix } = spec.roles.mysql.vip;
    return { name: roleName, address: `${address}/${prefix}`, nodes: nodes(members) };
  },
  connection(context) {
    const { vip, databases } = mysqlSpec(context);
    return {
      host: vip.address,
      port: mysqlPort,
      user: users.application,
      password: context.secrets[roleName]?.["application"] ?? "",
      databases: [...databases],
    };
  },
  status: mysqlStatus,
  guard: (deps) => new MysqlGuard(deps),
  abandon,
};
