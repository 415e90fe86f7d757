import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDue, othersOf, Redundancy, type Others } from "../../../src/roles/minio/guard/redundancy.ts";
import type { Store } from "../../../src/roles/minio/store.ts";
import { waitUntil } from "../../lab/wait.ts";
import { allSeen, storeNode } from "./context.ts";

type Other = Exclude<Others[number], string>;
const other = (slot: number, own: Partial<Other> = {}): Other => ({
  slot,
  state: "serving",
  seen: null,
  attached: true,
  owes: false,
  healed: null,
  ...own,
});
/** Time passes where a test says so. */
let now = 0;
const clock = { now: () => now };

const owing = { attached: true, owes: true };

describe("who has everything completed, and when", () => {
  const cases: [what: string, own: number, mine: typeof owing, others: Others, due: boolean][] = [
    ["the first of all", 1, owing, [other(2), other(3)], true],
    ["for another one that owes", 1, { attached: true, owes: false }, [other(2, { owes: true })], true],
    ["nothing is owed", 1, { attached: true, owes: false }, [other(2), other(3)], false],
    ["not the first", 2, owing, [other(1), other(3)], false],
    ["the first that serves", 2, owing, [other(1, { state: "down" }), other(3)], true],
    ["the first is dead", 2, owing, ["dead", other(3)], true],
    ["a server has not found all drives", 1, owing, [other(2, { attached: false })], false],
    ["this one has not", 1, { attached: false, owes: true }, [other(2)], false],
  ];
  test.each(cases)("%s", (_, own, mine, others, due) => {
    expect(isDue(own, mine, others)).toBe(due);
  });
});

test("a node that has left is waited for no more, a dead one is", () => {
  const members = [
    storeNode(1),
    storeNode(2),
    storeNode(3, { liveness: "dead" }),
    storeNode(4, { liveness: "left", state: "down" }),
    storeNode(5, { silent: true }),
  ];
  expect(othersOf("node1", members)).toEqual([expect.objectContaining({ slot: 2 }), "dead", "silent"]);
});

describe("that drives were away", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "chime-owes-"));
    path = join(directory, "state/minio-owes");
  });
  afterEach(() => rm(directory, { recursive: true }));

  test("is remembered over a restart", async () => {
    const first = new Redundancy(clock, path);
    await first.note(9, 9, []);
    expect(first.owes).toBe(false);
    await first.note(6, 9, []);
    expect(new Redundancy(clock, path).owes).toBe(true);
  });

  test("is over when another node has completed everything since all are back, not before", async () => {
    const node = new Redundancy(clock, path);
    const before = [other(1, { healed: "2026-11-22T01:00:00.000Z" })];
    const after = [other(1, { healed: "2026-11-22T02:00:00.000Z" })];
    await node.note(6, 9, before);
    await node.note(9, 9, before);
    expect(node.owes).toBe(true);
    await node.note(9, 9, after);
    expect(node.owes).toBe(false);
    expect(existsSync(path)).toBe(false);
  });

  test("a disk that was replaced between two looks is owed for until everything was completed after that", async () => {
    const node = new Redundancy(clock, path);
    const before = [other(1, { healed: "2026-11-22T01:00:00.000Z" })];
    await node.note(9, 9, [other(1)]);
    await node.changed();
    expect(node.owes).toBe(true);
    await node.note(9, 9, before);
    expect(node.owes).toBe(true);
    await node.note(9, 9, [other(1, { healed: "2026-11-22T02:00:00.000Z" })]);
    expect(node.owes).toBe(false);
  });

  test("what was completed while drives were away counts for nothing", async () => {
    const node = new Redundancy(clock, path);
    const after = [other(1, { healed: "2026-11-22T02:00:00.000Z" })];
    await node.note(6, 9, []);
    await node.note(6, 9, after);
    await node.note(9, 9, after);
    await node.note(9, 9, after);
    expect(node.owes).toBe(true);
  });

  test("is not over because the node that completed something long ago forgets it, or goes", async () => {
    const node = new Redundancy(clock, path);
    const before = [other(1, { healed: "2026-11-22T01:00:00.000Z" })];
    await node.note(6, 9, before);
    await node.note(9, 9, before);
    for (const others of [[other(1)], []]) {
      await node.note(9, 9, others);
      expect(node.owes).toBe(true);
    }
  });

  test("is not said for a node that has said nothing yet, whose word is waited for", async () => {
    const node = new Redundancy(clock, path);
    await node.note(9, 9, ["silent"]);
    expect(node.owes).toBe(false);
    await node.note(6, 9, [other(1)]);
    await node.note(9, 9, [other(1, { healed: "2026-11-22T01:00:00.000Z" }), "silent"]);
    await node.note(9, 9, [other(1, { healed: "2026-11-22T01:00:00.000Z" }), other(2)]);
    expect(node.owes).toBe(true);
  });

  test("is remembered for a node that is dead or does not serve, too, before its drives are missed", async () => {
    for (const others of [
      ["dead" as const],
      [other(2, { state: "waiting" })],
      [other(2, { state: "down" })],
    ]) {
      const node = new Redundancy(clock, path);
      await node.note(9, 9, others);
      expect(node.owes).toBe(true);
      await rm(path);
    }
    const own = new Redundancy(clock, path);
    own.attached = true;
    await own.down();
    expect([own.owes, own.attached]).toEqual([true, false]);
  });

  test("while nobody tells of drives nothing changes", async () => {
    const node = new Redundancy(clock, path);
    await node.note(null, 9, []);
    expect(node.owes).toBe(false);
  });
});

