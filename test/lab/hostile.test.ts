import { afterAll, beforeAll, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initCommand, joinCommand, type Initialized, type Status } from "./pair.ts";

/** Verbs that go to the network and to the agent, started from a shell that wants to lead them astray. */
let lab: Lab;
let node1: LabNode;
let node2: LabNode;
const marker = "/tmp/hijacked";
const hostile = "/srv/hostile";

/** A listener in each node: whoever contacts it was led astray. */
const port = 3128;
const trap = `http://127.0.0.1:${port}`;
const environment = {
  BUN_OPTIONS: `--preload=${hostile}/evil.js`,
  HTTP_PROXY: trap,
  HTTPS_PROXY: trap,
  http_proxy: trap,
  https_proxy: trap,
  NO_PROXY: "",
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_EXTRA_CA_CERTS: `${hostile}/none.pem`,
  SSL_CERT_FILE: `${hostile}/none.pem`,
  DATABASE_URL: `mysql://evil:evil@127.0.0.1:${port}/evil`,
  MYSQL_URL: `mysql://evil:evil@127.0.0.1:${port}/evil`,
  MYSQL_PASSWORD: "evil",
  PATH: `${hostile}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
};

beforeAll(async () => {
  const binary = await buildBinary();
  lab = await Lab.open({ nodes: ["node1", "node2"] });
  [node1, node2] = [lab.node("node1"), lab.node("node2")];
  for (const node of lab.nodes) {
    await node.install(binary);
    await node.put(`${hostile}/evil.js`, `require("node:fs").appendFileSync("${marker}", "evil\\n");`);
    await node.put(`${hostile}/bunfig.toml`, 'preload = ["./evil.js"]\n');
    await node.put(`${hostile}/.env`, "CHIME_TOKEN=chime1.evil\n");
    // What the binary runs is found where the system keeps it, not where the shell looks first.
    for (const program of ["ip", "systemctl", "apt-get", "dpkg-query", "nft"]) {
      await node.put(`${hostile}/${program}`, `#!/bin/sh\necho ${program} >>${marker}\nexit 1\n`, 0o755);
    }
    // A socket unit that answers nobody and counts who came.
    const unit = `[Socket]\nListenStream=127.0.0.1:${port}\nAccept=yes\n`;
    await node.put("/etc/systemd/system/trap.socket", unit);
    await node.put(
      "/etc/systemd/system/trap@.service",
      `[Service]\nExecStart=/bin/sh -c 'echo contacted >>${marker}'\n`,
    );
    await node.run(["systemctl", "start", "trap.socket"]);
  }
}, 300_000);
afterAll(() => lab?.close());

/** Runs a command line in the hostile directory; the shell is an absolute path because PATH is hostile too. */
const misled = (node: LabNode, argv: readonly string[], env: Record<string, string> = {}) =>
  node.run(
    ["/bin/sh", "-c", `cd ${hostile} && exec "$@"`, "sh", `/usr/local/bin/${argv[0]}`, ...argv.slice(1)],
    {
      env: { ...environment, ...env },
      timeoutMs: 120_000,
    },
  );
const misleading = async (node: LabNode) => (await node.run(["cat", marker], { check: false })).stdout;

test("the traps work: a shell and a client that trust the environment are caught", async () => {
  await node1.run(["/bin/sh", "-c", "ip address || :"], { env: environment });
  await node1.run(["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port}; read -t 2 -u 3 || :`]);
  expect((await misleading(node1)).split("\n").filter(Boolean)).toEqual(["ip", "contacted"]);
  await node1.run(["rm", marker]);
});

test("init, join and status do what they do from any other shell", async () => {
  const created = JSON.parse((await misled(node1, [...initCommand, "--json"])).stdout) as Initialized;
  const join = [...joinCommand.slice(0, -1), "witness"];
  await misled(node1, join);
  await misled(node2, join, { CHIME_TOKEN: created.token });
  const { stdout } = await misled(node2, ["chime-node", "status", "--json"]);
  const { members } = JSON.parse(stdout) as Status;
  expect(members.map((member) => [member.name, member.state])).toEqual([
    ["node1", "alive"],
    ["node2", "alive"],
  ]);
  for (const node of lab.nodes) expect(await misleading(node)).toBe("");
}, 120_000);

test("the agent runs in an environment of its own", async () => {
  const pid = await node2.mainPid("chime-node");
  expect(await node2.read(`/proc/${pid}/environ`)).not.toMatch(/evil|3128|BUN_OPTIONS/);
});
