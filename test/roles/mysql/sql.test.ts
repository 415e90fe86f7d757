import { describe, expect, test } from "bun:test";
import { account, identifier, quote } from "../../../src/roles/mysql/sql.ts";

/** Reads a literal as the server does (string literals, MariaDB manual). Throws where it would end early. */
function read(literal: string): string {
  if (!literal.startsWith("'") || !literal.endsWith("'") || literal.length < 2) throw new Error("no literal");
  let out = "";
  const body = literal.slice(1, -1);
  for (let i = 0; i < body.length; i++) {
    const char = body[i] as string;
    if (char === "'") throw new Error("ends early");
    if (char !== "\\") {
      out += char;
      continue;
    }
    i += 1;
    const next = body[i];
    if (next === undefined) throw new Error("escapes the closing quote");
    out += { "0": "\0", n: "\n", r: "\r", Z: "\u001a" }[next] ?? next;
  }
  return out;
}

describe("quote", () => {
  test("plain text stays readable", () => expect(quote("chime_repl")).toBe("'chime_repl'"));
  test("no text gets out of its quotes, and every text survives", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
    const alphabet = ["'", '"', "\\", "\0", "\n", "\r", "\u001a", "a", " ", ";", "-- ", "`", "é", "😀", "%"];
    for (let i = 0; i < 5_000; i++) {
      const text = Array.from({ length: random(12) }, () => alphabet[random(alphabet.length)]).join("");
      expect(read(quote(text))).toBe(text);
    }
  });
});

test("identifiers double their backticks", () => {
  expect(identifier("a`b")).toBe("`a``b`");
  expect(identifier("chime")).toBe("`chime`");
});

test("an account quotes user and host apart", () => {
  expect(account({ user: "o'neil", host: "10.0.0.%" })).toBe("'o\\'neil'@'10.0.0.%'");
});
