import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { exec } from "../../core/exec.ts";
import type { Check, Finding } from "../../host/checks.ts";
import { isKnownOn, product, productPath, type Product } from "../../host/catalog.ts";
import type { Facts } from "../../host/facts.ts";
import type { MysqlSpec } from "../../spec/types.ts";
import type { LocalContext } from "../types.ts";
import { Session, text } from "./client.ts";
import { engines } from "./engine/index.ts";
import { layoutOf, mysqlPort, users, type Layout } from "./layout.ts";
import { readMarker } from "../marker.ts";
import { repositoryCheck } from "../repository.ts";
import { quote } from "./sql.ts";

type Name = MysqlSpec["engine"];

/** What may not be in the way of a MySQL node. They only look. */
export function checks(local: LocalContext): Check[] {
  const spec = local.spec?.roles.mysql;
  const { os } = local.facts;
  const name = spec?.engine ?? engineHere(os);
  if (name === undefined) return [];
  const place = layoutOf(name, os);
  return [
    { name: "mysql.topology", run: () => Promise.resolve(spec && checkTopology(spec)) },
    { name: "mysql.system", run: () => Promise.resolve(checkSystem(name, place.product, os)) },
    repositoryCheck("mysql", place.product, os, local.spec),
    { name: "mysql.foreign_data", run: () => checkData(local, place, engines[name].systemAccounts) },
    { name: "mysql.port", run: () => checkPort(place) },
  ];
}

/** Before a join the engine is not known: then the one that is installed, or any of those that this system itself has. */
function engineHere(os: Facts["os"]): Name | undefined {
  const known = (Object.keys(engines) as Name[]).filter((name) => isKnownOn(name, os));
  const rows = known.map((name) => ({ name, row: product(name, os) }));
  const found =
    rows.find(({ row }) => existsSync(productPath(row, "binary"))) ??
    rows.find(({ row }) => row.repository === "os");
  return found?.name;
}

function checkTopology({ topology }: MysqlSpec): Finding | undefined {
  if (topology === "dual-master") return undefined;
  return {
    severity: "error",
    message: `this release runs the MySQL topology dual-master, not ${topology}`,
    remedy: 'set roles.mysql.topology = "dual-master" in cluster.toml',
  };
}

function checkSystem(name: Name, { untried }: Product, os: Facts["os"]): Finding | undefined {
  if (!untried) return undefined;
  return {
    severity: "warning",
    message: `${name} was never tried on ${os.name}: where it keeps its things is known from its vendor alone`,
    remedy: "rehearse every failure before you rely on it: chime-node drill --role mysql",
  };
}

async function checkData(
  local: LocalContext,
  { data, socket, product }: Layout,
  system: readonly string[],
): Promise<Finding | undefined> {
  const marker = await readMarker(data);
  if (marker) {
    if (marker.cluster === local.clusterId && marker.node === local.node) return undefined;
    return foreign(`${data} holds the data of ${marker.node} of the cluster ${marker.clusterName}`, data);
  }
  const entries = await readdir(data).catch(() => []);
  if (entries.length === 0) return undefined;
  const session = new Session({ socket, unit: product.unit, timeoutMs: 5_000 });
  try {
    const found = await strangers(session, system);
    return found.length === 0 ? undefined : foreign(`${data} holds ${found.join(", ")}`, data);
  } catch (error) {
    if (entries.every((entry) => isSystemEntry(entry))) return undefined;
    return foreign(
      `${data} holds data that cannot be looked at (${(error as Error).message})`,
      data,
      `systemctl start ${product.unit}, so that it can be seen whether it is empty, or `,
    );
  } finally {
    session.close();
  }
}

/** Databases and accounts that are neither the server's own nor, from an earlier attempt, ours. */
async function strangers(session: Session, system: readonly string[]): Promise<string[]> {
  const databases = await session.rows(
    `SELECT schema_name AS name FROM information_schema.schemata
      WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys', 'test')`,
  );
  const accounts = await session.rows(
    `SELECT CONCAT(user, '@', host) AS name FROM mysql.user
      WHERE user NOT IN (${[...system, users.replication].map(quote).join(", ")})`,
  );
  return [
    ...databases.map((row) => `the database ${text(row["name"])}`),
    ...accounts.map((row) => `the account ${text(row["name"])}`),
  ].slice(0, 5);
}

/** What a data directory holds before anyone made a database: files, and these directories. */
function isSystemEntry(entry: string): boolean {
  return (
    entry.includes(".") ||
    /^(mysql|performance_schema|sys|test|lost\+found|#.*|(ib|aria_log|undo|binlog|mysql-bin).*|[a-z_]+_upgrade_(info|history)|multi-master\.info)$/.test(
      entry,
    )
  );
}

function foreign(message: string, data: string, first = ""): Finding {
  return {
    severity: "error",
    message,
    remedy: `${first}take a dump, uninstall that server and move ${data} away; or use another node`,
  };
}

/** Who listens on 3306 already, unless it is the very server that would be adopted. */
async function checkPort({ product }: Layout): Promise<Finding | undefined> {
  const { stdout } = await exec(["ss", "-Hltnp", `sport = :${mysqlPort}`], { ok: "any" });
  const holder = portHolder(stdout);
  const binary = product.paths["binary"]?.split("/").at(-1);
  if (holder === undefined || holder.program === binary) return undefined;
  return {
    severity: "error",
    message: `port ${mysqlPort} is taken by ${holder.program} (pid ${holder.pid})`,
    remedy: `stop ${holder.program}, or give it another port`,
  };
}

/** Pure: the first listener in `ss -Hltnp`; "?" where the kernel does not say who (another network namespace). */
export function portHolder(text: string): { program: string; pid: string } | undefined {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "");
  if (line === undefined) return undefined;
  const match = /users:\(\("([^"]+)",pid=(\d+)/.exec(line);
  return { program: match?.[1] ?? "?", pid: match?.[2] ?? "?" };
}
