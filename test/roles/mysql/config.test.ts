import { expect, test } from "bun:test";
import { mariadb } from "../../../src/roles/mysql/engine/mariadb.ts";

const vip = "10.0.0.30";
const tls = { ca: "/t/ca.crt", cert: "/t/server.crt", key: "/t/server.key" };

test("the configuration of a node", () => {
  expect(
    mariadb.config({ serverId: 2, address: "10.0.0.2", vip, incrementOffset: 2, tls }),
  ).toMatchSnapshot();
});

test("two nodes differ in their ids alone", () => {
  const lines = (serverId: number) =>
    mariadb
      .config({ serverId, address: "10.0.0.9", vip, incrementOffset: 2 - (serverId % 2), tls })
      .split("\n");
  const [a, b] = [lines(1), lines(2)];
  expect(a.length).toBe(b.length);
  expect(a.filter((line, i) => line !== b[i])).toEqual(["server_id = 1", "auto_increment_offset = 1"]);
});

test("it listens on the node's address and the VIP alone, with no TLS older than 1.2", () => {
  const config = mariadb.config({ serverId: 1, address: "10.0.0.1", vip, incrementOffset: 1, tls });
  expect(config).toContain("\nbind_address = 10.0.0.1,10.0.0.30\n");
  expect(config).toContain("\ntls_version = TLSv1.2,TLSv1.3\n");
});

test("what the rules rest on is in it", () => {
  const config = mariadb.config({ serverId: 1, address: "10.0.0.1", vip, incrementOffset: 1, tls });
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
