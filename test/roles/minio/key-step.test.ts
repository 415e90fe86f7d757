import { expect, test } from "bun:test";
import { unchanged, type SecretState } from "../../../src/cluster/secret-store.ts";
import { nextKeyStep, type KeyFellow, type KeyStep } from "../../../src/roles/minio/guard/key-step.ts";

const [one, two] = ["1.aaaaaaaa", "2.bbbbbbbb"];

const old = unchanged;
const holds: SecretState = { ...old, next: one };
const proven: SecretState = { ...holds, used: one };
const told: SecretState = { current: one, next: null, used: one, beside: { old: "0", retired: null } };
const done: SecretState = { ...told, beside: { old: null, retired: "0" } };

const fellow = (state: SecretState | undefined, more: Partial<KeyFellow> = {}): KeyFellow => ({
  alive: true,
  isFirst: false,
  state,
  ...more,
});
const first = { isFirst: true };
const dead = { alive: false };

test.each<[string, SecretState, KeyFellow[], KeyStep]>([
  ["nothing is under way", old, [fellow(old)], "none"],
  ["the other one has not heard of it", holds, [fellow(old)], "wait"],
  ["one of the others has said nothing", holds, [fellow(holds), fellow(undefined)], "wait"],
  ["one of the others is dead", holds, [fellow(holds), fellow(holds, dead)], "wait"],
  ["all hold it, and this is the first", holds, [fellow(holds), fellow(holds)], "make"],
  ["all hold it, and the first has not made it", holds, [fellow(holds, first)], "wait"],
  ["the first has made it", holds, [fellow(proven, first), fellow(holds)], "make"],
  ["one that comes before has not", holds, [fellow(proven, first), fellow(holds, first)], "wait"],
  ["its own server takes it, another one not yet", proven, [fellow(proven), fellow(holds)], "wait"],
  ["all servers take it", proven, [fellow(proven), fellow(proven)], "take"],
  ["others tell of it already, and its server takes it", proven, [fellow(told), fellow(proven)], "take"],
  ["it was away meanwhile", holds, [fellow(told, first), fellow(done)], "make"],
  ["it works beside the one before", told, [fellow(told)], "none"],
  ["another one refuses the one before", told, [fellow(done)], "retire"],
  [
    "one that has refused an earlier one",
    { ...told, current: two, beside: { old: one, retired: "0" } },
    [fellow(done)],
    "none",
  ],
  ["it has refused it", done, [fellow(told)], "none"],
  ["a node without an earlier one", old, [fellow(done)], "none"],
])("%s", (_, own, others, step) => {
  expect(nextKeyStep(own, others)).toBe(step);
});