/** A store of which every heal of everything lasts until the test says how it ended. */
class HealingStore {
  readonly #server: Bun.Server<undefined>;
  #begun = 0;
  #ended = 0;
  #stopped = 0;
  #partial = 0;

  constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });
  }

  get store(): Store {
    const credentials = { accessKey: "root", secretKey: "a-secret-key" };
    return { address: "127.0.0.1", port: this.#server.port ?? 0, credentials };
  }

  /** Heals of one prefix that were begun. */
  parts = 0;
  #isHeld = false;

  holdParts(): void {
    this.#isHeld = true;
  }

  endParts(): void {
    this.#isHeld = false;
  }

  get begun(): number {
    return this.#begun;
  }

  /** The heal that is under way finds nothing more. @param partial objects that it could not complete */
  end(partial = 0): void {
    this.#partial = partial;
    this.#ended = this.#begun;
  }

  /** It is stopped by somebody. */
  fail(): void {
    this.#stopped = this.#begun;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }

  #answer(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.includes("/heal/")) return new Response();
    const isAll = pathname.endsWith("/heal/");
    if (!searchParams.has("clientToken")) {
      if (isAll) this.#begun++;
      else this.parts++;
      return Response.json({ clientToken: "x" });
    }
    if (!isAll) return Response.json({ Summary: this.#isHeld ? "running" : "finished" });
    if (this.#stopped === this.#begun) return Response.json({ Summary: "stopped" });
    if (this.#ended < this.#begun) return Response.json({ Summary: "running" });
    const Items = Array.from({ length: this.#partial }, () => ({
      after: { drives: [{ state: "missing" }] },
    }));
    return Response.json({ Summary: "finished", Items });
  }
}

describe("everything is completed", () => {
  let directory: string;
  let node: Redundancy;
  let served: HealingStore;
  const limits = { timeoutMs: 5_000 };
  const others = [other(2), other(3)];
  const advance = () => node.advance(served.store, "chime", 1, others, limits);
  const begun = (times: number) => waitUntil("the heal to begin", 30_000, () => served.begun === times);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "chime-owes-"));
    node = new Redundancy(clock, join(directory, "minio-owes"));
    served = new HealingStore();
    await node.note(6, 9, others);
    await node.note(9, 9, others);
  });
  afterEach(async () => {
    await served.close();
    await rm(directory, { recursive: true });
  });

  test("by nobody before each server has found all drives, for which none waits for another", async () => {
    const looking = [other(2, { attached: false }), other(3)];
    served.holdParts();
    const work = node.advance(served.store, "chime", 1, looking, limits);
    await waitUntil("its own look", 30_000, () => served.parts === 1);
    await node.note(9, 9, looking);
    served.endParts();
    await work;
    expect([node.attached, served.begun]).toEqual([true, 0]);
  });

  test("by one node, which says when", async () => {
    const work = advance();
    await begun(1);
    expect([node.attached, node.owes, node.healed]).toEqual([true, true, null]);
    served.end();
    await work;
    expect([node.owes, node.healed]).toEqual([false, expect.any(String)]);
  });

  test.each(["some objects are left", "it fails"])("not again at once where %s", async (what) => {
    const work = advance();
    await begun(1);
    now += 1_000;
    if (what === "it fails") served.fail();
    else served.end(2);
    await work.catch(() => undefined);
    expect([node.owes, node.healed]).toEqual([true, null]);
    now += 3_999;
    await advance();
    expect(served.begun).toBe(1);
    now++;
    const again = advance();
    await begun(2);
    served.end();
    await again;
    expect(node.owes).toBe(false);
  });

  test("at once again when drives were away since some objects were left", async () => {
    const work = advance();
    await begun(1);
    now += 1_000;
    served.end(2);
    await work;
    await node.note(6, 9, others);
    await node.note(9, 9, others);
    const again = advance();
    await begun(2);
    served.end();
    await again;
    expect(node.owes).toBe(false);
  });

  const meanwhile: [what: string, strike: () => Promise<void>, attached: boolean][] = [
    ["drives were away", () => node.note(6, 9, others), true],
    ["another server was away", () => node.note(9, 9, [other(2, { state: "down" }), other(3)]), true],
    ["another server looks for drives", () => node.note(9, 9, [other(2, { attached: false })]), true],
    ["another server misses some", () => node.note(9, 9, [other(2, { seen: allSeenBut(1) })]), true],
    ["its own server was away", () => node.down(), false],
  ];
  test.each(meanwhile)("not while %s", async (_, strike, attached) => {
    const work = advance();
    await begun(1);
    await strike();
    await node.note(9, 9, others);
    served.end();
    await work;
    expect([node.attached, node.owes, node.healed]).toEqual([attached, true, null]);
  });
});

function allSeenBut(missing: number): NonNullable<Other["seen"]> {
  const [first, ...rest] = allSeen.nodes;
  if (!first) throw new Error("nobody is seen");
  return {
    ...allSeen,
    nodes: [{ ...first, drives: { total: 3, online: 3 - missing, healing: 0 } }, ...rest],
  };
}
