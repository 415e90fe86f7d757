import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  issueServiceCertificate,
  loadCredentials,
  readServiceAuthority,
  type Credentials,
} from "../../src/cluster/identity.ts";
import { signAdmission } from "../../src/cluster/admission.ts";
import { Channel, peerFrameBytes } from "../../src/cluster/channel.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { caHash, certifyNode, generateKey } from "../../src/cluster/pki.ts";
import { openTls, serverNameOf } from "../../src/cluster/tls-transport.ts";
import { parseToken } from "../../src/cluster/token.ts";
import { isIssuedBy, signingCa, trustedCas } from "../../src/cluster/trust.ts";
import { approach, codeOf, invite, lab, until, type Lab } from "./support.ts";

/** A rotation of the CA with real TLS and real files: two members that hold it, and a witness. */

const port = 18841;
let nodes: Lab;
let members: OpenCluster[];
let old: Credentials;

beforeEach(async () => {
  nodes = await lab(port);
  const one = await nodes.init("node1", "127.0.0.1");
  const { token } = await invite(one);
  const two = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
  members = [one, two, await nodes.join(token, "node3", "127.0.0.3", ["witness"])];
  old = await held(1);
  await until("all to know of rotations", () =>
    members.every((of) => isAlive(of) && of.authorityRotation.progress().done),
  );
});
afterEach(() => nodes.close());

const isAlive = ({ membership }: OpenCluster) => membership.members().every(({ state }) => state === "alive");
const at = (n: number) => members[n - 1] as OpenCluster;
const held = async (n: number) => (await loadCredentials(nodes.files(`node${n}`).pki)) as Credentials;
const progress = () => members.map(({ authorityRotation }) => authorityRotation.progress());
const limitMs = 30_000;

async function begin(n: number): Promise<void> {
  const { authorityRotation } = at(n);
  await authorityRotation.begin(authorityRotation.plan().agreed);
  await until(
    "the new one to sign",
    () => progress().every((p) => p.stage === 2 && p.awaiting === null),
    limitMs,
  );
}

async function finish(n: number): Promise<void> {
  await at(n).authorityRotation.finish();
  await until("the old one to go", () => progress().every(({ done }) => done), limitMs);
}

async function restart(n: number): Promise<void> {
  await at(n).stop();
  members[n - 1] = await nodes.open(`node${n}`, `127.0.0.${n}`);
}

const asks = (n: number, of: number) => at(n).membership.call(`node${of}`, "nothing", {}, 2_000);

/** Over new connections, each way. */
async function allTalk(): Promise<void> {
  await until("all are alive", () => members.every(isAlive), limitMs);
  for (const n of [1, 2, 3]) {
    for (const of of [1, 2, 3]) if (n !== of) expect(await codeOf(asks(n, of))).toBe("peer.no_method");
  }
}

/** Who signed what node1 shows to one that asks for this CA's. */
async function shown(ca: string): Promise<string> {
  const socket = await openTls(
    "127.0.0.1",
    port,
    { rejectUnauthorized: false, servername: serverNameOf(caHash(ca)) },
    1_000,
  );
  try {
    const { raw } = socket.getPeerCertificate();
    const pem = `-----BEGIN CERTIFICATE-----\n${raw.toString("base64")}\n-----END CERTIFICATE-----\n`;
    return isIssuedBy(pem, old.ca) ? "old" : "new";
  } finally {
    socket.destroy();
  }
}

/** Whether node1 takes a connection by this certificate. */
async function takes(cert: string, key: string): Promise<boolean> {
  const socket = await approach(port, { cert, key });
  const closed = new Promise<boolean>((resolve) => socket.once("close", () => resolve(false)));
  const stays = Bun.sleep(300).then(() => true);
  try {
    return await Promise.race([closed, stays]);
  } finally {
    socket.destroy();
  }
}

/** Real sockets, at a real pace: each is some seconds of waiting; what these three show is simulated in each run, too. */
const isLong = process.env["CHIME_LONG"] !== undefined;

test("ends with the new CA alone, on disk and on the wire, though agents start anew in each stage", async () => {
  await begin(2);
  const { rollover } = await held(1);
  const fresh = rollover?.after as string;
  expect(trustedCas(await held(3))).toEqual([old.ca, fresh]);
  expect([await shown(old.ca), await shown(fresh)]).toEqual(["old", "new"]);
  for (const n of [1, 2, 3]) await restart(n);
  await allTalk();
  await until(
    "it is known again",
    () => progress().every((p) => p.stage === 2 && p.awaiting === null),
    limitMs,
  );
  expect([await shown(old.ca), await shown(fresh)]).toEqual(["old", "new"]);
  expect(await takes(old.certificate, old.key.privateKey)).toBe(true);

  await finish(1);
  expect([await shown(old.ca), await shown(fresh)]).toEqual(["new", "new"]);
  for (const n of [1, 2, 3]) {
    const { ca, caKey, certificate, key } = await held(n);
    expect([n, ca === fresh, isIssuedBy(certificate, fresh), caKey !== undefined]).toEqual([
      n,
      true,
      true,
      n !== 3,
    ]);
    const { pki } = nodes.files(`node${n}`);
    const names = await readdir(pki);
    expect(names.filter((name) => name.includes("next"))).toEqual([]);
    for (const name of names) {
      expect((await stat(join(pki, name))).mode & 0o777).toBe(0o600);
      expect(await Bun.file(join(pki, name)).text()).not.toContain(old.caKey?.split("\n")[1] ?? "");
    }
    expect(key.publicKey.length).toBeGreaterThan(0);
  }
  const own = await held(1);
  expect(await takes(own.certificate, own.key.privateKey)).toBe(true);
  expect(await takes(old.certificate, old.key.privateKey)).toBe(false);
  for (const n of [1, 2, 3]) await restart(n);
  await allTalk();
  expect(await takes(own.certificate, own.key.privateKey)).toBe(true);
  expect(await takes(old.certificate, old.key.privateKey)).toBe(false);
}, 120_000);

