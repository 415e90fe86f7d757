/** The same things in a server's own words. */
interface Words {
  /** Semi-sync's two halves, as variables call them. */
  source: string;
  replica: string;
  /** Replication stopped and started by hand; with SQL_THREAD, its applier alone. */
  stop: string;
  start: string;
  /** Asks how many of replication's 2 halves run. */
  running: string;
  /** All about replication. */
  show: string;
  /** Asks for the transactions in its binary log that the server made itself. */
  own: string;
}

/** A system that nodes can boot, and the server that runs on it. */
interface System {
  name: string;
  suite: string;
  /** What the nodes' mirror holds, with everything that these need and the base lacks. */
  mirror: readonly string[];
  /** `roles.mysql.engine` of its pairs. */
  engine: "mariadb" | "mysql";
  unit: string;
  /** What its packages would start at the next boot. */
  services: readonly string[];
  /** The command line client of its server packages. */
  client: string;
  /** Its file of ours. */
  config: string;
  words: Words;
  /** Options of its client: TLS and nothing else, no TLS, a certificate that is genuine. */
  tls: { only: string; none: string; verified: string };
  /** apt's settings while the image is built. */
  apt: string;
  /** Flags of init and join: preflight checks that are known to say no. */
  flags: readonly string[];
}

const mariadb = {
  mirror: ["mariadb-server", "mariadb-backup", "keepalived", "haproxy", "xfsprogs"],
  engine: "mariadb",
  unit: "mariadb.service",
  services: ["mariadb", "keepalived", "haproxy"],
  client: "mariadb",
  config: "/etc/mysql/mariadb.conf.d/90-chime-node.cnf",
  words: {
    source: "rpl_semi_sync_master",
    replica: "rpl_semi_sync_slave",
    stop: "STOP SLAVE",
    start: "START SLAVE",
    running: "SELECT COUNT(*) FROM information_schema.processlist WHERE command IN ('Slave_IO', 'Slave_SQL')",
    show: "SHOW SLAVE STATUS",
    own: "SELECT REGEXP_SUBSTR(@@gtid_binlog_state, CONCAT('[0-9]+-', @@server_id, '-[0-9]+'))",
  },
  tls: { only: "--ssl", none: "--skip-ssl", verified: "--ssl-verify-server-cert" },
  apt: 'Acquire::Check-Valid-Until "true";',
  flags: [],
} as const;

const systems: readonly System[] = [
  { name: "debian-12", suite: "bookworm", ...mariadb },
  { name: "debian-13", suite: "trixie", ...mariadb },
  {
    name: "debian-sid",
    suite: "sid",
    mirror: ["mysql-server", "keepalived", "haproxy", "xfsprogs"],
    engine: "mysql",
    unit: "mysql.service",
    services: ["mysql", "keepalived", "haproxy"],
    client: "mysql",
    config: "/etc/mysql/mysql.conf.d/zz-chime-node.cnf",
    words: {
      source: "rpl_semi_sync_source",
      replica: "rpl_semi_sync_replica",
      stop: "STOP REPLICA",
      start: "START REPLICA",
      running: `SELECT (SELECT COUNT(*) FROM performance_schema.replication_connection_status WHERE service_state = 'ON')
        + (SELECT COUNT(*) FROM performance_schema.replication_applier_status WHERE service_state = 'ON')`,
      show: "SHOW REPLICA STATUS",
      own: "SELECT REGEXP_SUBSTR(@@gtid_executed, CONCAT(@@server_uuid, '[^,]*'))",
    },
    tls: { only: "--ssl-mode=REQUIRED", none: "--ssl-mode=DISABLED", verified: "--ssl-mode=VERIFY_IDENTITY" },
    // A mirror may keep a state of sid whose Release file has run out.
    apt: 'Acquire::Check-Valid-Until "false";',
    flags: ["--ignore", "system"],
  },
];

/** What all nodes of this process run: CHIME_LAB_SYSTEM, so that the same tests run over all systems. */
export const system: System = choose(process.env["CHIME_LAB_SYSTEM"] || "debian-12");

/** @throws Error naming those that there are */
function choose(name: string): System {
  const found = systems.find((system) => system.name === name);
  if (found) return found;
  throw new Error(`the lab has no system ${name}, but ${systems.map((system) => system.name).join(", ")}`);
}
