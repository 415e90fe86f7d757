import { text, type Row, type Session } from "../client.ts";
import { extras, furthest, reaches } from "./mariadb-gtid.ts";
import { nativeHash } from "./native-password.ts";
import { quote } from "../sql.ts";
import { copyDirectory } from "../copy/places.ts";
import { mariadbBackup } from "./mariadb-backup.ts";
import { mariadbTail } from "./mariadb-tail.ts";
import { readAnswers, type ProbeAnswers } from "./probe-answers.ts";
import { closeForWrites, endSessions } from "./sessions.ts";
import type { ConfigInput, Engine, ServerState, SourceAddress } from "./types.ts";
import type { Words } from "./words.ts";

const words: Words = {
  source: "Master",
  replica: "Slave",
  sessions: "information_schema.processlist",
  close: "SET GLOBAL read_only = ON",
};

/** Commits that wait for the replica wait without a limit: only the guard ends it, by a new term. */
const forever = "18446744073709551615";

/**
 * ms a lone writer waits once for a replica that is still catching up. MariaDB counts one as semi-synchronous from
 * its first moment; without this the writer would stand still until it is level (tried: seconds).
 */
const aloneMs = 20;

/** Behaviour tried on MariaDB 10.11. */
export const mariadb: Engine = {
  name: "mariadb",
  config,
  // There is no --validate-config; printing the help reads and checks every option and opens no data.
  configCheck: (server) => [server, "--defaults-file={}", "--verbose", "--help"],
  // LOCAL: it would stand in the binary log, on a replica as a transaction of its own (tried).
  reloadTls: "FLUSH LOCAL SSL",
  // Told to stop in its first second, before its port answers, it hangs for ever in init_slave() (tried on 10.11), and
  // Debian's unit waits a quarter of an hour and does not kill. While it flushes pages it asks for more time.
  stopSeconds: 60,
  first: {
    program: "install",
    // Besides root the server's own user, as packages have it: a copy is made as that one.
    script: `"$2" --no-defaults --datadir="$1" --skip-test-db \\
  --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" >/dev/null`,
  },
  systemAccounts: ["root", "mysql", "mariadb.sys", "debian-sys-maint", "PUBLIC", ""],
  extras,
  reaches,

  credential: (password) => `IDENTIFIED BY PASSWORD ${quote(nativeHash(password))}`,
  isCredential: (kept, password) => Buffer.from(kept, "hex").toString("latin1") === nativeHash(password),

  async probe(session) {
    const [variables, status, replica] = await session.batch([
      `SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.gtid_binlog_pos AS position,
        @@GLOBAL.rpl_semi_sync_master_enabled AS enabled,
        @@GLOBAL.rpl_semi_sync_master_wait_no_slave
          AND @@GLOBAL.rpl_semi_sync_master_timeout = ${forever} AS strict`,
      `SHOW GLOBAL STATUS LIKE 'Rpl\\_semi\\_sync\\_%'`,
      "SHOW SLAVE STATUS",
    ]);
    return readProbe({ variables: variables?.[0], status, replica: replica?.[0] });
  },

  async fence(session, hand) {
    await closeForWrites(session, words, { hand, clients, ms: fenceMs });
    // Only now: switching it off tells every waiting client that its commit succeeded.
    await session.run(["SET GLOBAL rpl_semi_sync_master_enabled = OFF"]);
  },

  async stopReceiver(session) {
    // STOP SLAVE alone waits 1 to 2 s for a receiver whose source has vanished. A killed one leaves its silent
    // connection at once and then tries to reach the source, to end its half of it. 11.8 says that it is at that, and is
    // not to be interrupted; 10.11 does not say so, and STOP SLAVE interrupts it, but only while it is at it.
    await endSessions(session, words, "user = 'system user' AND command = 'Slave_IO'");
    const started = performance.now();
    while (performance.now() - started < leaveMs) {
      const [replica] = await session.rows("SHOW SLAVE STATUS");
      if (!replica || hasLeft(replica)) return;
      await Bun.sleep(lookMs);
    }
    await session.run(["STOP SLAVE IO_THREAD"], stopMs);
  },

  async applied(session, received, ms) {
    if (received === "") return true;
    const [row] = await session.rows(
      `SELECT MASTER_GTID_WAIT(${quote(received)}, ${ms / 1000}) AS result`,
      ms + 1000,
    );
    return Number(row?.["result"]) === 0;
  },

  async open(session) {
    await session.run(
      [
        // The receiver has been stopped before; one that is still leaving would be waited for.
        "STOP SLAVE SQL_THREAD",
        ...alone,
        // On also while alone: a returning writer takes its own events back only from a source that is semi-sync.
        "SET GLOBAL rpl_semi_sync_master_enabled = ON",
        "SET GLOBAL read_only = OFF",
      ],
      stopMs,
    );
  },

  async protect(session) {
    await session.run([
      `SET GLOBAL rpl_semi_sync_master_timeout = ${forever}`,
      "SET GLOBAL rpl_semi_sync_master_enabled = ON",
      "SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON",
    ]);
  },

  async release(session, cut) {
    await session.run([...alone, "SET GLOBAL rpl_semi_sync_master_enabled = ON"]);
    if (!cut) return;
    await endSessions(session, words, "command = 'Binlog Dump'");
    // Waiters that saw their last replica go are not woken by the settings above; switching it off wakes them with OK.
    await session.run([
      "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
      "SET GLOBAL rpl_semi_sync_master_enabled = ON",
    ]);
  },

  async follow(session, source) {
    await session.run(["SET GLOBAL rpl_semi_sync_master_enabled = OFF", "STOP SLAVE"], stopMs);
    await session.run(
      [
        ...(await resumeWhereLogEnds(session)),
        changeMaster(source),
        "SET GLOBAL rpl_semi_sync_slave_enabled = ON",
        "START SLAVE",
      ],
      stopMs,
    );
  },

  async contents(session) {
    const [row] = await session.rows("SELECT @@GLOBAL.gtid_binlog_state AS state");
    return text(row?.["state"]);
  },

  // The server does it by itself at its recovery (init_rpl_role, mariadbd option).
  rewind: () => Promise.resolve("--init-rpl-role=SLAVE"),

  copy: mariadbBackup,

  tail: mariadbTail,
};

