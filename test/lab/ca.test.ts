import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { signAdmission } from "../../src/cluster/admission.ts";
import { generateKey } from "../../src/cluster/pki.ts";
import type { Stored } from "../../src/cluster/store.ts";
import type { Identity } from "../../src/cluster/types.ts";
import type { AuthorityView, RotateAuthorityResult } from "../../src/operations/rotate-authority.ts";
import { chime, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, joinWitness, startWriters, status, vip, writerOf } from "./pair.ts";
import { sql } from "./sql.ts";
import { nothingIsMissing, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

const pki = "/etc/chime-node/pki";
const statePath = "/var/lib/chime-node/cluster.json";
const serverFiles = "/etc/mysql/chime-node";

/** `ca rotate` on real agents: a pair of databases under load, and a witness. */
describe.skipIf(!process.env["CHIME_LONG"])("the cluster's CA (--long)", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let node3: LabNode;
  let token: string;
  let writers: Writers;
  let oldCa: string;
  let oldKey: string;
  let promoted: string | undefined;

  beforeAll(async () => {
    lab = await Lab.open({ prepared: true, nodes: ["node1", "node2", "node3"] });
    [node1, node2, node3] = lab.nodes as [LabNode, LabNode, LabNode];
    ({ token } = await formPair(lab));
    await joinWitness(node3, token);
    await untilProtected(lab);
    writers = await startWriters(lab);
    [oldCa, oldKey] = await Promise.all([node1.read(`${pki}/ca.crt`), node1.read(`${pki}/ca.key`)]);
    await node2.sh(`cp ${pki}/node.crt /root/old.crt`);
    promoted = await newestPromotion();
  }, 400_000);
  afterAll(() => lab?.close());

  const newestPromotion = async () => (await status(node1)).roles["mysql"]?.last_promotion?.at;
  const show = async (node: LabNode) => (await chime<AuthorityView>(node, ["ca", "show"])).json;
  const rotate = (node: LabNode, ...more: string[]) =>
    chime<RotateAuthorityResult>(node, ["ca", "rotate", "--yes", ...more]);
  const seenAs = async (name: string) =>
    (await status(node1)).members.find((member) => member.name === name)?.state;
  const untilAway = (node: LabNode) =>
    waitUntil(`${node.name} to be missed`, 20_000, async () => (await seenAs(node.name)) === "dead");
  /** Who signed what the server shows to a client that trusts this CA file; undefined: it is not trusted. */
  const isTrusted = async (ca: string, address: string) => {
    await Bun.write(`${lab.work}/trusted.crt`, ca);
    const argv = ["openssl", "s_client", "-starttls", "mysql", "-connect", `${address}:3306`];
    const more = ["-CAfile", `${lab.work}/trusted.crt`, "-verify_return_error", "-verify_ip", address];
    return (await lab.client.run([...argv, ...more], { stdin: "", check: false })).code === 0;
  };
  const exists = async (node: LabNode, name: string) =>
    (await node.run(["test", "-e", `${pki}/${name}`], { check: false })).code === 0;
  const isReplicating = async () => {
    const { nodes = [] } = (await status(node1)).roles["mysql"] ?? {};
    return nodes.some(({ replicating }) => replicating) && nodes.some((node) => node.protected);
  };

  test("is rotated on a member that holds it alone, and where the operator says so", async () => {
    expect(verdict(await chime(node1, ["ca", "rotate"]))).toEqual([2, "usage.needs_yes"]);
    expect(verdict(await rotate(node3))).toEqual([3, "ca.witness"]);
    expect(verdict(await rotate(node1, "--finish"))).toEqual([2, "ca.nothing_to_finish"]);
    expect(await show(node3)).toMatchObject({ stage: null, awaiting: null, away: [] });
    expect(await isTrusted(oldCa, vip)).toBe(true);
  }, 60_000);

  test("is not rotated beside a member that its thief made up, which is taken out by its number", async () => {
    const { cluster } = JSON.parse(await node1.read(`${pki}/identity.json`)) as Identity;
    const { publicKey } = generateKey();
    const mine = { index: 9, name: "node2", address: node3.address, publicKey, witness: false };
    const thief = signAdmission(oldKey, cluster.id, { ...mine, roles: [], left: false });
    await node1.run(["systemctl", "stop", "chime-node"]);
    const stored = JSON.parse(await node1.read(statePath)) as Stored;
    stored.state.admissions.push(thief);
    await node1.put(statePath, JSON.stringify(stored), 0o600);
    await node1.run(["systemctl", "start", "chime-node"]);
    const shown = async () => (await show(node2)).members.map(({ name, address }) => [name, address]);
    await waitUntil("it to be known", 20_000, async () => (await shown()).length === 4);
    expect(await shown()).toContainEqual(["node2", node3.address]);
    await waitUntil("the agent", 20_000, async () => (await seenAs("node2")) === "alive");
    const refusal = await rotate(node1);
    expect(verdict(refusal)).toEqual([3, "ca.namesakes"]);
    expect(refusal.json.error?.message).toContain(`node2:2 (${node2.address}) and`);
    const remove = (who: string) => chime(node1, ["remove", who, "--yes"]);
    expect(verdict(await remove("node2:7"))).toEqual([2, "member.unknown"]);
    expect(verdict(await remove("node1:1"))).toEqual([2, "remove.self"]);
    // The real one may hold rows, which is no reason to keep this one.
    expect(verdict(await remove("node2:9"))).toEqual([0, undefined]);
    await waitUntil("it to be gone", 20_000, async () => (await shown()).length === 3);
    expect(verdict(await remove("node2:2"))).toEqual([3, "remove.alive"]);
    await untilProtected(lab);
  }, 120_000);

  test("gets another one beside it under load, though agents are killed and a witness is away", async () => {
    await node3.powerOff();
    await untilAway(node3);
    const running = node1.start(["chime-node", "ca", "rotate", "--yes", "--json"]);
    await waitUntil("the first stage", 20_000, () => exists(node2, "ca-rotation.json"));
    for (const node of [node1, node2]) await node.kill("chime-node.service");
    await running.exited;
    await waitUntil("the agent", 30_000, async () => (await chime(node1, ["status"])).code !== 1);
    const { code, json } = await rotate(node2);
    expect([code, json]).toMatchObject([0, { stage: 2, away: ["node3"] }]);
    console.error(`ca rotate: ${json.seconds} s after two killed agents`);
    const both = await node1.read(`${serverFiles}/ca.crt`);
    expect(both).toContain(oldCa);
    for (const address of [vip, node1.address, node2.address]) {
      expect([address, await isTrusted(both, address)]).toEqual([address, true]);
      // Clients that have not got the new one yet are served on.
      expect([address, await isTrusted(oldCa, address)]).toEqual([address, true]);
    }
    // A new connection from the replica, with both in its CA file.
    await sql((await writerOf(lab)).replica, "STOP SLAVE; START SLAVE");
    await waitUntil("replication", 30_000, isReplicating);
  }, 180_000);

  test("is heard of by a witness that was away until then", async () => {
    await node3.boot();
    await waitUntil("node3 to have it", 60_000, async () => {
      const { away, awaiting, stage } = await show(node1);
      return away.length === 0 && awaiting === null && stage === 2;
    });
    expect(await seenAs("node3")).toBe("alive");
    expect(await exists(node3, "ca-next.key")).toBe(false);
  }, 120_000);

  test("is dropped at the operator's word; who was away meanwhile comes back", async () => {
    await node3.powerOff();
    await untilAway(node3);
    const { code, json } = await rotate(node1, "--finish");
    expect([code, json]).toMatchObject([0, { stage: null, version: 4, away: ["node3"] }]);
    console.error(`ca rotate --finish: ${json.seconds} s`);
    await node3.boot();
    await waitUntil("node3 to be back", 90_000, async () => (await show(node1)).awaiting === null);
    const ca = await node1.read(`${pki}/ca.crt`);
    expect(ca).not.toBe(oldCa);
    for (const node of lab.nodes) expect(await node.read(`${pki}/ca.crt`)).toBe(ca);
    for (const node of [node1, node2]) expect(await node.read(`${serverFiles}/ca.crt`)).toBe(ca);
    for (const address of [vip, node1.address, node2.address]) {
      expect([address, await isTrusted(ca, address)]).toEqual([address, true]);
      expect([address, await isTrusted(oldCa, address)]).toEqual([address, false]);
    }
    // And one by the new certificates.
    await sql((await writerOf(lab)).replica, "STOP SLAVE; START SLAVE");
    const secret = oldKey.split("\n")[1] ?? "";
    for (const node of lab.nodes) {
      const found = await node.sh(`grep -rlF '${secret}' /etc/chime-node /var/lib/chime-node`, {
        check: false,
      });
      expect([found.code, found.stdout]).toEqual([1, ""]);
    }
  }, 240_000);

  test("refuses an old certificate, for a key that is a member's", async () => {
    const door = `${node1.address}:8820`;
    /** Whether the connection is there after two seconds. */
    const isTaken = async (certificate: string) => {
      const client = `openssl s_client -connect ${door} -cert ${certificate} -key ${pki}/node.key -ign_eof`;
      return (await node2.sh(`timeout 2 ${client}`, { stdin: "", check: false })).code === 124;
    };
    expect(await isTaken(`${pki}/node.crt`)).toBe(true);
    expect(await isTaken("/root/old.crt")).toBe(false);
  }, 60_000);

  test("has cost no row and no failover, and the pair is as good as before", async () => {
    expect(await newestPromotion()).toBe(promoted as string);
    await nothingIsMissing(lab, writers);
    await waitUntil("replication", 30_000, isReplicating);
    expect((await chime(node1, ["switchover", "--yes"])).code).toBe(0);
    await nothingIsMissing(lab, writers);
    const { problems } = await status(node1);
    expect(problems.filter(({ code }) => code.startsWith("ca.") || code.startsWith("reconcile"))).toEqual([]);
    expect((await node1.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
  }, 180_000);
});
