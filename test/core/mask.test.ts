import { expect, test } from "bun:test";
import { mask, registerSecret } from "../../src/core/mask.ts";
import { randomSecret } from "../../src/core/random.ts";

test("a registered secret is blanked wherever it stands", () => {
  const secret = registerSecret(randomSecret());
  expect(mask(`a=${secret} b=${secret}`)).toBe("a=******** b=********");
});

test("short strings are not registered: they would blank ordinary words", () => {
  registerSecret("node");
  expect(mask("node1")).toBe("node1");
});

test("secrets are 32 characters of [A-Za-z0-9], and differ", () => {
  const seen = new Set(Array.from({ length: 200 }, () => randomSecret()));
  expect(seen.size).toBe(200);
  for (const secret of seen) expect(secret).toMatch(/^[A-Za-z0-9]{32}$/);
});

test("a secret that begins another one leaves nothing of it", () => {
  const begin = registerSecret(randomSecret());
  const whole = registerSecret(`${begin}${randomSecret()}`);
  expect(mask(`${whole} ${begin}`)).toBe("******** ********");
});