test.skipIf(!isLong)(
  "who joins meanwhile does so by a token of the new CA, and is a member before and after the old one goes",
  async () => {
    const { token: before } = await invite(at(1));
    await begin(1);
    expect(await codeOf(nodes.enter(before, "node4", "127.0.0.4", ["mysql"]))).toBe("token.unknown");
    const { token } = await invite(at(2));
    const fresh = signingCa(await held(1));
    expect(parseToken(token).ca).toBe(caHash(fresh));
    const four = await nodes.join(token, "node4", "127.0.0.4", ["mysql"]);
    members.push(four);
    await until("it is one of them", () => members.every(isAlive), limitMs);
    await until(
      "it is through",
      () => progress().every((p) => p.stage === 2 && p.awaiting === null),
      limitMs,
    );
    expect((await held(4)).next?.caKey).toBeDefined();
    // Its services have none but the new CA's certificates, which all trust already.
    const { pki } = nodes.files("node4");
    const service = await issueServiceCertificate(pki, { name: "mysql", addresses: [] });
    expect([service.ca, isIssuedBy(service.cert, fresh)]).toEqual([old.ca + fresh, true]);
    expect(readServiceAuthority(pki)).toEqual({ trusted: old.ca + fresh, signer: fresh });
    await restart(4);
    await until("it is one of them again", () => members.every(isAlive), limitMs);
    await until("it is through again", () => progress().every((p) => p.awaiting === null), limitMs);
    await finish(4);
    await allTalk();
    expect((await held(4)).caKey).toBe((await held(1)).caKey as string);
    expect(await codeOf(nodes.enter(before, "node5", "127.0.0.5", ["mysql"]))).toBe("token.other_ca");
  },
  120_000,
);

test.skipIf(!isLong)(
  "services' certificates follow: both CAs are trusted while there are two, and the old one signs until the operator's word",
  async () => {
    const issue = async () =>
      issueServiceCertificate(nodes.files("node2").pki, { name: "mysql", addresses: [] });
    expect((await issue()).ca).toBe(old.ca);
    await begin(1);
    const fresh = signingCa(await held(2));
    const during = await issue();
    // A client that knows the old one alone is served on.
    expect([during.ca, isIssuedBy(during.cert, old.ca)]).toEqual([old.ca + fresh, true]);
    expect(readServiceAuthority(nodes.files("node2").pki)).toEqual({
      trusted: old.ca + fresh,
      signer: old.ca,
    });
    await finish(2);
    const after = await issue();
    expect([after.ca, isIssuedBy(after.cert, fresh)]).toEqual([fresh, true]);
  },
  120_000,
);

test("one killed while the files of the new CA take their places does that when it starts", async () => {
  await begin(1);
  const { next, rollover } = await held(2);
  await at(2).stop();
  await finishWithout2();
  // As though the last document had been written, and nothing since.
  const { pki } = nodes.files("node2");
  await Bun.write(join(pki, "ca-rotation.json"), JSON.stringify({ ...rollover, stage: 4 }));
  const { ca, caKey, certificate } = await held(2);
  expect([ca, caKey, certificate]).toEqual([rollover?.after, next?.caKey, next?.certificate] as string[]);
  expect((await readdir(pki)).filter((name) => name.includes("next"))).toEqual([]);
  members[1] = await nodes.open("node2", "127.0.0.2");
  await allTalk();
}, 120_000);

async function finishWithout2(): Promise<void> {
  const others = [at(1), at(3)];
  await until(
    "it is missed",
    () => others.every(({ membership }) => membership.members()[1]?.state === "dead"),
    limitMs,
  );
  await at(1).authorityRotation.finish();
  await until(
    "the old one to go",
    () => others.every(({ authorityRotation }) => authorityRotation.progress().done),
    limitMs,
  );
}

test.skipIf(!isLong)(
  "one that was away with both comes back to the new one alone, by its own key",
  async () => {
    await begin(1);
    await at(2).stop();
    await finishWithout2();
    members[1] = await nodes.open("node2", "127.0.0.2");
    await until("it has it", () => progress().every(({ done }) => done), limitMs);
    await allTalk();
    expect((await held(2)).caKey).toBe((await held(1)).caKey as string);
  },
  120_000,
);

test("who has the old CA's key makes no member, whatever it signs", async () => {
  await begin(1);
  const authority = { cert: old.ca, key: old.caKey as string };
  const key = generateKey();
  const { cluster } = old.identity;
  /** What node1 answers to who shows such a certificate and the admission that goes with it. */
  const asked = async (index: number) => {
    const mine = { name: "node2", index, address: "127.0.0.9", publicKey: key.publicKey };
    const cert = certifyNode(authority, cluster, mine, Date.now());
    const unsigned = { ...mine, witness: false, roles: ["mysql"], left: false };
    const admission = signAdmission(authority.key, cluster.id, unsigned);
    const channel = new Channel(await approach(port, { cert, key: key.privateKey }), {
      limit: peerFrameBytes,
      peer: "node1",
    });
    const exchange = { admission, summary: { documents: "", records: [] }, statements: [] };
    const answer = await codeOf(channel.request("exchange", exchange, 2_000));
    channel.close();
    return answer;
  };
  expect([await asked(9), await asked(2)]).toEqual(["member.unknown", "member.removed"]);
  expect(at(1).membership.admissions()).toHaveLength(3);
  await finish(1);
  expect([await asked(9), await asked(2)]).toEqual(["peer.unreachable", "peer.unreachable"]);
}, 120_000);
