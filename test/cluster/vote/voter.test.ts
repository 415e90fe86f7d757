import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../../../src/core/errors.ts";
import type { Liveness, Member } from "../../../src/cluster/types.ts";
import { askVotes } from "../../../src/cluster/vote/ballot.ts";
import { MemoryFile } from "../../../src/cluster/vote/memory.ts";
import type { Term } from "../../../src/cluster/vote/term.ts";
import { Voter } from "../../../src/cluster/vote/voter.ts";
import { signing } from "./signing.ts";

const names = ["a", "b", "w"];
let directory: string;
let voters: Map<string, Voter>;
/** `from>to`: what is sent that way is lost. */
let deaf: Set<string>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-voter-"));
  voters = new Map();
  deaf = new Set();
  for (const name of names) voters.set(name, await open(name));
});
afterEach(() => rm(directory, { recursive: true }));

async function open(name: string): Promise<Voter> {
  await mkdir(join(directory, name));
  const self = { name } as Member;
  const membership = {
    self,
    ...signing(name),
    call: (peer: string, method: string, params: unknown) => {
      if (deaf.has(`${name}>${peer}`) || deaf.has(`${peer}>${name}`)) throw failed("peer.timeout", "silence");
      return voter(peer).handle(method.slice("vote.demo.".length), params, name);
    },
  };
  return new Voter("demo", membership, fileOf(name), { term: null, proven: null });
}

function fileOf(name: string): MemoryFile {
  return new MemoryFile(join(directory, name));
}

function voter(name: string): Voter {
  return voters.get(name) as Voter;
}

function term(number: number, writer: string, ...inSync: string[]): Term {
  return { term: number, writer, in_sync: inSync, voters: names, old_voters: [], tie: "replica" };
}

const both = term(4, "a", "a", "b");

function remember(...who: string[]): void {
  for (const name of who) voter(name).remember({ term: both });
}

function ask(name: string, asked: Term, alone = false) {
  const liveness = (): Liveness => "alive";
  return askVotes(voter(name), asked, { self: name, liveness, alone });
}

test("a majority grants, and each grant is on the voter's disk", async () => {
  remember(...names);
  deaf.add("b>a");
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: true });
  expect(voter("w").memory.term).toMatchObject(term(5, "b", "b"));
});

test("a writer that was voted out is told so by the voter, where the new one cannot reach it", async () => {
  remember(...names);
  deaf.add("b>a").add("a>b");
  const told = Promise.withResolvers<void>();
  voter("a").onChange(told.resolve);
  await ask("b", term(5, "b", "b"));
  await told.promise;
  expect(voter("a").memory.term).toMatchObject(term(5, "b", "b"));
});

test("only the voters of a term can tell of it, and nothing older than what is known", async () => {
  remember("a");
  const tell = (told: Term, from: string) => voter("a").handle("tell", { term: told }, from);
  await tell(term(5, "b", "b"), "x");
  await tell(term(3, "b", "b"), "w");
  expect(voter("a").memory.term).toMatchObject(both);
});

test("the second asker of a term is refused and told who has it", async () => {
  remember(...names);
  deaf.add("a>b").add("w>a");
  await ask("b", term(5, "b", "b"));
  deaf.delete("w>a");
  expect(await ask("a", term(5, "a", "a"))).toMatchObject({ granted: false, newer: term(5, "b", "b") });
});

test("who does not hear gets nothing", async () => {
  remember(...names);
  const answer = voter("w").handle("ask", { term: term(5, "b", "b") }, "b");
  // It is not asking, so it does not answer the challenge with this term.
  expect(await answer).toMatchObject({ granted: false });
  expect(voter("w").memory.term).toEqual(both);
});

test("a voter without a memory has no say before it has copied it from all the others", async () => {
  remember("a", "b");
  deaf.add("w>a").add("a>b");
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: false });
  expect(voter("w").memory.term).toBeNull();
  deaf.delete("w>a");
  expect(await ask("b", term(5, "b", "b"))).toMatchObject({ granted: true });
});

test("one that was away takes over what it missed before it judges", async () => {
  remember("a", "b");
  voter("w").remember({ term: term(2, "b", "b") });
  deaf.add("a>b");
  expect(await ask("a", term(5, "a", "a"))).toMatchObject({ granted: true });
});

test("two alone: silence may be passed over, a no may not", async () => {
  const pair = (one: Term): Term => ({ ...one, voters: ["a", "b"] });
  for (const name of ["a", "b"]) voter(name).remember({ term: pair(both) });
  deaf.add("a>b");
  expect(await ask("a", pair(term(5, "a", "a")))).toMatchObject({ granted: false });
  expect(await ask("a", pair(term(5, "a", "a")), true)).toMatchObject({ granted: true });
  deaf.clear();
  voter("b").remember({ term: pair(term(5, "b", "b")) });
  expect(await ask("a", pair(term(5, "a", "a")), true)).toMatchObject({ granted: false });
});

describe("a writer that is outrun notes with the very term what its last one promised", () => {
  const after = (last: Term, ...later: Term[]) => {
    for (const one of [last, ...later]) voter("a").remember({ term: one });
    return voter("a").memory.outrun ?? null;
  };
  test("protected: the other has every commit that was acknowledged", () =>
    expect(after(both, term(5, "b", "b"), term(6, "b", "b", "a"))).toBe("protected"));
  test("alone: clients may have been told of commits that the other lacks", () =>
    expect(after(both, term(5, "a", "a"), term(6, "b", "b"))).toBe("alone"));
  test("a replica promised nothing", () =>
    expect(after(term(4, "b", "b", "a"), term(5, "b", "b"))).toBeNull());
  test("over once it writes again", () =>
    expect(after(both, term(5, "b", "b"), term(6, "a", "a"))).toBeNull());
  test("remembered over a restart of the agent", async () => {
    after(both, term(5, "b", "b"));
    expect((await fileOf("a").load()).outrun).toBe("protected");
  });
});

for (const params of [null, {}, { term: { ...both, term: 0 } }, { term: { ...both, in_sync: [] } }]) {
  test(`a question that does not fit is refused: ${JSON.stringify(params)}`, () => {
    expect(voter("w").handle("ask", params, "a")).rejects.toMatchObject({ code: "vote.bad_question" });
  });
}

test("a writer that was outrun remembers whether clients can have been told of what it alone holds", () => {
  const a = voter("a");
  a.remember({ term: both });
  a.remember({ term: term(5, "b", "b") });
  expect(a.memory.outrun).toBe("protected");
  // Whatever comes before the two were found to agree changes nothing in that.
  a.remember({ term: term(6, "b", "b") });
  expect(a.memory.outrun).toBe("protected");
  a.remember({ term: term(7, "a", "a") });
  expect(a.memory.outrun).toBeNull();
  a.remember({ term: term(8, "b", "b") });
  expect(a.memory.outrun).toBe("alone");
});

test("a node that only replicated was not outrun", () => {
  voter("b").remember({ term: both });
  voter("b").remember({ term: term(5, "a", "a") });
  expect(voter("b").memory.outrun ?? null).toBeNull();
});
