import { afterAll, beforeAll, expect, test } from "bun:test";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, vip, writerOf } from "./pair.ts";
import { sql } from "./sql.ts";
import { system } from "./system.ts";
import { nothingIsMissing, openPair } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/** Planned work that nobody announced to the cluster, under writers: each hands over by itself. */
let lab: Lab;
let writers: Writers;
let switchoverMs = 0;
beforeAll(async () => {
  lab = await openPair();
  writers = await startWriters(lab);
}, 400_000);
afterAll(() => lab?.close());

/** What a planned move may cost more than a switchover of the same run, on a busy machine. */
const slackMs = 400;

async function outage(what: string, work: () => Promise<unknown>): Promise<number> {
  const at = Date.now();
  await work();
  // The longest gap in all of it.
  const { ms } = await writers.outageAfter(at, 60_000, Date.now() - at + 500);
  console.error(`${what}: ${Math.round(ms)} ms`);
  return ms;
}

test("for comparison: a switchover", async () => {
  const { writer } = await writerOf(lab);
  switchoverMs = await outage("switchover", () => chime(writer, ["switchover"]));
  await nothingIsMissing(lab, writers);
}, 60_000);

test("systemctl stop of the writing server hands over first", async () => {
  const { writer, replica } = await writerOf(lab);
  const ms = await outage("stop of the writer", () => writer.run(["systemctl", "stop", system.unit]));
  expect((await writerOf(lab)).writer).toBe(replica);
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  // A wish of somebody: it stays so.
  const said = async () => (await status(writer)).problems.some(({ code }) => code === "mysql.stopped");
  await waitUntil("status to say so", 5_000, said, 100);
  await writer.run(["systemctl", "start", system.unit]);
  await nothingIsMissing(lab, writers);
}, 120_000);

test("systemctl stop of the replica's server: it says goodbye, and no commit waits for it", async () => {
  const { writer, replica } = await writerOf(lab);
  const ms = await outage("stop of the replica", () => replica.run(["systemctl", "stop", system.unit]));
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  expect((await writerOf(lab)).writer).toBe(writer);
  await replica.run(["systemctl", "start", system.unit]);
  await nothingIsMissing(lab, writers);
}, 120_000);

test("a restart of the writing server hands over, and it comes back as the replica", async () => {
  const { writer, replica } = await writerOf(lab);
  const ms = await outage("restart of the writer", () => writer.run(["systemctl", "restart", system.unit]));
  expect((await writerOf(lab)).writer).toBe(replica);
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  await nothingIsMissing(lab, writers);
}, 120_000);

test("a reboot of the writer's node", async () => {
  const { writer, replica } = await writerOf(lab);
  const ms = await outage("reboot of the writer", () => writer.shutdown());
  expect((await writerOf(lab)).writer).toBe(replica);
  // Seen twice, of a second, and never explained: what both nodes say of it is wanted.
  if (ms >= switchoverMs + slackMs) {
    const said = "-n 120 --no-pager -o short-precise -u chime-node -u keepalived";
    console.error((await replica.sh(`journalctl ${said}`)).stdout);
    await writer.boot();
    console.error((await writer.sh(`journalctl -b -1 ${said}`, { check: false })).stdout);
  }
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  await writer.boot();
  await nothingIsMissing(lab, writers);
}, 180_000);

test("a reboot of the replica's node", async () => {
  const { writer, replica } = await writerOf(lab);
  const ms = await outage("reboot of the replica", () => replica.shutdown());
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  await replica.boot();
  expect((await writerOf(lab)).writer).toBe(writer);
  await nothingIsMissing(lab, writers);
}, 180_000);

test("the server's package is replaced on the writer: it hands over, and its server is started again", async () => {
  const { writer } = await writerOf(lab);
  const { stdout } = await writer.sh(
    `dpkg-query -W -f '\${Package}\\n' | grep -E '^(mariadb|mysql)-server' || :`,
  );
  const packages = stdout.split("\n").filter(Boolean);
  const before = await writer.mainPid(system.unit);
  await writer.run(["apt-get", "update", "-qq"]);
  const ms = await outage(`reinstallation of ${packages.join(", ")}`, () =>
    writer.run(["apt-get", "install", "--reinstall", "-y", ...packages], {
      timeoutMs: 120_000,
      env: { DEBIAN_FRONTEND: "noninteractive" },
    }),
  );
  expect(ms).toBeLessThan(switchoverMs + slackMs);
  await nothingIsMissing(lab, writers);
  expect(await writer.mainPid(system.unit)).not.toBe(before);
}, 240_000);

/** Everything that watches goes on, and no node has moved. */
async function agentIsBack(node: LabNode, before: number, ms: number): Promise<void> {
  const back = async () => {
    const pid = await node.mainPid("chime-node.service").catch(() => before);
    return pid !== before && (await chime(node, ["status"])).json.error === undefined;
  };
  await waitUntil(`the agent of ${node.name} to be back`, ms, back, 50);
}

test("a hung agent is restarted by its watchdog; nothing moves", async () => {
  const { writer } = await writerOf(lab);
  const before = await writer.mainPid("chime-node.service");
  await writer.pause("chime-node.service");
  await agentIsBack(writer, before, 10_000);
  expect((await writerOf(lab)).writer).toBe(writer);
  await nothingIsMissing(lab, writers);
}, 60_000);

test("systemd gives up on the writer's agent: the node stops writing, the other one takes over", async () => {
  const { writer, replica } = await writerOf(lab);
  const term = "/var/lib/chime-node/terms/mysql/term.json";
  await writer.run(["cp", "-a", term, "/root/term.json"]);
  await writer.sh(`echo broken > ${term}`);
  const ms = await outage("an agent that does not start any more", async () => {
    await writer.kill("chime-node.service");
    await waitUntil(
      "the other node to write",
      60_000,
      async () => (await status(replica)).roles["mysql"]?.writable.join() === replica.name,
      100,
    ).catch(async (error: Error) => {
      const units = "chime-node.service chime-node-gave-up.service";
      const { stdout } =
        await writer.sh(`journalctl -u chime-node -u chime-node-gave-up -n 20 --no-pager -o cat
        systemctl show -p ActiveState,NRestarts ${units}`);
      const other = await replica.sh(
        "journalctl -u chime-node -n 20 --no-pager -o short-precise; chime-node status || :",
      );
      throw new Error(`${error.message}: ${stdout}\n${other.stdout}`);
    });
  });
  expect(ms).toBeLessThan(5_000);
  expect(await sql(writer, "SELECT @@read_only")).toBe("1");
  expect((await writer.run(["ip", "-br", "address"])).stdout).not.toContain(`${vip}/`);
  await writer.sh(`cp -a /root/term.json ${term}
    systemctl reset-failed chime-node.service; systemctl start chime-node.service`);
  const isWhole = async () =>
    (await status(replica)).roles["mysql"]?.nodes.some((n) => n.name === replica.name && n.protected) ===
    true;
  await waitUntil("the pair to be level again", 60_000, isWhole, 100);
  await nothingIsMissing(lab, writers);
  expect((await writerOf(lab)).writer).toBe(replica);
}, 120_000);
