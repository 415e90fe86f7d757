import { failed } from "../../core/errors.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import type { RoleContext } from "../types.ts";
import { Session, text } from "./client.ts";
import { engineOf } from "./engine/index.ts";
import type { Engine } from "./engine/types.ts";
import { isHeld } from "./guard/unit.ts";
import { layout, mysqlSpec, nodes, users } from "./layout.ts";
import { account, identifier, quote } from "./sql.ts";

export interface Desired {
  databases: readonly string[];
  accounts: readonly DesiredAccount[];
}

export interface DesiredAccount {
  user: string;
  host: string;
  password: string;
  requireTls: boolean;
  /** Privileges by what they are on: `*.*` or a quoted database. */
  grants: readonly { privileges: string; on: string }[];
}

interface PresentAccount {
  user: string;
  host: string;
  /** HEX(authentication_string). */
  hash: string;
  requireTls: boolean;
  grants: readonly string[];
}

/** What the server holds. */
export interface Present {
  databases: readonly string[];
  accounts: readonly PresentAccount[];
}

/**
 * Pure: one replication account a node address, TLS required, and where data are copied by the server itself one that
 * may do that and nothing else; the application's account, its databases alone.
 */
export function desiredAccounts(context: RoleContext): Desired {
  const { databases } = mysqlSpec(context);
  const ofNodes = [{ user: users.replication as string, privileges: "REPLICATION SLAVE" }];
  if (engineOf(mysqlSpec(context)).copy.by === "clone") {
    ofNodes.push({ user: users.clone, privileges: "BACKUP_ADMIN" });
  }
  const secrets = context.secrets["mysql"] ?? {};
  return {
    databases,
    accounts: [
      ...nodes(context.members).flatMap(({ address }) =>
        ofNodes.map(({ user, privileges }) => ({
          user,
          host: address,
          password: secrets["replication"] ?? "",
          requireTls: true,
          grants: [{ privileges, on: "*.*" }],
        })),
      ),
      {
        user: users.application,
        host: "%",
        password: secrets["application"] ?? "",
        requireTls: false,
        grants: databases.map((name) => ({
          privileges: "ALL PRIVILEGES",
          on: `${identifier(pattern(name))}.*`,
        })),
      },
    ],
  };
}

/** GRANT takes a database's name as a pattern: unescaped, `app_1` would open `appx1` as well (MariaDB manual, GRANT). */
function pattern(database: string): string {
  return database.replaceAll(/[\\_%]/g, "\\$&");
}

/** Pure: the statements that are missing, each with the line that a plan shows. Accounts of ours for nodes that left go. */
export function missing(
  desired: Desired,
  present: Present,
  engine: Pick<Engine, "credential" | "isCredential">,
): { line: string; statements: string[] }[] {
  const steps: { line: string; statements: string[] }[] = [];
  for (const name of desired.databases.filter((name) => !present.databases.includes(name))) {
    steps.push({
      line: `+ database ${name} (utf8mb4)`,
      statements: [`CREATE DATABASE IF NOT EXISTS ${identifier(name)} CHARACTER SET utf8mb4`],
    });
  }
  for (const want of desired.accounts) {
    const have = present.accounts.find(({ user, host }) => user === want.user && host === want.host);
    if (have && isAsDesired(want, have, engine)) continue;
    // The hash, not the password: the binary log keeps these statements as they are, for days and on both nodes.
    const by = engine.credential(want.password);
    const tls = `REQUIRE ${want.requireTls ? "SSL" : "NONE"}`;
    steps.push({
      line: `${have ? "~" : "+"} account ${want.user}@${want.host}${want.requireTls ? " (TLS required)" : ""}`,
      statements: [
        `${have ? "ALTER USER" : "CREATE USER"} ${account(want)} ${by} ${tls}`,
        ...(have ? [`REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${account(want)}`] : []),
        ...want.grants.map(({ privileges, on }) => `GRANT ${privileges} ON ${on} TO ${account(want)}`),
      ],
    });
  }
  const ofNodes: readonly string[] = [users.replication, users.clone];
  const ours = present.accounts.filter(({ user }) => ofNodes.includes(user));
  for (const old of ours.filter(
    ({ user, host }) => !desired.accounts.some((want) => want.user === user && want.host === host),
  )) {
    steps.push({
      line: `- account ${old.user}@${old.host}`,
      statements: [`DROP USER IF EXISTS ${account(old)}`],
    });
  }
  return steps;
}

