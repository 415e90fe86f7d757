import { expect, test } from "bun:test";
import { lostOf } from "../../../src/roles/influxdb/tokens.ts";

const kept = { read: "r", write: "w" };
const [read, write] = ["read", "write"].map((kind) => ({
  description: `chime-node: may only ${kind}`,
  active: true,
  token: kind[0]!,
}));

test.each([
  ["both are there", [read!, write!], []],
  ["one was deleted", [write!], ["read"]],
  ["one was deactivated", [read!, { ...write!, active: false }], ["write"]],
  ["another one was made in its place", [{ ...read!, token: "other" }, write!], ["read"]],
  ["somebody called it otherwise", [{ ...read!, description: "mine" }, write!], []],
  ["the server keeps hashes only", [read!, write!].map((one) => ({ ...one, token: "" })), []],
  ["the server keeps hashes only, and one was deleted", [{ ...read!, token: "" }], ["write"]],
  ["nothing is left", [], ["read", "write"]],
])("which tokens a server does not take: %s", (_, listed, lost) => {
  expect<string[]>(lostOf(listed, kept)).toEqual(lost);
});
