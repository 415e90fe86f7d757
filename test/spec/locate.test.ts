import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { locate } from "../../src/spec/locate.ts";

/** The text of a value and of the last segment of its key. */
function places(toml: string, path: (string | number)[]) {
  parse(toml);
  const place = locate(toml)(path);
  return (
    place && [toml.slice(place.key.start, place.key.end), toml.slice(place.value.start, place.value.end)]
  );
}

test.each([
  ["a = 1", ["a"], ["a", "1"]],
  ["a = 1 # not 2", ["a"], ["a", "1"]],
  ["  a.b = 1\r\nc=2\r\n", ["a", "b"], ["b", "1"]],
  ["  a.b = 1\r\nc=2\r\n", ["a"], ["a", "a"]],
  ["  a.b = 1\r\nc=2\r\n", ["c"], ["c", "2"]],
  ["[x.y]\nz = true", ["x", "y", "z"], ["z", "true"]],
  ["[x.y]\nz = true", ["x", "y"], ["y", "y"]],
  ["[ x . 'y z' ]\nz = true", ["x", "y z"], ["'y z'", "'y z'"]],
  ['"a\\u0062" = 1', ["ab"], ['"a\\u0062"', "1"]],
  ['a = "x = 1 # \\" ]"\nb = 2', ["b"], ["b", "2"]],
  ["a = 'c:\\'\nb = 2", ["b"], ["b", "2"]],
  ['a = """\n[t]\nb = 1\n"""""\nb = 2', ["b"], ["b", "2"]],
  ["a = '''\n[t]\nb = 1'''''\nb = 2", ["b"], ["b", "2"]],
  ["a = [1, # one\n  'two',\n [3, 4],\n]\nb = 2", ["a", 1], ["a", "'two'"]],
  ["a = [1, # one\n  'two',\n [3, 4],\n]\nb = 2", ["a", 2, 1], ["a", "4"]],
  ["a = [1, # one\n  'two',\n [3, 4],\n]\nb = 2", ["b"], ["b", "2"]],
  ["a = { b = { c = 1 }, d.e = [2] }\nf = 3", ["a", "b", "c"], ["c", "1"]],
  ["a = { b = { c = 1 }, d.e = [2] }\nf = 3", ["a", "d", "e", 0], ["e", "2"]],
  ["a = { b = { c = 1 }, d.e = [2] }\nf = 3", ["f"], ["f", "3"]],
  ["[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3", ["a", 1, "b"], ["b", "2"]],
  ["[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3", ["a", 1, "c", "d"], ["d", "3"]],
  ["a = 1979-05-27 07:32:00 # then\n", ["a"], ["a", "1979-05-27 07:32:00"]],
  ["a = 1", ["b"], undefined],
])("%j at %j", (toml, path, expected) => {
  expect(places(toml, path)).toEqual(expected);
});

test("comes to an end, even on what is no TOML", () => {
  for (const text of [
    "=",
    "[",
    "[[",
    "a",
    "a =",
    "a = '",
    "a = [",
    "a = {",
    "]",
    "}",
    "a = [[[[",
    'a = "x',
  ]) {
    expect(locate(text)(["b"])).toBeUndefined();
  }
});
