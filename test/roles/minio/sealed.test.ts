import { expect, test } from "bun:test";
import { seal, unseal } from "../../../src/roles/minio/sealed.ts";

const key = "a secret key";

test.each([0, 1, 16_384, 16_385, 40_000])("%d bytes come back as they were", async (bytes) => {
  const text = "x".repeat(bytes);
  const sealed = await seal(key, text);
  expect(await unseal(key, sealed)).toBe(text);
  const pieces = Math.max(1, Math.ceil(bytes / 16_384));
  expect(sealed.length).toBe(32 + 1 + 8 + bytes + 16 * pieces);
});

test("the same text is never sealed to the same bytes", async () => {
  expect(await seal(key, "text")).not.toEqual(await seal(key, "text"));
});

test("whatever is changed, cut off or put elsewhere is refused, and so is another key", async () => {
  const sealed = await seal(key, "x".repeat(20_000));
  const last = sealed.length - 1;
  const piece = 41 + 16_400;
  const swapped = Buffer.concat([sealed.subarray(0, 41), sealed.subarray(piece), sealed.subarray(41, piece)]);
  const broken: [string, Uint8Array][] = [
    ["a bit", Buffer.from(sealed).fill((sealed[last] ?? 0) ^ 1, last)],
    ["the last piece", sealed.subarray(0, piece)],
    ["some bytes", sealed.subarray(0, last - 2_000)],
    ["the order", swapped],
    ["the algorithm", Buffer.from(sealed).fill(1, 32, 33)],
    ["all but the head", sealed.subarray(0, 41)],
    ["everything", new Uint8Array()],
  ];
  for (const [what, bytes] of broken) {
    const error = await unseal(key, bytes).catch((e: Error) => e);
    expect([what, error]).toEqual([what, expect.objectContaining({ code: "minio.answer" })]);
  }
  await expect(unseal("another", sealed)).rejects.toMatchObject({ code: "minio.answer" });
});