function isAsDesired(
  want: DesiredAccount,
  have: PresentAccount,
  engine: Pick<Engine, "isCredential">,
): boolean {
  return (
    engine.isCredential(have.hash, want.password) &&
    have.requireTls === want.requireTls &&
    want.grants.every(({ privileges, on }) =>
      have.grants.some((line) => line.startsWith(`GRANT ${privileges} ON ${on} TO `)),
    ) &&
    have.grants.filter((line) => !line.startsWith("GRANT USAGE ON *.* TO ")).length === want.grants.length
  );
}

/** Databases and accounts. Made on the writer alone: they reach the other node by replication. */
export function accounts(context: RoleContext, needs: readonly string[]): Resource {
  const desired = desiredAccounts(context);
  const { socket, product } = layout(context);
  const engine = engineOf(mysqlSpec(context));
  const connection = { socket, unit: product.unit, timeoutMs: 10_000 };
  return {
    id: "sql:mysql",
    needs,
    desired: fingerprint(desired),
    async inspect(look) {
      if (await isHeld()) return undefined;
      const nothing: Present = { databases: [], accounts: [] };
      const session = new Session(connection);
      try {
        let steps = missing(desired, nothing, engine);
        if (!needs.some((id) => look.pending(id))) {
          if (await isReadOnly(session)) return undefined;
          steps = missing(desired, await readPresent(session), engine);
        }
        if (steps.length === 0) return undefined;
        return {
          action: "create",
          impact: "none",
          diff: steps.map(({ line }) => line).join("\n"),
          async apply({ ledger }) {
            await ledger.before("sql:mysql", null);
            const work = new Session(connection);
            try {
              if (await isReadOnly(work)) return;
              for (const { line, statements } of missing(desired, await readPresent(work), engine)) {
                await work.run(statements).catch((cause: unknown) => {
                  throw failed("mysql.account", `${line} failed: ${(cause as Error).message}`, {
                    // A writer that changes in the middle ends its connections.
                    remedy: "chime-node status, then chime-node apply again",
                    cause,
                  });
                });
              }
            } finally {
              work.close();
            }
          },
        };
      } finally {
        session.close();
      }
    },
  };
}

/** Accounts and databases are data: they stay with it, and go with it. */
export const sqlKind: Kind = {
  name: "sql",
  undo: () => Promise.resolve(),
};

async function isReadOnly(session: Session): Promise<boolean> {
  const [row] = await session.rows("SELECT @@GLOBAL.read_only AS read_only");
  return Number(row?.["read_only"]) !== 0;
}

async function readPresent(session: Session): Promise<Present> {
  const databases = await session.rows("SELECT schema_name AS name FROM information_schema.schemata");
  const rows = await session.rows(
    `SELECT user, host, HEX(authentication_string) AS hash, ssl_type AS tls FROM mysql.user
      WHERE user IN (${Object.values(users).map(quote).join(", ")})`,
  );
  const accounts = [];
  for (const row of rows) {
    const who = { user: text(row["user"] ?? row["User"]), host: text(row["host"] ?? row["Host"]) };
    const grants = await session.rows(`SHOW GRANTS FOR ${account(who)}`);
    accounts.push({
      ...who,
      hash: text(row["hash"]),
      requireTls: text(row["tls"]) === "ANY",
      grants: grants.map((grant) => text(Object.values(grant)[0])),
    });
  }
  return { databases: databases.map((row) => text(row["name"])), accounts };
}
