import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookupOwner } from "../../src/host/users.ts";
import { owner } from "../../src/resources/owner.ts";
import type { ApplyContext, InspectContext } from "../../src/resources/types.ts";

const user = "daemon";
const witness = "own/format.json";

let at: string;
let outside: string;
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "chime-owner-"));
  [at, outside] = [join(directory, "disk"), join(directory, "outside")];
  mkdirSync(join(at, "own"), { recursive: true });
  mkdirSync(join(at, "bucket"));
  for (const path of [outside, join(at, witness), join(at, "bucket/object")]) writeFileSync(path, "");
  symlinkSync(outside, join(at, "bucket/link"));
});
afterEach(() => rmSync(join(at, ".."), { recursive: true }));

const all = ["", "own", witness, "bucket", "bucket/object", "bucket/link"];
const uidOf = (path: string) => lstatSync(join(at, path)).uid;
const resource = () => owner({ at, witness, user, needs: [] });
const inspect = () => resource().inspect({} as InspectContext);
const apply = async (signal: AbortSignal) =>
  (await inspect())?.apply({ signal, progress: () => {} } as unknown as ApplyContext);

describe.skipIf(process.getuid?.() !== 0)("whose a disk is", () => {
  test("is the service's user, with all that is on it and nothing else", async () => {
    const { uid } = (await lookupOwner(user, user)) ?? {};
    await apply(new AbortController().signal);
    expect(all.map(uidOf)).toEqual(all.map(() => uid as number));
    expect(lstatSync(outside).uid).toBe(0);
    expect(await inspect()).toBeUndefined();
  });

  test("is not told by the witness before all has changed hands", async () => {
    const stop = new AbortController();
    const { signal } = stop;
    // Each program that is run asks this first.
    signal.throwIfAborted = () => {
      if (uidOf("bucket/object") !== 0) stop.abort();
      AbortSignal.prototype.throwIfAborted.call(signal);
    };
    await expect(apply(signal)).rejects.toThrow();
    expect(all.filter((path) => uidOf(path) === 0)).toEqual([witness]);
    expect(await inspect()).toMatchObject({ action: "update" });
  });
});
