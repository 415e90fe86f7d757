import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../../../src/core/errors.ts";
import { log } from "../../../src/core/log.ts";
import type { Liveness, Member } from "../../../src/cluster/types.ts";
import { askVotes } from "../../../src/cluster/vote/ballot.ts";
import { MemoryFile } from "../../../src/cluster/vote/memory.ts";
import { signedFields, termPurpose } from "../../../src/cluster/vote/proof.ts";
import { isSameTerm, type Term } from "../../../src/cluster/vote/term.ts";
import { Voter } from "../../../src/cluster/vote/voter.ts";
import { signing } from "./signing.ts";

/** The pair a and b, whose voters are as they should be, and w, which says what it likes. */
const names = ["a", "b", "w"];
let directory: string;
let voters: Map<string, Voter>;
/** What w answers: to all that it is asked. */
let lie: (method: string, params: unknown, from: string) => unknown;
let cut: boolean;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-stolen-"));
  cut = false;
  lie = () => ({ held: null });
  voters = new Map();
  for (const name of ["a", "b"]) voters.set(name, await open(name));
  for (const voter of voters.values()) voter.remember({ term: first });
});
afterEach(() => rm(directory, { recursive: true }));

async function open(name: string): Promise<Voter> {
  await mkdir(join(directory, name), { recursive: true });
  const file = new MemoryFile(join(directory, name));
  const membership = { self: { name } as Member, call: callFrom(name), ...signing(name) };
  return new Voter("demo", membership, file, await file.load());
}

function callFrom(from: string) {
  return async (peer: string, path: string, params: unknown): Promise<unknown> => {
    const method = path.slice("vote.demo.".length);
    // As it comes out of the other side's JSON.
    const arrived: unknown = JSON.parse(JSON.stringify(params));
    if (peer === "w") return lie(method, arrived, from);
    if (cut && from !== "w") throw failed("peer.timeout", "silence");
    return await voter(peer).handle(method, arrived, from);
  };
}

const voter = (name: string): Voter => voters.get(name) as Voter;

function term(number: number, writer: string, ...inSync: string[]): Term {
  return { term: number, writer, in_sync: inSync, voters: names, old_voters: [], tie: "replica" };
}

const first = term(4, "a", "a", "b");
const invented = term(9, "b", "b");

function ask(name: string, asked: Term) {
  return askVotes(voter(name), asked, { self: name, liveness: (): Liveness => "alive", alone: false });
}

const tell = (name: string, told: Term) => callFrom("w")(name, "vote.demo.tell", { term: told });
const unproven = { code: "vote.unproven" };

/** Signed by whom, of what, for which role. */
function forged(by: string, of: Term, role = "demo"): Term {
  return { ...of, signature: signing(by).sign(termPurpose, signedFields(role, of)) };
}

describe("a term that its writer did not sign", () => {
  const lies: [string, Term][] = [
    ["without a signature", invented],
    ["with the witness's own", forged("w", invented)],
    ["with the other node's", forged("a", invented)],
    ["with the writer's under another term", { ...forged("b", term(8, "b", "b")), ...invented }],
    ["with the writer's under more in sync", { ...forged("b", term(9, "b", "b", "a")), ...invented }],
    ["with the writer's under another role's", forged("b", invented, "other")],
    ["that names the witness itself", forged("w", term(9, "w", "w"))],
  ];
  test.each(lies)("%s is not believed, by whatever way it is told", async (_, told) => {
    await expect(tell("a", told)).rejects.toMatchObject(unproven);

    lie = (method, params) => ({
      granted: true,
      reason: "",
      held: told,
      ...(params as object),
      asking: told,
    });
    await expect(voter("a").copy(["w"])).rejects.toMatchObject(unproven);
    // As one that asks for it, and is asked back.
    await expect(callFrom("w")("a", "vote.demo.ask", { term: told })).rejects.toMatchObject(unproven);
    const { granted, newer, missing } = await ask("a", term(5, "a", "a", "b"));
    // The other node's vote is enough, and it says what it granted.
    expect({ granted, newer: newer?.writer }).toEqual({ granted: true, newer: "a" });
    expect(missing).toBe("w: vote.unproven");
    for (const name of ["a", "b"]) expect(voter(name).memory.term?.term).toBeLessThanOrEqual(5);
    expect(voter("a").memory.term?.writer).toBe("a");
  });
});

