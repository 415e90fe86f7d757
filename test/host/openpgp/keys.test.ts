import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChimeError } from "../../../src/core/errors.ts";
import { armor, dearmor } from "../../../src/host/openpgp/armor.ts";
import { readKeys } from "../../../src/host/openpgp/keys.ts";
import { random } from "../../plan/random.ts";
import { packet, primary, signature, version6 } from "./sample.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

describe("keys that others made", () => {
  test("the certificate of RFC 9580's appendix", () => {
    const [key, ...more] = readKeys(dearmor(Buffer.from(version6.text)));
    expect(key).toMatchObject({ fingerprint: version6.fingerprint, expires: undefined, revoked: false });
    expect(more).toEqual([]);
  });

  test.skipIf(!existsSync(keyring) || !Bun.which("gpg"))("Debian's, as gpg reads them", () => {
    const home = mkdtempSync(join(tmpdir(), "chime-gpg-"));
    const argv = ["gpg", "--homedir", home, "--show-keys", "--with-colons", keyring];
    const lines = Bun.spawnSync(argv, { stderr: "ignore" }).stdout.toString().split("\n");
    rmSync(home, { recursive: true });
    const fields = lines.map((line) => line.split(":"));
    const wanted = fields.flatMap(([kind, ...rest], at) =>
      kind === "pub"
        ? [
            {
              fingerprint: fields.slice(at).find(([next]) => next === "fpr")?.[9],
              expires: Number(rest[5]) * 1000,
            },
          ]
        : [],
    );
    expect(wanted.length).toBeGreaterThan(3);
    const found = readKeys(readFileSync(keyring)).map(({ fingerprint, expires }) => ({
      fingerprint,
      expires,
    }));
    expect(found).toEqual(wanted as typeof found);
  });
});

