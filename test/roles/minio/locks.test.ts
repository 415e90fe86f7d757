import { expect, test } from "bun:test";
import { abandoned } from "../../../src/roles/minio/locks.ts";

const time = "2026-11-22T01:31:03.045680321Z";
const lock = (resource: string, owner: string, at = time) => ({ resource, owner, time: at });
const ever = Number.POSITIVE_INFINITY;

test("what a server locked that is no more, once each", () => {
  const all = [lock("b/one", "n3:9000"), lock("b/one", "n3:9000"), lock("b/two", "n3:9000")];
  expect(abandoned(all, "n3:9000", ever)).toEqual(["b/one", "b/two"]);
});

test("what others locked stays, also where both did", () => {
  const all = [lock("b/one", "n1:9000"), lock("b/two", "n3:9000"), lock("b/two", "n1:9000")];
  expect(abandoned(all, "n3:9000", ever)).toEqual([]);
});

test("of a server that was started again, what it has locked since then stays", () => {
  const started = Date.parse("2026-11-22T01:32:00Z");
  const all = [lock("b/old", "n3:9000"), lock("b/new", "n3:9000", "2026-11-22T01:32:01Z")];
  expect(abandoned(all, "n3:9000", started)).toEqual(["b/old"]);
});

test("a name with a comma would be two others", () => {
  expect(abandoned([lock("b/a,b/c", "n3:9000")], "n3:9000", ever)).toEqual([]);
});
