import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, status, vip } from "./pair.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";

/** What docs/security.md promises, seen from outside and by a local user without rights. */
describe("a pair's surface", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let password: string;

  beforeAll(async () => {
    lab = await Lab.open({ prepared: true, nodes: ["node1", "node2"] });
    [node1, node2] = lab.nodes as [LabNode, LabNode];
    await formPair(lab);
    await waitUntil("the pair to be protected", 60_000, async () => {
      const nodes = (await status(node1)).roles["mysql"]?.nodes ?? [];
      return nodes.some((node) => node.protected);
    });
    const { json } = await chime<{ password: string }>(node1, ["secrets", "show", "--role", "mysql"]);
    password = json.password;
  }, 300_000);
  afterAll(() => lab?.close());

  const nobody = (node: LabNode, script: string) =>
    node.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script], {
      check: false,
    });
  /** A client on node2 that insists on a genuine certificate. */
  const client = (host: string, user: string, secret: string, ...more: string[]) =>
    node2.run([system.client, "-u", user, "-h", host, ...more, "-N", "-e", "SELECT 1"], {
      check: false,
      env: { MYSQL_PWD: secret },
    });

  test("nothing listens but the agent, its metrics on loopback, and the database on the node's address and the VIP", async () => {
    for (const node of lab.nodes) {
      const { stdout } = await node.sh("ss -Hltn | awk '{print $4}' | sort");
      expect(stdout.trim().split("\n")).toEqual(
        ["0.0.0.0:8820", "127.0.0.1:8821", `${node.address}:3306`, `${vip}:3306`].sort(),
      );
      expect((await node.sh("ss -Hlun | awk '{print $4}'")).stdout).toBe("0.0.0.0:8820\n");
    }
  });

  test("the database: no anonymous and no remote administrator, no test database, no TLS below 1.2", async () => {
    const query = async (sql: string) =>
      (await node1.run([system.client, "-N", "-B", "-e", sql])).stdout.trim();
    expect(await query("SELECT user FROM mysql.user WHERE user = ''")).toBe("");
    expect(await query("SELECT host FROM mysql.user WHERE user = 'root'")).toBe("localhost");
    expect(await query("SHOW DATABASES LIKE 'test'")).toBe("");
    expect(await query("SELECT @@tls_version")).toBe("TLSv1.2,TLSv1.3");
    expect((await client(vip, "root", "")).code).not.toBe(0);
    expect((await nobody(node1, `${system.client} -u root -e 'SELECT 1'`)).code).not.toBe(0);
  });

  test("its certificate names the node and the VIP; a client that verifies can use either", async () => {
    const verify = [system.tls.verified, "--ssl-ca=/etc/mysql/chime-node/ca.crt"];
    expect((await client(vip, "chime", password, ...verify)).code).toBe(0);
    expect((await client(node1.address, "chime", password, ...verify)).code).toBe(0);
    const other = "--ssl-ca=/etc/ssl/certs/nothing.crt";
    expect((await client(vip, "chime", password, system.tls.verified, other)).code).not.toBe(0);
  });

  test("replication without TLS is refused, with it only the right password helps", async () => {
    const secrets = await node1.read("/etc/chime-node/secrets.toml");
    const replication = /replication = "(\w{32})"/.exec(secrets)?.[1] ?? "";
    expect((await client(node1.address, "chime_repl", replication, system.tls.only)).code).toBe(0);
    expect((await client(node1.address, "chime_repl", replication, system.tls.none)).code).not.toBe(0);
    expect((await client(node1.address, "chime_repl", "wrong", system.tls.only)).code).not.toBe(0);
  });

  test("the replica verifies the server that it receives from", async () => {
    const shown = await Promise.all(
      lab.nodes.map(async (node) => (await node.run([system.client, "-E", "-e", system.words.show])).stdout),
    );
    const replica = shown.find((text) => /(Slave|Replica)_IO_Running: Yes/.test(text));
    expect(replica).toMatch(/(Master|Source)_SSL_Verify_Server_Cert: Yes/);
    expect(replica).toMatch(/(Master|Source)_SSL_CA_File: \/etc\/mysql\/chime-node\/ca\.crt/);
  });

  test("no password is in a binary log, which is kept for days", async () => {
    const secrets = await node1.read("/etc/chime-node/secrets.toml");
    for (const [, secret = ""] of secrets.matchAll(/"(\w{32})"/g)) {
      const { stdout } = await node1.run(["sh", "-c", `grep -lF "$S" /var/lib/mysql/chime-bin.0* || :`], {
        env: { S: secret },
      });
      expect(stdout).toBe("");
    }
  });

  test("a user without rights reads no secret and reaches neither socket, lock, FIFO nor track file", async () => {
    const readable = await nobody(
      node1,
      "find /etc/chime-node /var/lib/chime-node /run/chime-node /etc/mysql/chime-node -type f -readable 2>/dev/null",
    );
    expect(readable.stdout.trim().split("\n").sort()).toEqual([
      "/etc/chime-node/cluster.toml",
      "/etc/mysql/chime-node/ca.crt",
      "/etc/mysql/chime-node/server.crt",
    ]);
    for (const path of ["agent.sock", "apply.lock", "vip/notify.fifo", "vip/mysql.eligible"]) {
      expect((await nobody(node1, `test -e /run/chime-node/${path}`)).code).not.toBe(0);
    }
    expect((await nobody(node1, "chime-node status")).code).toBe(2);
  });

  test("the metrics, which every local user may read, hold no secret", async () => {
    const talk = `exec 3<>/dev/tcp/127.0.0.1/8821; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
    const { stdout } = await nobody(node1, `bash -c "${talk}"`);
    expect(stdout).toContain("chime_node_");
    const stored = await node1.read("/etc/chime-node/secrets.toml");
    const secrets = [...stored.matchAll(/[A-Za-z0-9]{32}/g)].map(([secret]) => secret);
    expect(secrets.length).toBeGreaterThan(3);
    expect(secrets.filter((secret) => stdout.includes(secret))).toEqual([]);
  });

  test("the agent's port answers nothing but TLS 1.3, and drops who is silent", async () => {
    const open = `exec 3<>/dev/tcp/${node1.address}/8820`;
    const silent = await lab.client.run(["bash", "-c", `${open}; timeout 8 cat <&3 | wc -c`]);
    expect(silent.stdout.trim()).toBe("0");
    const plain = await lab.client.run([
      "bash",
      "-c",
      `${open}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 8 cat <&3 | wc -c`,
    ]);
    expect(Number(plain.stdout)).toBeLessThan(64);
  }, 30_000);

  test("systemd counts the agent's unit among the confined ones", async () => {
    const { stdout } = await node1.run(["systemd-analyze", "security", "--no-pager", "chime-node.service"]);
    expect(Number(/exposure level for .*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(4);
  });
});