describe("a key of made-up packets", () => {
  const below = random(20261121);
  const forms = ["new", "five", "old2", "old4"] as const;
  const noise = (size: number) => Buffer.from(Array.from({ length: size }, () => below(256)));

  test.each(Array.from({ length: 60 }, (_, at) => at))(
    "has its fingerprint in every form of packets (%#)",
    (at) => {
      const body = primary(below(2 ** 31), noise(below(600)));
      const fingerprint = createHash("sha1")
        .update(Buffer.from([0x99, body.length >> 8, body.length & 0xff]))
        .update(body)
        .digest("hex")
        .toUpperCase();
      const file = Buffer.concat([
        packet(6, body, forms[at % 4]),
        packet(13, noise(below(9000)), at % 4 === 2 ? "old2" : "new"),
        packet(14, primary(1, noise(30)), forms[(at + 1) % 4]),
      ]);
      const [key, ...more] = readKeys(dearmor(Buffer.from(armor(file))));
      expect(more).toEqual([]);
      expect(key?.fingerprint).toBe(fingerprint);
      expect(Buffer.from(key?.bytes ?? []).equals(file)).toBe(true);
    },
  );

  test("cut off or changed anywhere, it is refused as broken, or read as another key", () => {
    const good = Buffer.concat([
      packet(6, primary(7, noise(40))),
      packet(13, Buffer.from("x")),
      packet(2, signature(0x13, "00".repeat(8), { created: 9, keyExpires: 5 })),
    ]);
    const tell = (file: Uint8Array) => {
      try {
        return readKeys(file).map(({ fingerprint }) => fingerprint);
      } catch (error) {
        expect(error).toBeInstanceOf(ChimeError);
        return (error as ChimeError).code;
      }
    };
    const [own] = readKeys(good);
    for (let at = 1; at < good.length; at++) {
      // Whole packets are a whole file: the others are the names and signatures.
      expect([[own?.fingerprint], "openpgp.broken"]).toContainEqual(tell(good.subarray(0, at)));
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ (1 + below(255));
      tell(changed);
    }
  });

  test("two of them are told apart, and each has its own packets alone", () => {
    const [one, two] = [packet(6, primary(1, noise(9))), packet(6, primary(2, noise(9)))];
    const name = packet(13, Buffer.from("two"));
    const keys = readKeys(Buffer.concat([one, two, name]));
    expect(keys.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual([
      one.toString("hex"),
      Buffer.concat([two, name]).toString("hex"),
    ]);
  });

  test.each([
    ["a secret key", packet(5, primary(1, noise(9)))],
    ["a message", packet(11, noise(9))],
    ["a signature of nothing", packet(2, noise(9))],
    ["a key of version 3", packet(6, Buffer.from([3, 0, 0, 0, 0, 0]))],
    ["a packet in parts", Buffer.from([0xc6, 0xe1, 4, 0])],
    ["a packet without a length", Buffer.from([0x9b, 4, 0])],
    [
      "a signature with an area that is too long",
      Buffer.concat([
        packet(6, primary(1, noise(9))),
        packet(2, Buffer.from([4, 0x13, 1, 8, 0xff, 0xff, 1])),
      ]),
    ],
    [
      "a subpacket of no length",
      Buffer.concat([
        packet(6, primary(1, noise(9))),
        packet(2, Buffer.from([4, 0x13, 1, 8, 0, 1, 0, 0, 0])),
      ]),
    ],
  ])("%s is no public key", (_what, file) => {
    expect(() => readKeys(file)).toThrow(expect.objectContaining({ code: "openpgp.broken" }));
  });
});

describe("when a key ends", () => {
  const body = primary(1000, Buffer.from("material"));
  const key = packet(6, body);
  const fingerprint = readKeys(key)[0]?.fingerprint ?? "";
  const own = fingerprint.slice(-16);
  const read = (...packets: Buffer[]) => {
    const [found] = readKeys(Buffer.concat([key, packet(13, Buffer.from("name")), ...packets]));
    return [found?.expires, found?.revoked];
  };
  const says = (type: number, created: number, keyExpires?: number, issuer = own) =>
    packet(2, signature(type, issuer, keyExpires === undefined ? { created } : { created, keyExpires }));

  test.each([
    ["nothing is said", [], undefined],
    ["its own signature says so", [says(0x13, 1, 500)], 1_500_000],
    ["the newest of several counts", [says(0x13, 3, 700), says(0x13, 2, 500)], 1_700_000],
    ["a newer one says: never", [says(0x13, 1, 500), says(0x13, 2)], undefined],
    ["what is said of the key comes first", [says(0x1f, 1, 600), says(0x13, 2, 500)], 1_600_000],
    ["a direct one that says nothing of it", [says(0x1f, 9), says(0x13, 2, 500)], 1_500_000],
    ["a stranger's signature", [says(0x13, 1, 500, "11".repeat(8))], undefined],
    ["what is said behind a subkey", [packet(14, body), says(0x13, 1, 500)], undefined],
  ])("%s", (_what, packets, expires) => {
    expect(read(...packets)).toEqual([expires, false]);
  });

  test("a revocation of its own is seen, a stranger's is not", () => {
    expect(read(says(0x20, 1))).toEqual([undefined, true]);
    expect(read(says(0x20, 1, undefined, "11".repeat(8)))).toEqual([undefined, false]);
  });
});

describe("armor", () => {
  test.each([
    ["nothing", ""],
    ["a page that says 404", "<html>not found</html>\n"],
    ["a secret key", version6.text.replaceAll("PUBLIC", "PRIVATE")],
    ["a cut-off file", version6.text.slice(0, 300)],
    ["other letters", version6.text.replace("xioG", "xi!G")],
  ])("%s is no key file", (_what, text) => {
    expect(() => dearmor(Buffer.from(text))).toThrow(expect.objectContaining({ code: "openpgp.broken" }));
  });

  test("is written as gpg writes it, checksum included", () => {
    // RFC 9580 has the sample without one; gpg and rpm want it.
    const body = version6.text.split("\n").slice(2, -2).join("\n");
    const written = armor(dearmor(Buffer.from(version6.text)));
    expect(written).toContain(body);
    expect(written).toMatch(/\n=[A-Za-z0-9+/]{4}\n-----END/);
    expect(dearmor(Buffer.from(written.replaceAll("\n", "\r\n")))).toEqual(
      dearmor(Buffer.from(version6.text)),
    );
  });
});
