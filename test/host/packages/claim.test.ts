import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../../src/core/exec.ts";
import { Claim } from "../../../src/host/packages/claim.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-claim-"));
});
afterEach(() => rm(directory, { recursive: true }));

const shell = async (claim: Claim) => (await exec(["sh", "-c", claim.command], { ok: "any" })).code === 0;

test("dpkg and whoever wants it not to begin: one of them comes first, until it is cleared", async () => {
  const claim = new Claim(join(directory, "packages"));
  await claim.clear();
  expect([await claim.take(), await shell(claim)]).toEqual([true, false]);
  await claim.clear();
  expect([await shell(claim), await claim.take()]).toEqual([true, false]);
});
