import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openVoters } from "../../src/agent/voters.ts";
import { Channel, peerFrameBytes } from "../../src/cluster/channel.ts";
import { loadCredentials } from "../../src/cluster/identity.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { signFields } from "../../src/cluster/pki.ts";
import { readRecord, signRecord } from "../../src/cluster/record.ts";
import type { ExchangeAnswer, SignedRecord, StateParts } from "../../src/cluster/schema.ts";
import { signSpec } from "../../src/cluster/spec-document.ts";
import { openTls } from "../../src/cluster/tls-transport.ts";
import type { Member, MemberView } from "../../src/cluster/types.ts";
import { signedFields, termPurpose } from "../../src/cluster/vote/proof.ts";
import type { Term } from "../../src/cluster/vote/term.ts";
import type { Voter } from "../../src/cluster/vote/voter.ts";
import { codeOf, invite, lab, until, type Lab } from "./support.ts";

const port = 18829;
let nodes: Lab;
let one: OpenCluster;
let two: OpenCluster;
let tokenId: string;
/** As whoever stole the witness: its key and its certificate, and nothing of its manners. */
let thief: Channel;
let thiefKey: string;
let known: StateParts;

beforeEach(async () => {
  nodes = await lab(port);
  one = await nodes.init("node1", "127.0.0.1");
  const { token, id } = await invite(one);
  tokenId = id;
  two = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
  const witness = await nodes.join(token, "node3", "127.0.0.3", ["witness"]);
  // One that is heard is alive before its record has come.
  const isKnown = ({ state, binaryVersion }: MemberView) => state === "alive" && binaryVersion !== "";
  await until("all known", () => one.membership.members().every(isKnown));
  const own = await loadCredentials(nodes.files("node3").pki);
  if (!own) throw new Error("no credentials");
  expect(own.caKey).toBeUndefined();
  thiefKey = own.key.privateKey;
  await witness.stop();
  const socket = await openTls(
    "127.0.0.1",
    port,
    { ca: [own.ca], cert: own.certificate, key: own.key.privateKey, rejectUnauthorized: true },
    1000,
  );
  thief = new Channel(socket, { limit: peerFrameBytes, peer: "node1" });
  const knowsNothing = { summary: { documents: "", records: [] } };
  known = ((await thief.request("exchange", knowsNothing, 1000)) as ExchangeAnswer).parts;
});
afterEach(async () => {
  thief.close();
  await nodes.close();
});

/** The thief has no key but its own. */
function forge(index: number, change: Partial<Member>): SignedRecord {
  const member = known.records.map(readRecord).find((candidate) => candidate?.index === index);
  if (!member) throw new Error(`no record of ${index}`);
  return signRecord(thiefKey, one.identity.cluster.id, { ...member, incarnation: 99, ...change });
}

const push = (parts: object) => thief.request("push", parts, 1000);

