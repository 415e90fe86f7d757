import { afterAll, beforeAll, expect, test } from "bun:test";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, vip, writerOf } from "./pair.ts";
import { sql } from "./sql.ts";
import { system } from "./system.ts";
import { byItselfMs, nothingIsMissing, openPair } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/** Planned work that nobody announced to the cluster, under writers: each hands over by itself. */
let lab: Lab;
let writers: Writers;
beforeAll(async () => {
  lab = await openPair();
  writers = await startWriters(lab);
}, 400_000);
afterAll(() => lab?.close());

/** @returns the longest gap of the writers in all of it, which is printed, for what it may be is the machine's */
async function outage(what: string, work: () => Promise<unknown>): Promise<number> {
  const at = Date.now();
  await work();
  const { ended, ms } = await writers.outageAfter(at, 60_000, Date.now() - at + 500);
  console.error(`${what}: ${Math.round(ms)} ms`);
  expect(ended).toBe(true);
  return ms;
}

/**
 * That the writer gave its role away before it was stopped, and was not missed first: what a handover is, however long
 * a busy machine takes for it.
 */
async function handsOver(what: string, work: (writer: LabNode) => Promise<unknown>): Promise<LabNode> {
  const { writer, replica } = await writerOf(lab);
  await outage(what, () => work(writer));
  expect((await writerOf(lab)).writer).toBe(replica);
  if (!writer.running) await writer.boot();
  const newest = async (node: LabNode, kind: string) =>
    (await chime<Events>(node, ["history"])).json.events.findLast((event) => event.kind === kind)?.message;
  expect(await newest(writer, "demotion")).toBe(`${writer.name} stopped writing, as it was asked to`);
  expect(await newest(replica, "promotion")).toBe(
    `${replica.name} writes in place of ${writer.name}, which stepped back`,
  );
  return writer;
}

/** `history --json` of the contract, as far as it is looked at. */
interface Events {
  events: { kind: string; message: string }[];
}

test("a switchover", async () => {
  await handsOver("switchover", (writer) => chime(writer, ["switchover"]));
  await nothingIsMissing(lab, writers);
}, 60_000);

test("systemctl stop of the writing server hands over first", async () => {
  const stopped = await handsOver("stop of the writer", (writer) =>
    writer.run(["systemctl", "stop", system.unit]),
  );
  // A wish of somebody: it stays so.
  const said = async () => (await status(stopped)).problems.some(({ code }) => code === "mysql.stopped");
  await waitUntil("status to say so", 30_000, said, 100);
  await stopped.run(["systemctl", "start", system.unit]);
  await nothingIsMissing(lab, writers);
}, 120_000);

/** That the writer knew that it goes on alone before its replica's server, as the replica tells it, began to stop. */
async function saysGoodbye(what: string, work: (replica: LabNode) => Promise<unknown>): Promise<void> {
  const { writer, replica } = await writerOf(lab);
  const since = (await replica.run(["date", "+%F %T"])).stdout.trim();
  await outage(what, () => work(replica));
  if (!replica.running) await replica.boot();
  expect((await writerOf(lab)).writer).toBe(writer);
  await replica.run(["systemctl", "start", system.unit]);
  const { stdout } = await replica.run(["journalctl", "-o", "cat", "--no-pager", "--since", since]);
  const lines = stdout.split("\n");
  const alone = lines.findIndex((line) => line.includes(`${writer.name} writes, in sync: ${writer.name}, `));
  const stops = lines.findIndex((line) => /: Normal shutdown|Received SHUTDOWN/.test(line));
  expect([alone >= 0, stops > alone]).toEqual([true, true]);
  await nothingIsMissing(lab, writers);
}

test("systemctl stop of the replica's server: it says goodbye, and no commit waits for it", async () => {
  await saysGoodbye("stop of the replica", (replica) => replica.run(["systemctl", "stop", system.unit]));
}, 120_000);

test("a restart of the writing server hands over, and it comes back as the replica", async () => {
  await handsOver("restart of the writer", (writer) => writer.run(["systemctl", "restart", system.unit]));
  await nothingIsMissing(lab, writers);
}, 120_000);

test("a reboot of the writer's node", async () => {
  await handsOver("reboot of the writer", (writer) => writer.shutdown());
  await nothingIsMissing(lab, writers);
}, 180_000);

test("a reboot of the replica's node", async () => {
  await saysGoodbye("reboot of the replica", (replica) => replica.shutdown());
}, 180_000);

test("the server's package is replaced on the writer: it hands over, and its server is started again", async () => {
  const { writer } = await writerOf(lab);
  const { stdout } = await writer.sh(
    `dpkg-query -W -f '\${Package}\\n' | grep -E '^(mariadb|mysql)-server' || :`,
  );
  const packages = stdout.split("\n").filter(Boolean);
  const before = await writer.mainPid(system.unit);
  await writer.run(["apt-get", "update", "-qq"]);
  await handsOver(`reinstallation of ${packages.join(", ")}`, () =>
    writer.run(["apt-get", "install", "--reinstall", "-y", ...packages], {
      timeoutMs: 120_000,
      env: { DEBIAN_FRONTEND: "noninteractive" },
    }),
  );
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
  expect(ms).toBeLessThan(byItselfMs);
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
