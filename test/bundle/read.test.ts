import { afterAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteSource } from "../../src/bundle/bytes.ts";
import { oneLine } from "../../src/bundle/keys.ts";
import { readBundle, type Sink, type Trust } from "../../src/bundle/read.ts";
import { ChimeError, Exit } from "../../src/core/errors.ts";
import { exec } from "../../src/core/exec.ts";
import { failure } from "../plan/failure.ts";
import { random } from "../plan/random.ts";
import { about, contents, entry, forge, maker, manifestOf, rawHeader, trailer, trust } from "./forge.ts";

const work = mkdtempSync(join(tmpdir(), "chime-node-bundle-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));
const file = join(work, "bundle.tar");

/** What came out of a bundle, by name. */
async function read(bytes: Uint8Array, by: Trust = trust): Promise<Map<string, string>> {
  await Bun.write(file, bytes);
  const out = new Map<string, string>();
  let at = "";
  const sink: Sink = {
    begin: (name) => Promise.resolve(void out.set((at = name), "")),
    write: (chunk) => Promise.resolve(void out.set(at, out.get(at) + Buffer.from(chunk).toString())),
    close: () => Promise.resolve(),
  };
  await ByteSource.over(file, (source) => readBundle(source, by, undefined, () => sink));
  return out;
}

/** The code of a refusal; all of them promise that nothing was touched. */
async function refusal(bytes: Uint8Array, by: Trust = trust): Promise<string> {
  const error = (await failure(read(bytes, by))) as ChimeError;
  expect(error).toBeInstanceOf(ChimeError);
  expect(error.exit).toBe(Exit.refused);
  expect(error.message).not.toContain("\n");
  return error.code;
}

test("a whole bundle gives its files, and tar(1) agrees", async () => {
  expect(Object.fromEntries(await read(forge()))).toEqual(contents);
  const { stdout } = await exec(["tar", "-tf", file]);
  expect(stdout.trim().split("\n")).toEqual(["manifest.json", "manifest.json.sig", ...Object.keys(contents)]);
  expect((await exec(["tar", "-xOf", file, "repo/pool/a_1_all.deb"])).stdout).toBe("x".repeat(700));
});

describe("any one changed bit is seen", () => {
  const whole = forge();
  test.each([1, 2, 3])("seed %d: in each byte", async (seed) => {
    const next = random(seed);
    const seen = new Set<string>();
    // Every third byte each time: all of them in the three runs.
    for (let at = seed - 1; at < whole.length; at += 3) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
      seen.add(await refusal(bytes));
    }
    expect([...seen]).toEqual(expect.arrayContaining(["bundle.changed", "bundle.untrusted_key"]));
  });
});

test("cut anywhere, it is no bundle or one that was not copied whole", async () => {
  const whole = forge();
  for (let length = 0; length < whole.length; length += 61) {
    const code = await refusal(whole.subarray(0, length));
    expect(code).toBe(length < 512 ? "bundle.not_a_bundle" : "bundle.truncated");
  }
});

test("whatever bytes it is given, it answers with a refusal", async () => {
  const next = random(7);
  const whole = forge();
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(whole.subarray(0, next(whole.length)));
    // Blocks of it in another order, with some of them filled anew.
    const blocks = Array.from({ length: next(12) }, () => {
      const from = next(Math.max(1, bytes.length / 512)) * 512;
      const block = Buffer.from(bytes.subarray(from, from + 512));
      return next(3) === 0 ? block.fill(next(256)) : block;
    });
    await refusal(Buffer.concat([bytes.subarray(0, next(4) * 512), ...blocks]));
  }
});

const stranger = generateKeyPairSync("ed25519");
const first = Object.entries(contents).map(([name, content]) => entry(name, content));
const withFile = (name: string, content = "y") =>
  manifestOf({ files: [...manifestOf().files, { ...about(name, content), name }] });

const withChunks = (size: number, chunks: string[]) =>
  manifestOf({ files: [{ ...about("repo/big.deb", ""), size, chunks }] });