describe("a stolen witness", () => {
  test("is heard about itself; these tests would see it if it were heard about others", async () => {
    await push({ records: [forge(3, { roleState: { agent: "mine" } })] });
    expect(one.membership.members()[2]?.roleState).toEqual({ agent: "mine" });
  });

  test("cannot speak for a member, nor take one out", async () => {
    await push({ records: [forge(2, { left: true, roleState: { mysql: "forged" } })] });
    await push({ admissions: known.admissions.map((admission) => ({ ...admission, left: true })) });
    const [first, second, third] = one.membership.members();
    expect(first?.left).toBe(false);
    expect(second).toMatchObject({ left: false, state: "alive" });
    expect(second?.roleState).not.toHaveProperty("mysql");
    // Itself it may take out.
    expect(third?.left).toBe(true);
    expect(two.membership.members()[0]?.left).toBe(false);
  });

  test("signs for nobody, not even as itself; a member does, also when it has left", async () => {
    const { membership, identity } = one;
    const [purpose, fields] = ["test-1", ["x", 1]] as const;
    const signature = two.membership.sign(purpose, fields);
    const forged = signFields(thiefKey, [purpose, identity.cluster.id, ...fields]);
    expect(membership.isSignedBy("node2", purpose, fields, signature)).toBe(true);
    expect(membership.isSignedBy("node2", purpose, fields, forged)).toBe(false);
    expect(membership.isSignedBy("node3", purpose, fields, forged)).toBe(false);
    expect(membership.isSignedBy("node1", purpose, fields, signature)).toBe(false);
    expect(membership.isSignedBy("node2", "test-2", fields, signature)).toBe(false);
    expect(membership.isSignedBy("node2", purpose, ["x", 2], signature)).toBe(false);
    await membership.remove("node2");
    expect(membership.isSignedBy("node2", purpose, fields, signature)).toBe(true);
  });

  test("cannot make up a term: members believe what its writer signed, and pass on no other", async () => {
    const voter = async ({ membership }: OpenCluster, name: string) => {
      const directory = join(nodes.directory, name, "votes");
      const memory = { term: null, proven: null };
      const voters = await openVoters(membership, new Map([["mysql", { directory, memory }]]));
      return voters.get("mysql") as Voter;
    };
    const [first, second] = [await voter(one, "node1"), await voter(two, "node2")];
    const told: Term = {
      term: 7,
      writer: "node2",
      in_sync: ["node2"],
      voters: ["node1", "node2", "node3"],
      old_voters: [],
      tie: "replica",
    };
    const tell = (term: Term) => codeOf(thief.request("call.vote.mysql.tell", { term }, 1000));
    expect(await tell(told)).toBe("vote.unproven");
    const forged = signFields(thiefKey, [
      termPurpose,
      one.identity.cluster.id,
      ...signedFields("mysql", told),
    ]);
    expect(await tell({ ...told, signature: forged })).toBe("vote.unproven");
    expect(first.memory.term).toBeNull();
    expect(await tell(second.signed(told))).toBe("nothing was thrown");
    expect(first.memory.term).toMatchObject(told);
  });

  test("cannot give itself a role, and with it a say in that role's guards", async () => {
    await push({ records: [forge(3, { roles: ["witness", "mysql"] })] });
    await push({
      admissions: known.admissions.filter((a) => a.index === 3).map((a) => ({ ...a, roles: ["mysql"] })),
    });
    expect(one.membership.members()[2]?.roles).toEqual(["witness"]);
    const take = thief.request("decide", { operation: "takeRoles", params: { roles: ["mysql"] } }, 1000);
    expect(await codeOf(take)).toBe("role.witness");
  });

  test("cannot use up or revoke tokens", async () => {
    await push({ tokens: known.tokens.map((token) => ({ ...token, revoked: true, usedBy: [1, 2, 3, 4] })) });
    const mine = one.membership.tokens.list().find(({ id }) => id === tokenId);
    expect(mine).toMatchObject({ state: "valid", used_by: ["node2", "node3"] });
  });
});

test("a spec that no agent could work by is refused, whoever publishes it", async () => {
  const { id } = one.identity.cluster;
  const sign = (toml: string) => signSpec(thiefKey, id, { version: 2, toml, publisher: "node3" });
  await push({ spec: sign("unreadable") });
  await push({ spec: sign("# readable, but nobody looked at it") });
  expect(one.membership.spec().version).toBe(1);
  const publish = (toml: string) =>
    thief.request("decide", { operation: "publish", params: sign(toml) }, 1000);
  expect(await codeOf(publish("unreadable"))).toBe("config.unreadable");
  expect(await codeOf(two.membership.publishSpec("unreadable", 1))).toBe("config.unreadable");
  expect(one.membership.spec().version).toBe(1);
  await publish("# readable");
  expect(two.membership.spec()).toMatchObject({ version: 2, publisher: "node3" });
});

test("a witness that is asked to take a member out says who can", async () => {
  const witness = await nodes.open("node3", "127.0.0.3");
  expect(await codeOf(witness.membership.remove("node2"))).toBe("member.witness");
});
