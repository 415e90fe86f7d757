import { expect, test } from "bun:test";
import { failed } from "../../../src/core/errors.ts";
import { KnownView } from "../../../src/vip/balancer/known-view.ts";
import type { BackendView } from "../../../src/vip/balancer/types.ts";

const backend = (node: string): BackendView => ({
  service: "store",
  route: "read",
  node,
  up: true,
  rising: false,
  sessions: 0,
});

/** A balancer that says these in turns; undefined: it does not answer. Half a second between two looks. */
async function looks(said: readonly (string[] | undefined)[]): Promise<string[]> {
  const turns = said.values();
  let now = 0;
  const balancer = {
    async view() {
      const nodes = turns.next().value;
      if (!nodes) throw failed("balancer.stats", "haproxy does not answer");
      return nodes.map(backend);
    },
  };
  const known = new KnownView(balancer, { now: () => now });
  const seen: string[] = [];
  for (const _ of said) {
    const { view, isFresh } = await known.look();
    seen.push(`${view.map(({ node }) => node).join("+")}${isFresh ? "" : "?"}`);
    now += 500;
  }
  return seen;
}

test("where it does not say, what it said last goes on to count for three seconds", async () => {
  const silent = Array.from({ length: 7 }, () => undefined);
  const kept = Array.from({ length: 6 }, () => "a+b?");
  expect(await looks([["a", "b"], ...silent, ["b"]])).toEqual(["a+b", ...kept, "?", "b"]);
});

test("each answer begins that anew", async () => {
  const flickering = Array.from({ length: 6 }, () => [["a"], undefined, undefined]).flat();
  expect(await looks(flickering)).toEqual(Array.from({ length: 6 }, () => ["a", "a?", "a?"]).flat());
});

test("what it does say counts at once: none", async () => {
  expect(await looks([["a"], [], undefined])).toEqual(["a", "", "?"]);
});

test("nothing is known of one that has never answered", async () => {
  expect(await looks([undefined, ["a"]])).toEqual(["?", "a"]);
});
