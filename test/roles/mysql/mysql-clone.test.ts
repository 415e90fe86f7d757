import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import type { Session } from "../../../src/roles/mysql/client.ts";
import { mysqlClone } from "../../../src/roles/mysql/engine/mysql-clone.ts";
import { wire } from "../../../src/roles/mysql/guard/wire.ts";

const root = "/var/lib/mysql/.chime-copy";
const places = {
  server: "/usr/sbin/mysqld",
  empty: `${root}/work/empty`,
  socket: `${root}/work/sock`,
  directory: `${root}/part`,
};
const source = {
  host: "10.0.0.1",
  port: 3306,
  user: "chime_clone",
  password: "it's secret",
  ca: "/t/ca.crt",
  cert: "/t/server.crt",
  key: "/t/server.key",
};
const settings = {
  character_set_server: "utf8mb4",
  innodb_page_size: "16384",
  plugins: "mysql_clone.so;auth_socket.so",
  init_file: "evil",
};

describe("the servers that make a clone", () => {
  const programs = {
    initialize: mysqlClone.initialize(places, settings),
    fetcher: mysqlClone.fetcher(places, settings, source),
    finisher: mysqlClone.finisher(places, settings),
  };

  test.each(Object.entries(programs))("%s: none of the node's options, no log, no secret", (_, argv) => {
    expect(argv.slice(0, 2)).toEqual(["/usr/sbin/mysqld", "--no-defaults"]);
    expect(argv).toContain("--skip-log-bin");
    expect(argv.join(" ")).not.toContain("secret");
  });

  test("two serve on a socket alone, one upon the empty directory and one upon the copy", () => {
    for (const argv of [programs.fetcher, programs.finisher]) expect(argv).toContain("--skip-networking");
    expect(programs.fetcher).toContain(`--datadir=${places.empty}`);
    expect(programs.finisher).toContain(`--datadir=${places.directory}`);
    expect(programs.finisher).toContain("--skip-replica-start");
  });

  test("one source, by the cluster's CA", () => {
    expect(programs.fetcher).toContain("--clone-valid-donor-list=10.0.0.1:3306");
    expect(programs.fetcher).toContain("--clone-ssl-ca=/t/ca.crt");
  });

  test("what the source has otherwise they have, too, and nothing that is not asked for", () => {
    expect(programs.initialize).toContain("--innodb-page-size=16384");
    expect(programs.fetcher).toContain("--character-set-server=utf8mb4");
    expect(programs.fetcher).toContain("--plugin-load=mysql_clone.so;auth_socket.so");
    for (const argv of Object.values(programs)) expect(argv.join(" ")).not.toContain("evil");
  });
});

test("settings from the other node hold no path", () => {
  const answer = (value: string) =>
    v.safeParse(wire["copy-size"].answer, { bytes: 1, settings: { innodb_data_file_path: value } }).success;
  expect(answer("ibdata1:12M:autoextend")).toBe(true);
  expect(["/etc/passwd", "../x", "a b", "x\n"].map(answer)).toEqual([false, false, false, false]);
});

test("everything is fetched by one statement, with TLS, into the copy's directory", async () => {
  const said: string[] = [];
  const session = { run: async (statements: string[]) => void said.push(...statements) };
  await mysqlClone.fetch(session as unknown as Session, places, source);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(
    "CLONE INSTANCE FROM 'chime_clone'@'10.0.0.1':3306 IDENTIFIED BY 'it\\'s secret'",
  );
  expect(said[0]).toEndWith(`DATA DIRECTORY = '${root}/part' REQUIRE SSL`);
});

test("what is not copied does not count", () => {
  const skipped = ["chime-bin.000001", "chime-relay.index", "ibtmp1", "#innodb_redo", "#ib_16384_0.dblwr"];
  expect(skipped.filter((name) => !mysqlClone.skips.test(name))).toEqual([]);
  expect(["ibdata1", "undo_001", "mysql.ibd", "chime"].filter((name) => mysqlClone.skips.test(name))).toEqual(
    [],
  );
});