const refusals: [what: string, code: string, bytes: Buffer, by?: Trust][] = [
  ["an empty file", "bundle.not_a_bundle", Buffer.alloc(0)],
  ["something else", "bundle.not_a_bundle", Buffer.alloc(4096, "x")],
  ["an empty tar", "bundle.not_a_bundle", Buffer.alloc(10_240)],
  ["no signature", "bundle.unsigned", Buffer.concat([forge().subarray(0, 1536), ...first, trailer])],
  ["signed by a stranger", "bundle.untrusted_key", forge(manifestOf(), first, stranger.privateKey)],
  ["nobody is trusted", "bundle.untrusted_key", forge(), { keys: [], revoked: [] }],
  ["a revoked key, trusted or not", "bundle.revoked_key", forge(), { ...trust, revoked: trust.keys }],
  ["a manifest that is none", "bundle.format", forge({ ...manifestOf(), format: 2 as 1 })],
  ["sums of chunks that it cannot have", "bundle.format", forge(withChunks(1, ["0".repeat(64)]))],
  ["fewer sums of chunks than chunks", "bundle.format", forge(withChunks(9 << 20, ["0".repeat(64)]))],
  ["an absolute path", "bundle.unsafe_name", forge(withFile("/etc/passwd"))],
  ["..", "bundle.unsafe_name", forge(withFile("repo/../../etc/passwd"))],
  ["a name that drives a terminal", "bundle.unsafe_name", forge(withFile("\u001b[2J"))],
  ["a name twice", "bundle.duplicate", forge(withFile("install.sh"))],
  ["its own manifest", "bundle.duplicate", forge(withFile("manifest.json"))],
  ["a file less", "bundle.truncated", forge(withFile("more"))],
  ["a file more", "bundle.changed", forge(manifestOf(), [...first, entry("more", "y")])],
  [
    "a file more, of a name that was there",
    "bundle.duplicate",
    forge(manifestOf(), [...first, entry("install.sh", "y")]),
  ],
  [
    "a file twice in place of another",
    "bundle.duplicate",
    forge(manifestOf(), [...first.slice(0, 1), ...first]),
  ],
  ["files in another order", "bundle.changed", forge(manifestOf(), first.toReversed())],
  [
    "another size",
    "bundle.changed",
    forge(manifestOf(), [entry("install.sh", "longer than that"), ...first.slice(1)]),
  ],
  [
    "another content",
    "bundle.changed",
    forge(manifestOf(), [entry("install.sh", "#!/bin/ls\n"), ...first.slice(1)]),
  ],
  [
    "something after its end",
    "bundle.changed",
    forge(manifestOf(), first, maker.privateKey, Buffer.alloc(2048)),
  ],
  ["half an end", "bundle.truncated", forge(manifestOf(), first, maker.privateKey, Buffer.alloc(512))],
  ...(
    [
      ["an absolute path in a header", "bundle.unsafe_name", { name: "/etc/passwd" }],
      [".. in a header", "bundle.unsafe_name", { name: "../x" }],
      ["a hard link", "bundle.not_a_file", { name: "install.sh", kind: "1", link: "/etc/passwd" }],
      ["a symbolic link", "bundle.not_a_file", { name: "install.sh", kind: "2", link: "../../x" }],
      ["a character device", "bundle.not_a_file", { name: "install.sh", kind: "3" }],
      ["a block device", "bundle.not_a_file", { name: "install.sh", kind: "4" }],
      ["a directory", "bundle.not_a_file", { name: "install.sh", kind: "5" }],
      ["a FIFO", "bundle.not_a_file", { name: "install.sh", kind: "6" }],
      ["a sparse file", "bundle.not_a_file", { name: "install.sh", kind: "S" }],
      ["a long name of GNU's", "bundle.not_a_file", { name: "././@LongLink", kind: "L" }],
      ["an extended header", "bundle.not_a_file", { name: "install.sh", kind: "x" }],
      [
        "a size in base 256",
        "bundle.changed",
        {
          name: "install.sh",
          size: "\u0080\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0001\u0000\u0000\u0000",
        },
      ],
      ["a size beyond all disks", "bundle.changed", { name: "install.sh", size: "77777777777" }],
    ] as const
  ).map(([what, code, fields]): [string, string, Buffer] => [
    what,
    code,
    forge(manifestOf(), [rawHeader(fields), ...first]),
  ]),
];
test.each(refusals)("refused: %s (%s)", async (_, code, bytes, by = trust) => {
  expect(await refusal(bytes, by)).toBe(code);
});

test("one of two keys is enough, as during a rotation", async () => {
  const keys = [oneLine(stranger.publicKey), ...trust.keys];
  expect((await read(forge(), { keys, revoked: [] })).size).toBe(3);
  expect((await read(forge(), { keys, revoked: [oneLine(stranger.publicKey)] })).size).toBe(3);
});

test("what it is for can be refused before any file is taken", async () => {
  await Bun.write(file, forge());
  const no = new Error("no");
  let sinks = 0;
  const reading = ByteSource.over(file, (source) =>
    readBundle(
      source,
      trust,
      () => Promise.reject(no),
      () => void sinks++,
    ),
  );
  expect(await failure(reading)).toBe(no);
  expect(sinks).toBe(0);
});

test("a directory, a FIFO and no file at all are no bundles", async () => {
  await exec(["mkfifo", join(work, "fifo")]);
  for (const path of [work, join(work, "fifo"), join(work, "none")]) {
    const error = await failure(ByteSource.over(path, (source) => readBundle(source, trust)));
    expect(error).toMatchObject({ code: "bundle.no_file", exit: Exit.refused });
  }
});
