import { expect, test } from "bun:test";
import { readKeys } from "../../../src/host/openpgp/keys.ts";
import { isPinned, pinnedKey } from "../../../src/host/packages/pinned-key.ts";
import { packet, primary, signature } from "../openpgp/sample.ts";

const url = "https://vendor.test/key";
const day = 86_400_000;
const now = Date.UTC(2026, 10, 21);

/** A key made in 2026 with a name, and what it says of itself. */
function make(material: string, says?: { type?: number; days: number }) {
  const created = Date.UTC(2026, 0, 1) / 1000;
  const body = packet(6, primary(created, Buffer.from(material)));
  const fingerprint = readKeys(body)[0]?.fingerprint ?? "";
  const issuer = fingerprint.slice(-16);
  const tail = says
    ? [packet(2, signature(says.type ?? 0x13, issuer, { created, keyExpires: (says.days * day) / 1000 }))]
    : [];
  return { fingerprint, file: Buffer.concat([body, packet(13, Buffer.from(material)), ...tail]) };
}
const ours = make("ours", { days: 400 });
const theirs = make("theirs");
const source = { url, fingerprint: ours.fingerprint };

test("the pinned key is taken from among others, alone, and read back as good", () => {
  const text = pinnedKey(Buffer.concat([theirs.file, ours.file]), source, now);
  expect(readKeys(ours.file).length).toBe(1);
  expect(text).toBe(pinnedKey(ours.file, source, now));
  expect(isPinned(text, source, now)).toBe(true);
});

test("another key is not written, whatever its last digits", () => {
  expect(() => pinnedKey(theirs.file, source, now)).toThrow(
    expect.objectContaining({
      code: "packages.untrusted",
      message: `the key at ${url} is not the one that this release trusts (${ours.fingerprint}), but ${theirs.fingerprint}`,
    }),
  );
  const near = { url, fingerprint: `${theirs.fingerprint.slice(0, 24)}${ours.fingerprint.slice(24)}` };
  expect(() => pinnedKey(ours.file, near, now)).toThrow("is not the one");
});

test.each([
  ["ran out", make("old", { days: 100 }), "ran out on 2026-04-11"],
  ["was revoked", make("revoked", { type: 0x20, days: 400 }), "was revoked"],
])("a key that %s is not written either", (_what, { fingerprint, file }, why) => {
  expect(() => pinnedKey(file, { url, fingerprint }, now)).toThrow(why);
});

test.each([
  ["with another key beside it", (text: string) => text.replace("\n-----END", "x\n-----END")],
  ["cut off", (text: string) => text.slice(0, 60)],
  ["empty", () => ""],
  ["with words before it", (text: string) => `Key:\n${text}`],
])("what stands on disk %s is not taken for it", (_what, change) => {
  expect(isPinned(change(pinnedKey(ours.file, source, now)), source, now)).toBe(false);
});

test("what stands on disk is no longer good once the key has ended", () => {
  const text = pinnedKey(ours.file, source, now);
  expect(isPinned(text, source, now + 400 * day)).toBe(false);
});