const alone = [
  `SET GLOBAL rpl_semi_sync_master_timeout = ${aloneMs}`,
  "SET GLOBAL rpl_semi_sync_master_wait_no_slave = OFF",
];

/** Longest stop of the receiver seen: 2 s, when it could not be killed. */
const stopMs = 5_000;
const fenceMs = 10_000;
const leaveMs = 20;
const lookMs = 2;

/** All but the server's own threads and its replicas. */
const clients = "user NOT IN ('system user', 'event_scheduler') AND command NOT IN ('Binlog Dump', 'Daemon')";

/**
 * A former writer has its own transactions in the binary log alone. MASTER_DEMOTE_TO_SLAVE would count them, but only
 * those under the present server_id: a node that joins again with its data has another one.
 */
async function resumeWhereLogEnds(session: Session): Promise<string[]> {
  const [row] = await session.rows(
    "SELECT @@GLOBAL.gtid_binlog_pos AS logged, @@GLOBAL.gtid_slave_pos AS applied",
  );
  const applied = text(row?.["applied"]);
  const newest = furthest(text(row?.["logged"]), applied);
  return reaches(applied, newest) ? [] : [`SET GLOBAL gtid_slave_pos = ${quote(newest)}`];
}

function changeMaster(source: SourceAddress): string {
  return `CHANGE MASTER TO MASTER_HOST = ${quote(source.host)}, MASTER_PORT = ${source.port},
    MASTER_USER = ${quote(source.user)}, MASTER_PASSWORD = ${quote(source.password)},
    MASTER_USE_GTID = slave_pos,
    MASTER_CONNECT_RETRY = 1, MASTER_HEARTBEAT_PERIOD = 1,
    MASTER_SSL = 1, MASTER_SSL_CA = ${quote(source.ca)}, MASTER_SSL_CERT = ${quote(source.cert)},
    MASTER_SSL_KEY = ${quote(source.key)}, MASTER_SSL_VERIFY_SERVER_CERT = 1`;
}

/** Pure: what a probe's answers mean. */
export function readProbe(answers: ProbeAnswers): Omit<ServerState, "life"> {
  const position = text(answers.variables?.["position"]);
  const received = text(answers.replica?.["Gtid_IO_Pos"]);
  let { replica } = answers;
  if (replica && hasLeft(replica)) replica = { ...replica, Slave_IO_Running: "No" };
  return readAnswers({ ...answers, replica }, words, { position, received, reaches });
}

/** The receiver's connection is closed for good: it neither receives nor acknowledges, though its thread may still run. */
function hasLeft(replica: Row): boolean {
  return replica["Slave_IO_Running"] === "No" || leaving.includes(text(replica["Slave_IO_State"]));
}

const leaving = ["Ending IO thread", "Waiting for slave mutex on exit"];

function config({ serverId, address, vip, incrementOffset, tls }: ConfigInput): string {
  return `# Written by chime-node. Changes made here are put back; see cluster.toml.
[mariadbd]
# The node's address and the VIP, here or not (the unit's drop-in permits that): no other network gets to it.
bind_address = ${address},${vip}
port = 3306
server_id = ${serverId}
report_host = ${address}
skip_name_resolve = ON
# What is copied from the other node while this one runs is no database.
ignore_db_dirs = ${copyDirectory}
character_set_server = utf8mb4
collation_server = utf8mb4_general_ci

# A commit that was acknowledged is on disk.
innodb_flush_log_at_trx_commit = 1
sync_binlog = 1

# Both servers keep the whole history under the same ids: either can go on where the other ended.
log_bin = chime-bin
log_bin_index = chime-bin.index
relay_log = chime-relay
relay_log_index = chime-relay.index
binlog_format = ROW
binlog_expire_logs_seconds = 604800
log_slave_updates = ON
gtid_domain_id = 0
gtid_strict_mode = ON
slave_parallel_threads = 4
auto_increment_increment = 2
auto_increment_offset = ${incrementOffset}

# Who writes is decided by the agent, after each start anew.
read_only = ON
skip_slave_start = ON
slave_net_timeout = 4
rpl_semi_sync_slave_enabled = ON
rpl_semi_sync_slave_kill_conn_timeout = 1
rpl_semi_sync_master_wait_point = AFTER_SYNC
rpl_semi_sync_master_timeout = ${forever}

tls_version = TLSv1.2,TLSv1.3
ssl_ca = ${tls.ca}
ssl_cert = ${tls.cert}
ssl_key = ${tls.key}
`;
}
