import { beforeEach, expect, test } from "bun:test";
import { admissible, attachedBy, Readmission } from "../../../src/roles/minio/guard/readmission.ts";
import { storeNode } from "./context.ts";

let now = 0;
let readmission: Readmission;
beforeEach(() => {
  readmission = new Readmission({ now: () => now });
});

const up = { up: true, rising: false };
const down = { up: false, rising: false };
const rising = { up: false, rising: true };
type State = typeof up;

/** One look, half a second after the last one: whether the server is let in. */
function look(state: State, attached: boolean | undefined): boolean {
  now += 500;
  const backend = { service: "minio", route: "read", node: "node2", sessions: 0, ...state };
  return readmission.due([backend], new Map(attached === undefined ? [] : [["node2", attached]])).length > 0;
}
const looks = (...each: [State, boolean | undefined][]) => each.map(([state, said]) => look(state, said));
const times = (count: number, state: State, said: boolean | undefined) =>
  Array.from({ length: count }, (): [State, boolean | undefined] => [state, said]);

test("a server that was away is let in when its guard has said for two seconds that it has found all drives", () => {
  const away = [...times(2, up, true), ...times(3, down, false), ...times(2, rising, false)];
  expect(looks(...away, ...times(6, rising, true))).toEqual([
    ...away.map(() => false),
    ...[0, 1, 2, 3].map(() => false),
    true,
    true,
  ]);
});

test("one that has never served, too", () => {
  expect(looks([down, undefined], [down, false], ...times(5, rising, true)).at(-1)).toBe(true);
});

test("not by a word from before it was taken out, however often it is heard", () => {
  expect(looks([up, false], [up, true], ...times(20, rising, true))).not.toContain(true);
});

test("not while it says nothing, or does not pass its check", () => {
  expect(looks([down, false], ...times(9, rising, undefined), ...times(9, down, true))).not.toContain(true);
});

test("each return needs its own word", () => {
  expect(looks([down, false], ...times(5, rising, true)).at(-1)).toBe(true);
  expect(looks([up, true], ...times(20, rising, true))).not.toContain(true);
});

test("one that says again that not all is found begins anew", () => {
  expect(
    looks([down, false], ...times(4, rising, true), [rising, false], ...times(4, rising, true)),
  ).not.toContain(true);
});

test("whose word there is", () => {
  const members = [
    storeNode(1),
    storeNode(2, { attached: false }),
    storeNode(3, { state: "waiting" }),
    storeNode(4, { liveness: "dead" }),
    storeNode(5, { silent: true }),
  ];
  expect(Object.fromEntries(attachedBy(members))).toEqual({ node1: true, node2: false, node3: false });
});

test("while nobody can have been served, whoever has found all drives is let in at once", () => {
  const backend = (node: string, isUp: boolean) => ({
    service: "minio",
    route: "read",
    node,
    sessions: 0,
    up: isUp,
    rising: false,
  });
  const view = [backend("node1", true), backend("node2", false), backend("node3", false)];
  const attached = new Map([
    ["node1", true],
    ["node2", true],
    ["node3", false],
  ]);
  expect(admissible(view, attached).map(({ node }) => node)).toEqual(["node2"]);
});
