import { randomBytes } from "node:crypto";
import type { Connection } from "../../src/operations/drill/database.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { sql } from "../../test/lab/sql.ts";
import { system } from "../../test/lab/system.ts";
import { waitUntil } from "../../test/lab/wait.ts";

/** What differs between the two products that a careful administrator sets up by hand, from their manuals. */
interface Words {
  file: string;
  /** What a pair needs, and in `plain` what one server needs that keeps what it acknowledged. */
  plain: string;
  pair: string;
  /** Run on the writer, once. */
  source: readonly string[];
  /** Run on the replica. */
  follow: (source: { host: string; password: string }) => readonly string[];
  /** Where a server has got to: the same on both when the replica is level. */
  position: string;
  /** How many replicas acknowledge commits. */
  replicas: string;
}

const forever = "18446744073709551615";
const certificates = "/etc/mysql/by-hand";
const certificate = `${certificates}/certificate.pem`;
const key = `${certificates}/key.pem`;
const durable =
  "innodb_flush_log_at_trx_commit = 1\nsync_binlog = 1\nlog_bin = by-hand-bin\nskip_name_resolve = ON";
const tls = `ssl_ca = ${certificate}\nssl_cert = ${certificate}\nssl_key = ${key}`;

const words: Record<typeof system.engine, Words> = {
  mariadb: {
    file: "/etc/mysql/mariadb.conf.d/90-by-hand.cnf",
    plain: `[mariadbd]\nbind_address = 0.0.0.0\n${durable}\nbinlog_format = ROW\n`,
    pair: `${tls}
log_slave_updates = ON
gtid_strict_mode = ON
slave_parallel_threads = 4
rpl_semi_sync_slave_enabled = ON
rpl_semi_sync_master_wait_point = AFTER_SYNC
rpl_semi_sync_master_timeout = ${forever}
`,
    source: ["SET GLOBAL rpl_semi_sync_master_enabled = ON"],
    follow: ({ host, password }) => [
      `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_USER = 'repl', MASTER_PASSWORD = '${password}',
        MASTER_USE_GTID = slave_pos, MASTER_SSL = 1, MASTER_SSL_CA = '${certificate}'`,
      "SET GLOBAL read_only = ON",
      "START SLAVE",
    ],
    position: "SELECT @@GLOBAL.gtid_binlog_pos",
    replicas: "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'",
  },
  mysql: {
    file: "/etc/mysql/mysql.conf.d/zz-by-hand.cnf",
    plain: `[mysqld]\nbind_address = 0.0.0.0\nmysqlx = OFF\n${durable}\n`,
    pair: `${tls}
gtid_mode = ON
enforce_gtid_consistency = ON
log_replica_updates = ON
relay_log_recovery = ON
replica_parallel_workers = 4
plugin_load_add = semisync_source.so
plugin_load_add = semisync_replica.so
loose_rpl_semi_sync_replica_enabled = ON
loose_rpl_semi_sync_source_wait_point = AFTER_SYNC
loose_rpl_semi_sync_source_timeout = ${forever}
`,
    source: ["SET GLOBAL rpl_semi_sync_source_enabled = ON"],
    follow: ({ host, password }) => [
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_USER = 'repl', SOURCE_PASSWORD = '${password}',
        SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_SSL_CA = '${certificate}'`,
      "SET GLOBAL super_read_only = ON",
      "START REPLICA",
    ],
    position: "SELECT @@GLOBAL.gtid_executed",
    replicas: "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'",
  },
};

const { file, plain, pair, source, follow, position, replicas } = words[system.engine];

/** One server that keeps what it acknowledged, and nobody beside it. */
export async function plainServer(node: LabNode): Promise<Connection> {
  await install(node);
  await start(node, `${plain}server_id = 9\n`);
  return application(node);
}

/** A semi-synchronous pair with the durability of ours, and nobody who looks after it. The first one writes. */
export async function pairByHand(first: LabNode, second: LabNode): Promise<Connection> {
  await Promise.all([install(first), install(second)]);
  await certify(first, second);
  await Promise.all([
    start(first, `${plain}server_id = 1\n${pair}`),
    start(second, `${plain}server_id = 2\n${pair}`),
  ]);
  const password = randomBytes(12).toString("hex");
  await run(first, [
    `CREATE USER repl@'%' IDENTIFIED BY '${password}' REQUIRE SSL`,
    "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
  ]);
  await run(second, follow({ host: first.address, password }));
  await run(first, source);
  const replicates = async () => (await sql(first, replicas)).endsWith("\t1");
  await waitUntil("the pair made by hand to replicate", 30_000, replicates);
  return application(first);
}

/** Resolves when the replica has applied all: what it still does would cost the next one that is measured. */
export async function untilLevel(first: LabNode, second: LabNode): Promise<void> {
  const level = async () => (await sql(first, position)) === (await sql(second, position));
  await waitUntil(`${first.name} and ${second.name} to be level`, 60_000, level, 100);
}

async function install(node: LabNode): Promise<void> {
  const command = `apt-get update -q && apt-get install -y -q --no-install-recommends ${system.mirror.join(" ")}`;
  await node.sh(command, { env: { DEBIAN_FRONTEND: "noninteractive" }, timeoutMs: 600_000 });
}

/** One certificate for both, which is its own authority. */
async function certify(first: LabNode, second: LabNode): Promise<void> {
  const names = `subjectAltName=IP:${first.address},IP:${second.address}`;
  await first.sh(`mkdir -p ${certificates}
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=by-hand \\
      -addext ${names} -keyout ${key} -out ${certificate}`);
  for (const file of [certificate, key]) await second.put(file, await first.read(file));
  for (const node of [first, second]) await node.sh(`chown mysql ${key} && chmod 600 ${key}`);
}

async function start(node: LabNode, config: string): Promise<void> {
  await node.put(file, config);
  await node.run(["systemctl", "restart", system.unit], { timeoutMs: 120_000 });
}

async function application(node: LabNode): Promise<Connection> {
  const password = randomBytes(12).toString("hex");
  await run(node, [
    "CREATE DATABASE app",
    `CREATE USER app@'%' IDENTIFIED BY '${password}'`,
    "GRANT ALL ON app.* TO app@'%'",
  ]);
  return { host: node.address, port: 3306, user: "app", password, database: "app" };
}

async function run(node: LabNode, statements: readonly string[]): Promise<void> {
  await node.run([system.client], { stdin: `${statements.join(";\n")};\n` });
}
