import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checks } from "../../../src/roles/minio/checks.ts";
import { elf } from "../../host/elf.ts";
import { storeContext, storeNode } from "./context.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-checks-"));
afterAll(() => rm(directory, { recursive: true }));
const program = join(directory, "minio");
await writeFile(program, elf("minio"));
const cut = join(directory, "cut");
await writeFile(cut, elf("minio", { loaded: 1_000 }));
const script = join(directory, "script");
await writeFile(script, "#!/bin/sh\n");

async function found(name: string, toml: string): Promise<[severity: string, message: string] | undefined> {
  const { spec, facts } = storeContext([storeNode(1)], toml);
  const local = { spec, facts, node: "node1", address: "10.0.0.11", clusterId: "1" };
  const check = checks(local).find((one) => one.name === name);
  const finding = await check?.run();
  return finding && [finding.severity, finding.message];
}

test.each([
  [
    "nodes = 3",
    ["ok", expect.stringMatching(/^what may be lost .* for writes any 4 of 9 drives or 1 of 3 nodes$/)],
  ],
  [
    "nodes = 2",
    ["warning", expect.stringMatching(/read-only.*; what may be lost .* for writes .* but no node$/)],
  ],
] as const)("what %s can stand is said before anything is formatted", async (toml, expected) => {
  expect(await found("minio.quorum", toml)).toEqual(expected as never);
});

test("a mirror is two stores, and told what it does not promise", async () => {
  expect(await found("minio.topology", 'topology = "mirror"\nnodes = 3')).toEqual([
    "error",
    expect.stringContaining("roles.minio.nodes is 3"),
  ]);
  expect(await found("minio.topology", 'topology = "mirror"')).toBeUndefined();
  expect(await found("minio.quorum", 'topology = "mirror"')).toEqual([
    "warning",
    expect.stringContaining("a moment after the answer"),
  ]);
  expect(await found("minio.topology", "nodes = 3")).toBeUndefined();
});

test("silo was never tried", async () => {
  expect(await found("minio.system", "")).toEqual(["warning", expect.stringContaining("never tried")]);
  expect(await found("minio.system", `engine = "minio"\nbinary = "${program}"`)).toBeUndefined();
});

test.each([
  ['engine = "silo"', undefined],
  ['engine = "minio"', ["error", expect.stringContaining("source only")]],
  [`engine = "minio"\nbinary = "${program}"`, undefined],
  [`engine = "minio"\nbinary = "${script}"`, ["error", `${script} is not a program`]],
  [`engine = "minio"\nbinary = "${cut}"`, ["error", `${cut} is only a part of a program: it was cut short`]],
  [`engine = "minio"\nbinary = "${program}x"`, ["error", `there is no ${program}x`]],
] as const)("the program: %s", async (toml, expected) => {
  expect(await found("minio.binary", toml)).toEqual(expected as never);
});
