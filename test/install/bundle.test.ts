import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createPrivateKey } from "node:crypto";
import { programName } from "../../src/bundle/manifest.ts";
import { about, entry, forge, manifestOf } from "../bundle/forge.ts";
import { makeKey } from "./release.ts";
import { makePath, runScript, shells } from "./shells.ts";

const script = resolve(import.meta.dir, "../../install.sh");
const name = programName(process.arch === "arm64" ? "arm64" : "x64");
const gzipped = Buffer.from(
  Bun.gzipSync(
    Buffer.from(`#!/bin/sh
if [ "$*" = --version ]; then echo chime-node 9; exit 0; fi
if [ "$1 $2" = "bundle import" ]; then echo "$*" >>"$IMPORTED"; echo imported; exit "\${IMPORT_CODE:-0}"; fi
`),
  ),
);
let work: string;
let key: Awaited<ReturnType<typeof makeKey>>;
let signer: ReturnType<typeof createPrivateKey>;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "chime-node-install-bundle-"));
  key = await makeKey(join(work, "key"));
  signer = createPrivateKey(await readFile(key.key));
  await writeFile(join(work, "good.tar"), bundle());
});
afterAll(() => rm(work, { recursive: true, force: true }));

function bundle(program: Buffer = gzipped, as = name, head?: Uint8Array): Buffer {
  const file = {
    ...about(as, ""),
    sha256: about(as, program.toString("latin1")).sha256,
    size: program.length,
  };
  const sum = new Bun.CryptoHasher("sha256").update(gzipped).digest("hex");
  const files = [{ ...file, sha256: sum, size: gzipped.length, binary: { sha256: sum, size: 100 } }];
  return forge(manifestOf({ files }), [entry(as, program, head)], signer);
}

let turn = 0;
async function install(
  file: string,
  options: { argv?: readonly string[]; args?: string[]; env?: Record<string, string>; path?: string } = {},
) {
  const prefix = join(work, `prefix-${turn++}`);
  await mkdir(prefix);
  const { argv = ["/bin/dash"], args = ["--trust", key.pub], env = {}, path } = options;
  const imported = join(prefix, "imported");
  const answer = await runScript(argv, script, ["--bundle", file, "--prefix", join(prefix, "at"), ...args], {
    IMPORTED: imported,
    ...env,
    ...(path && { PATH: path }),
  });
  return { ...answer, prefix, imported, left: (await readdir(prefix)).filter((one) => one !== "imported") };
}

// Only root may import.
describe.skipIf(process.getuid?.() !== 0)("install.sh --bundle", () => {
  test.each(shells)("$name: the program imports the bundle and gets its place", async ({ argv }) => {
    if (!Bun.which(argv[0] ?? "")) return;
    const file = join(work, "good.tar");
    const { code, stdout, stderr, prefix, imported } = await install(file, { argv });
    expect([code, stdout]).toEqual([0, `installed ${prefix}/at/bin/chime-node (chime-node 9)\n`]);
    expect(stderr).toBe("imported\n");
    expect(await readFile(imported, "utf8")).toBe(`bundle import ${file} --trust ${key.line}\n`);
    expect(await readdir(join(prefix, "at/bin"))).toEqual(["chime-node"]);
  });

  test("without openssl it says what checks the signature instead", async () => {
    const path = await makePath(join(work, "path"), { without: ["openssl"], with: ["tar"] });
    const { code, stderr } = await install(join(work, "good.tar"), { path });
    expect(code).toBe(0);
    expect(stderr).toContain("because openssl is not installed; the program in the bundle will check it");
  });

  test("what the import refuses is not installed, with its exit code", async () => {
    const { code, left } = await install(join(work, "good.tar"), { env: { IMPORT_CODE: "3" } });
    expect([code, left]).toEqual([3, []]);
  });

  const wrong: [
    what: string,
    make: () => Buffer,
    code: number,
    message: string,
    args: string[] | undefined,
  ][] = [
    ["something else", () => Buffer.from("x".repeat(2000)), 3, "is no bundle of chime-node", undefined],
    ["nobody trusted", () => bundle(), 2, "--trust PUB is missing", []],
    ["signed by somebody else", () => forge(), 3, "by none of the trusted keys", undefined],
    [
      "another program",
      () => bundle(Buffer.from(gzipped).fill(1, 40, 60)),
      3,
      "is not what its manifest says",
      undefined,
    ],
    [
      "no program for this CPU",
      () => bundle(gzipped, "chime-node-linux-s390x.gz"),
      3,
      "is not for this CPU",
      undefined,
    ],
    ["with --binary", () => bundle(), 2, "exclude each other", ["--binary", "/bin/true"]],
    ["with --rollback", () => bundle(), 2, "exclude each other", ["--rollback"]],
    [
      "with --version",
      () => bundle(),
      2,
      "--version and --bundle exclude each other",
      ["--version", "1.0.0"],
    ],
  ];
  test.each(wrong)("refused: %s", async (_, make, code, message, args) => {
    const file = join(work, "wrong.tar");
    await writeFile(file, make());
    await chmod(file, 0o600);
    const answer = await install(file, args ? { args } : {});
    expect([answer.code, answer.stdout, answer.left]).toEqual([code, "", []]);
    expect(answer.stderr).toContain(message);
    expect(await Bun.file(answer.imported).exists()).toBe(false);
  });
});
