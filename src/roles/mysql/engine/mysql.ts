import { failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { text } from "../client.ts";
import { quote } from "../sql.ts";
import { extras, reaches, union } from "./gtid-set.ts";
import { mysqlClone } from "./mysql-clone.ts";
import { cutTail, findCut, mysqlTail, NotCuttable, unfinishedLog } from "./mysql-tail.ts";
import { isSha2PasswordOf, sha2Password } from "./sha2-password.ts";
import { readAnswers, type ProbeAnswers } from "./probe-answers.ts";
import { closeForWrites, endSessions } from "./sessions.ts";
import type { ConfigInput, Engine, ServerState, SourceAddress } from "./types.ts";
import type { Words } from "./words.ts";

/** ms; the largest that the server takes. Only the guard ends the wait, by a new term. */
const forever = "18446744073709551615";

const words: Words = {
  source: "Source",
  replica: "Replica",
  sessions: "performance_schema.processlist",
  close: "SET GLOBAL super_read_only = ON",
};

/** https://dev.mysql.com/doc/refman/9.7/en/option-files.html: a group of that name is read, too, where the environment says so. */
const groupSuffix = "_chime";

/** ms a lone writer waits once for a replica that has just caught up and went away. */
const aloneMs = 20;

/** MySQL 8.4 and 9.x, and Percona Server. Behaviour tried on 9.7.4. */
export const mysql: Engine = {
  name: "mysql",
  config,
  configCheck: (server) => [server, "--defaults-file={}", "--user=mysql", "--validate-config"],
  // Told to stop, it waits some seconds for the replica and then acknowledges without it (tried on 9.7). Killed, it does not.
  beforeStop: `timeout 3 /usr/bin/mysql --no-defaults --execute="${words.close}" || kill -KILL $MAINPID`,
  reloadTls: "ALTER INSTANCE RELOAD TLS",
  environment: `MYSQL_GROUP_SUFFIX=${groupSuffix}`,
  // A server that nobody can reach gives root's account its plugin: --initialize knows no statements about accounts.
  first: {
    program: "binary",
    script: `work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$2" --no-defaults --initialize-insecure --datadir="$1" --log-error="$work/log" || { cat "$work/log" >&2; exit 1; }
cat >"$work/sql" <<'SQL'
INSTALL PLUGIN auth_socket SONAME "auth_socket.so";
ALTER USER root@localhost IDENTIFIED WITH auth_socket;
SHUTDOWN;
SQL
"$2" --no-defaults --datadir="$1" --skip-networking --mysqlx=OFF --disable-log-bin --log-error="$work/log" \\
  --socket="$work/socket" --pid-file="$work/pid" --init-file="$work/sql" || { cat "$work/log" >&2; exit 1; }`,
  },
  systemAccounts: ["root", "debian-sys-maint", "mysql.infoschema", "mysql.session", "mysql.sys"],
  extras,
  reaches,

  credential: (password) =>
    `IDENTIFIED WITH caching_sha2_password AS 0x${Buffer.from(sha2Password(password), "latin1").toString("hex")}`,
  isCredential: (kept, password) => isSha2PasswordOf(Buffer.from(kept, "hex").toString("latin1"), password),

  async probe(session) {
    const [variables, status, replica] = await session.batch([
      `SELECT @@GLOBAL.super_read_only AS read_only, @@GLOBAL.gtid_executed AS position,
        @@GLOBAL.rpl_semi_sync_source_enabled AS enabled,
        @@GLOBAL.rpl_semi_sync_source_wait_no_replica
          AND @@GLOBAL.rpl_semi_sync_source_timeout = ${forever} AS strict`,
      `SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'`,
      "SHOW REPLICA STATUS",
    ]);
    return readMysqlProbe({ variables: variables?.[0], status, replica: replica?.[0] });
  },

  async fence(session, hand) {
    const [row] = await session.rows("SELECT @@GLOBAL.super_read_only AS closed");
    // Ending the wait takes up to a second (the thread that reads acknowledgements): only where no writes are to be stopped.
    if (Number(row?.["closed"]) === 1) {
      return session.run(["SET GLOBAL rpl_semi_sync_source_enabled = OFF"], stopMs);
    }
    await closeForWrites(session, words, { hand, clients, ms: fenceMs });
  },

  async stopReceiver(session) {
    await session.run(["STOP REPLICA IO_THREAD"], stopMs);
  },

  async applied(session, received, ms) {
    if (received === "") return true;
    const [row] = await session.rows(
      `SELECT WAIT_FOR_EXECUTED_GTID_SET(${quote(received)}, ${ms / 1000}) AS result`,
      ms + 1000,
    );
    return Number(row?.["result"]) === 0;
  },

  async open(session) {
    const [row] = await session.rows("SELECT @@GLOBAL.log_bin AS log");
    if (Number(row?.["log"]) !== 1) {
      throw failed("mysql.no_log", "the database server keeps no binary log: its unit did not start it", {
        remedy: "chime-node apply, then restart the server by its unit",
      });
    }
    await session.run(
      [
        "STOP REPLICA",
        ...alone,
        "SET GLOBAL rpl_semi_sync_source_enabled = ON",
        // Switches super_read_only off as well.
        "SET GLOBAL read_only = OFF",
      ],
      stopMs,
    );
  },

  async protect(session) {
    await session.run([
      `SET GLOBAL rpl_semi_sync_source_timeout = ${forever}`,
      "SET GLOBAL rpl_semi_sync_source_enabled = ON",
      "SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON",
    ]);
  },

  async release(session, cut) {
    await session.run([...alone, "SET GLOBAL rpl_semi_sync_source_enabled = ON"]);
    if (!cut) return;
    await endSessions(session, words, "command LIKE 'Binlog Dump%'");
    // Waiters are not woken by the settings above; switching it off wakes them with OK.
    await session.run([
      "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
      "SET GLOBAL rpl_semi_sync_source_enabled = ON",
    ]);
  },

  async nudge(session) {
    // Refused where the server is read-only; FLUSH, of as little effect, is not, and would be a transaction of its own there.
    await session.run(["DROP TABLE IF EXISTS mysql.chime_node_nudge"]);
  },

  async follow(session, source) {
    await session.run(
      [
        "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        "STOP REPLICA",
        // A server that ended before its first connection finds its channel's metadata broken (error 1872).
        "RESET REPLICA ALL",
        changeSource(source),
        "SET GLOBAL rpl_semi_sync_replica_enabled = ON",
        "START REPLICA",
      ],
      stopMs,
    );
  },

  async contents(session) {
    // In this order: what is committed in between is in one of them.
    const [row] = await session.rows(
      "SELECT @@GLOBAL.gtid_owned AS owned, @@GLOBAL.gtid_executed AS executed",
    );
    return inLog(text(row?.["owned"]), text(row?.["executed"]));
  },

  /**
   * A transaction that waits for its acknowledgement (AFTER_SYNC) is in the binary log and merely prepared in InnoDB: a
   * recovery that does not find it there rolls it back.
   */
  async rewind(data, theirs) {
    const file = await unfinishedLog(data);
    if (file === undefined) return "";
    try {
      const cut = await findCut(file, theirs);
      if (!cut) return "";
      await cutTail(cut);
      log.warn(`mysql: cut off what nobody was told of (${union(cut.gtids.join(","), "")})`);
    } catch (error) {
      if (!(error instanceof NotCuttable)) throw error;
      log.warn(`mysql: the server starts with all it has: ${error.message}`);
    }
    return "";
  },

  tail: mysqlTail,
  copy: mysqlClone,
};

const alone = [
  `SET GLOBAL rpl_semi_sync_source_timeout = ${aloneMs}`,
  "SET GLOBAL rpl_semi_sync_source_wait_no_replica = OFF",
];

const stopMs = 5_000;
/**
 * A killed session goes on waiting for its acknowledgement here (tried on 9.7), and closing the server waits for it. Where
 * none comes, the guard kills the server.
 */
const fenceMs = 1_000;

/** All but the server's own threads and its replicas. */
const clients = `user NOT IN ('system user', 'event_scheduler') AND command NOT LIKE 'Binlog Dump%'
  AND command <> 'Daemon'`;

function changeSource(source: SourceAddress): string {
  return `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ${quote(source.host)}, SOURCE_PORT = ${source.port},
    SOURCE_USER = ${quote(source.user)}, SOURCE_PASSWORD = ${quote(source.password)},
    SOURCE_AUTO_POSITION = 1,
    SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0, SOURCE_HEARTBEAT_PERIOD = 1,
    SOURCE_SSL = 1, SOURCE_SSL_CA = ${quote(source.ca)}, SOURCE_SSL_CERT = ${quote(source.cert)},
    SOURCE_SSL_KEY = ${quote(source.key)}, SOURCE_SSL_VERIFY_SERVER_CERT = 1`;
}

/**
 * A commit that waits for its acknowledgement is not among the executed yet, though the replica may have applied it long
 * ago: it is owned, as `UUID:NUMBER#THREAD`.
 */
export function inLog(owned: string, executed: string): string {
  return union(owned.replaceAll(/#\d+/g, ""), executed);
}

/** Pure: what a probe's answers mean. What the relay log was emptied of meanwhile is executed. */
export function readMysqlProbe(answers: ProbeAnswers): Omit<ServerState, "life"> {
  const position = union(text(answers.variables?.["position"]), "");
  const received = union(position, text(answers.replica?.["Retrieved_Gtid_Set"]));
  return readAnswers(answers, words, { position, received, reaches });
}

function config({ serverId, address, vip, incrementOffset, pidFile, tls }: ConfigInput): string {
  return `# Written by chime-node. Changes made here are put back; see cluster.toml.
[mysqld]
# The node's address and the VIP, here or not (the unit's drop-in permits that): no other network gets to it.
bind_address = ${address},${vip}
port = 3306
mysqlx = OFF
pid_file = ${pidFile}
server_id = ${serverId}
report_host = ${address}
skip_name_resolve = ON

# A commit that was acknowledged is on disk.
innodb_flush_log_at_trx_commit = 1
sync_binlog = 1

# Both servers keep the whole history under the same ids: either can go on where the other ended.
gtid_mode = ON
enforce_gtid_consistency = ON
disable_log_bin
relay_log = chime-relay
relay_log_index = chime-relay.index
binlog_expire_logs_seconds = 604800
log_replica_updates = ON
# What was received and not applied is fetched again: until then the node is not in sync.
relay_log_recovery = ON
# A server takes its own transactions back; its GTIDs end every circle.
replicate_same_server_id = ON
replica_parallel_workers = 4
replica_preserve_commit_order = ON
auto_increment_increment = 2
auto_increment_offset = ${incrementOffset}

# Who writes is decided by the agent, after each start anew.
super_read_only = ON
skip_replica_start = ON
replica_net_timeout = 4
plugin_load_add = semisync_source.so
plugin_load_add = semisync_replica.so
plugin_load_add = mysql_clone.so
loose_rpl_semi_sync_replica_enabled = ON
loose_rpl_semi_sync_source_wait_point = AFTER_SYNC
loose_rpl_semi_sync_source_wait_for_replica_count = 1
loose_rpl_semi_sync_source_timeout = ${forever}

tls_version = TLSv1.2,TLSv1.3
auto_generate_certs = OFF
ssl_ca = ${tls.ca}
ssl_cert = ${tls.cert}
ssl_key = ${tls.key}

# Read by the unit's server alone. Packages start servers of their own, which alter accounts while nobody replicates:
# logged, that would be this node's own transaction, and keep it out.
[mysqld${groupSuffix}]
log_bin = chime-bin
log_bin_index = chime-bin.index
`;
}
