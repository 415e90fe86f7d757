import { describe, expect, test } from "bun:test";
import { formatToken, hashSecret, parseToken, secretMatches, type Token } from "../../src/cluster/token.ts";
import { mask } from "../../src/core/mask.ts";
import { seeded } from "./support.ts";

const token: Token = {
  cluster: "0123456789abcdef",
  addresses: ["192.168.231.11", "192.168.231.12"],
  ca: "A".repeat(43),
  id: "abcd1234",
  secret: "s3cretS3cretS3cretS3cretS3cretS3",
  expiry: 1_800_000_000,
  roles: ["mysql"],
  uses: 0,
};

function problem(text: string): { code?: string; message?: string; exit?: number } {
  try {
    parseToken(text);
  } catch (error) {
    return error as { code: string; message: string };
  }
  return {};
}

describe("token", () => {
  test("is chime1. and unpadded base64url of one JSON object", () => {
    const text = formatToken(token);
    expect(text).toMatch(/^chime1\.[A-Za-z0-9_-]+$/);
    expect(JSON.parse(Buffer.from(text.slice(7), "base64url").toString())).toEqual(token);
    expect(parseToken(`  ${text}\n`)).toEqual(token);
  });

  test.each([
    ["", "empty"],
    ["   ", "empty"],
    ["chime2.abc", 'begins with "chime1."'],
    ["chime1.", "cut off"],
    [`${formatToken(token)}"`, "characters that no token has"],
    [`chime1.${"A".repeat(5000)}`, "too long"],
    [`chime1.${Buffer.from("{}").toString("base64url")}`, "damaged"],
    [`chime1.${Buffer.from("[1]").toString("base64url")}`, "damaged"],
    [formatToken({ ...token, secret: "short" }), "damaged"],
    [formatToken({ ...token, more: 1 } as Token), "damaged"],
  ])("%# is malformed", (text, words) => {
    expect(problem(text)).toMatchObject({ code: "token.malformed", exit: 2 });
    expect(problem(text).message).toContain(words);
  });

  test("every half of a token is malformed, and no error repeats it", () => {
    const text = formatToken(token);
    for (let length = 0; length < text.length; length++) {
      const half = problem(text.slice(0, length));
      expect(half.code).toBe("token.malformed");
      expect(half.message).not.toContain(text.slice(7, 30));
    }
  });

  test("a token with one changed character is malformed or another token, never a crash", () => {
    const text = formatToken(token);
    const random = seeded(3);
    for (let round = 0; round < 2000; round++) {
      const at = Math.floor(random() * text.length);
      const changed = text.slice(0, at) + String.fromCharCode(32 + random() * 95) + text.slice(at + 1);
      expect(["token.malformed", undefined]).toContain(problem(changed).code);
    }
  });

  test("its secret is masked from then on", () => {
    parseToken(formatToken(token));
    expect(mask(`secret ${token.secret}`)).toBe("secret ********");
    expect(mask(formatToken(token))).toBe("********");
  });

  test("only the right secret matches", () => {
    const hash = hashSecret(token.secret);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(secretMatches(token.secret, hash)).toBe(true);
    expect(secretMatches("", hash)).toBe(false);
    expect(secretMatches(`${token.secret}x`, hash)).toBe(false);
  });
});
