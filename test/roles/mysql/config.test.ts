import { describe, expect, test } from "bun:test";
import { mysql } from "../../../src/roles/mysql/engine/mysql.ts";
import { mariadb } from "../../../src/roles/mysql/engine/mariadb.ts";

const vip = "10.0.0.30";
const tls = { ca: "/t/ca.crt", cert: "/t/server.crt", key: "/t/server.key" };

const pidFile = "/run/mysqld/mysqld.pid";
const node = (serverId: number) => ({
  serverId,
  address: "10.0.0.9",
  vip,
  incrementOffset: 2 - (serverId % 2),
  pidFile,
  tls,
});

describe.each([mariadb, mysql])("$name", (engine) => {
  const config = (input: ReturnType<typeof node>) => engine.config(input);

  test("the configuration of a node", () => {
    expect(config(node(2))).toMatchSnapshot();
  });

  test("two nodes differ in their ids alone", () => {
    const [a, b] = [config(node(1)).split("\n"), config(node(2)).split("\n")];
    expect(a.length).toBe(b.length);
    expect(a.filter((line, i) => line !== b[i])).toEqual(["server_id = 1", "auto_increment_offset = 1"]);
  });

  test("it listens on the node's address and the VIP alone, with no TLS older than 1.2", () => {
    expect(config(node(1))).toContain("\nbind_address = 10.0.0.9,10.0.0.30\n");
    expect(config(node(1))).toContain("\ntls_version = TLSv1.2,TLSv1.3\n");
  });
});

test("what the rules rest on is in MariaDB's", () => {
  const config = mariadb.config(node(1));
  for (const line of [
    "read_only = ON",
    "skip_slave_start = ON",
    "gtid_strict_mode = ON",
    "log_slave_updates = ON",
    "sync_binlog = 1",
    "innodb_flush_log_at_trx_commit = 1",
    "rpl_semi_sync_master_wait_point = AFTER_SYNC",
    "rpl_semi_sync_slave_enabled = ON",
  ]) {
    expect(config.split("\n")).toContain(line);
  }
  // The default, MASTER, keeps at a recovery what nobody acknowledged; only the guard asks for less, start by start.
  expect(config).not.toContain("init_rpl_role");
  expect(config).not.toContain("rpl_semi_sync_master_enabled");
});

test("what the rules rest on is in MySQL's, in words of 8.4 and later", () => {
  const config = mysql.config(node(1));
  for (const line of [
    "super_read_only = ON",
    "skip_replica_start = ON",
    "gtid_mode = ON",
    "enforce_gtid_consistency = ON",
    "log_replica_updates = ON",
    "relay_log_recovery = ON",
    "replica_preserve_commit_order = ON",
    "sync_binlog = 1",
    "innodb_flush_log_at_trx_commit = 1",
    "loose_rpl_semi_sync_source_wait_point = AFTER_SYNC",
    "loose_rpl_semi_sync_source_wait_for_replica_count = 1",
  ]) {
    expect(config.split("\n")).toContain(line);
  }
  expect(config).not.toMatch(/^(binlog_format|master_info|default_authentication)|slave|_master/m);
  expect(config).not.toContain("rpl_semi_sync_source_enabled");
  // What a package's script does with a server of its own is nobody's transaction.
  expect(config).toMatch(/^\[mysqld\]\n[^[]*^disable_log_bin\n[^[]*^\[mysqld_chime\]\nlog_bin = chime-bin$/m);
});
