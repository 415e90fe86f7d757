import { failed } from "../../../core/errors.ts";
import type { SourceAddress } from "../engine/types.ts";
import { mysqlPort, roleName } from "../layout.ts";
import type { MysqlGuard } from "./guard.ts";

/** How this node's server reaches `peer`'s, as that user. @throws ChimeError `mysql.no_such_peer` */
export function sourceAddress(guard: MysqlGuard, peer: string, user: string): SourceAddress {
  const context = guard.deps.context();
  const member = context.members.find(({ name }) => name === peer);
  if (!member) throw failed("mysql.no_such_peer", `${peer} is no member any more`);
  return {
    host: member.address,
    port: mysqlPort,
    user,
    password: context.secrets[roleName]?.["replication"] ?? "",
    ...guard.layout.tls,
  };
}
