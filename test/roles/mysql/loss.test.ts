import { expect, test } from "bun:test";
import { possibleLoss, type Standing } from "../../../src/roles/mysql/guard/loss.ts";
import { term } from "./views.ts";

const standing: Standing = {
  self: "node2",
  newest: { ...term(4, "node1", "node1", "node2"), voters: ["node1", "node2", "node3"] },
  proven: true,
  position: "0-1-10",
  answered: [],
  left: [],
  lastHeard: () => "9 s ago",
};
const losses = (change: Partial<Standing>) => possibleLoss({ ...standing, ...change });

test("in sync, and nobody else can know more: nothing", () => {
  expect(losses({ answered: ["node1"] })).toEqual([]);
  expect(losses({ answered: ["node3"] })).toEqual([]);
  expect(losses({ newest: term(4, "node1", "node1", "node2"), left: ["node1"] })).toEqual([]);
});

test("a silent node may have gone on alone", () => {
  expect(losses({})).toEqual([
    "what node1 acknowledged alone since (node1 was last heard 9 s ago)",
    "node2 holds transactions up to 0-1-10",
  ]);
});

test("a replica's server that stopped may have lost what it had not applied; a writer's has not", () => {
  const restarted = { proven: false, answered: ["node3"], position: null };
  expect(losses(restarted)).toEqual([
    "what node2 had received and not yet applied when its server last stopped",
  ]);
  expect(losses({ ...restarted, newest: { ...standing.newest, writer: "node2" } })).toEqual([]);
});

test("not in sync", () => {
  expect(losses({ newest: term(7, "node1"), position: null })).toEqual([
    "what node1 acknowledged while node2 was not in sync (term 7)",
  ]);
});