test("who tells such a thing is named in the journal, once", async () => {
  const warn = spyOn(log, "warn");
  try {
    for (let i = 0; i < 3; i++)
      await expect(tell("a", term(9 + i, "b", "b"))).rejects.toMatchObject(unproven);
    expect(warn.mock.calls.map(String)).toEqual([
      expect.stringContaining("w tells of term 9, which b did not sign"),
    ]);
  } finally {
    warn.mockRestore();
  }
});

test("a voter without a memory takes none from the witness", async () => {
  await rm(join(directory, "b", "term.json"));
  voters.set("b", await open("b"));
  lie = () => ({ held: invented });
  await expect(voter("b").copy(["a", "w"])).rejects.toMatchObject(unproven);
  // Not even what the other one says: the witness may know of a newer one.
  expect(voter("b").memory.term).toBeNull();
  lie = () => ({ held: voter("a").memory.term });
  await voter("b").copy(["w"]);
  expect(isSameTerm(voter("b").memory.term, first)).toBe(true);
});

test("what a node asked for is believed when the witness tells of it, after a restart too", async () => {
  let heard: Term | undefined;
  lie = (method, params) => {
    if (method === "ask") heard = (params as { term: Term }).term;
    return { granted: true, reason: "", held: heard ?? null };
  };
  cut = true;
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: true });
  // It may keep it to itself, and say it later. It cannot change a word of it.
  voters.set("a", await open("a"));
  await expect(tell("a", { ...(heard as Term), in_sync: ["b", "a"] })).rejects.toMatchObject(unproven);
  await expect(tell("a", { ...(heard as Term), term: 6 })).rejects.toMatchObject(unproven);
  expect(voter("a").memory.term?.writer).toBe("a");
  await tell("a", heard as Term);
  expect(voter("a").memory.term?.writer).toBe("b");
});

test("what was not granted can be repeated as well, until a newer term is known", async () => {
  let heard: Term | undefined;
  lie = (method, params) => {
    if (method === "ask") heard = (params as { term: Term }).term;
    return { granted: false, reason: "no", held: null };
  };
  cut = true;
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: false });
  cut = false;
  expect(await ask("a", term(5, "a", "a", "b"))).toMatchObject({ granted: true });
  voter("a").remember({ term: term(5, "a", "a", "b") });
  await tell("a", heard as Term);
  expect(voter("a").memory.term?.writer).toBe("a");
});

test("its vote it may give twice: while the nodes do not hear each other both get a term", async () => {
  lie = () => ({ granted: true, reason: "", held: null });
  cut = true;
  expect(await ask("a", term(5, "a", "a"))).toMatchObject({ granted: true });
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: true });
});

test("a witness of an older version drops signatures: its vote counts all the same, and what only it tells of does not", async () => {
  let held: Term = first;
  const unsigned = (signed: Term): Term => {
    const bare = { ...signed };
    delete bare.signature;
    return bare;
  };
  lie = (method, params) => {
    if (method === "ask") held = unsigned((params as { term: Term }).term);
    return method === "ask" ? { granted: true, reason: "", held } : { held };
  };
  cut = true;
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: true, newer: { term: 5 } });
  await expect(voter("a").copy(["w"])).rejects.toMatchObject(unproven);
  cut = false;
  voter("b").remember({ term: term(5, "b", "b") });
  await voter("a").copy(["b", "w"]);
  expect(voter("a").memory.term?.writer).toBe("b");
});

test("a member that holds the CA is believed, as it could make up everything", async () => {
  await voter("a").handle("tell", { term: invented }, "b");
  expect(voter("a").memory.term?.term).toBe(9);
});

test("a term is signed by its writer as soon as it remembers it, also one of an older version", async () => {
  const held = voter("a").memory.term;
  expect(signing("b").isSignedBy("a", termPurpose, signedFields("demo", first), held?.signature ?? "")).toBe(
    true,
  );
  expect(voter("b").memory.term?.signature).toBeUndefined();
  new MemoryFile(join(directory, "a")).save({ term: first, proven: null });
  expect((await open("a")).memory.term?.signature).toBeDefined();
});

test("of its own terms a node takes nobody else's signature", () => {
  const asked = term(5, "a", "a", "b");
  const own = voter("a").signed({ ...asked, signature: forged("w", asked).signature ?? "" });
  const fields = signedFields("demo", own);
  expect(signing("b").isSignedBy("a", termPurpose, fields, own.signature ?? "")).toBe(true);
});

test("the same term signed anew is no change: nothing is written and nobody called", () => {
  let calls = 0;
  voter("a").onChange(() => calls++);
  voter("a").remember({ term: first });
  voter("a").remember({ term: forged("a", first) });
  expect(calls).toBe(0);
});
