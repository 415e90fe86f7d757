import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeBytes, SpaceWatch } from "../../src/host/free-space.ts";

const directory = mkdtempSync(join(tmpdir(), "chime-node-space-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function watch(of: string) {
  const clock = { ms: 0, now: () => clock.ms };
  return { clock, space: new SpaceWatch({ directory: of, filler: "anybody", everyMs: 100, clock }) };
}

test("what is kept back for the system's user is room for nobody else", async () => {
  expect(await freeBytes(directory, "root")).toBeGreaterThanOrEqual(await freeBytes(directory));
  expect(await freeBytes(directory)).toBeGreaterThan(0);
});

test("looks when the last look is old, not before", async () => {
  const { clock, space } = watch(directory);
  const told: string[] = [];
  const look = (name: string) =>
    new Promise<void>((resolve) => {
      space.look((free) => {
        expect(free).toBeGreaterThan(0);
        told.push(name);
        resolve();
      });
    });
  await look("first");
  clock.ms = 99;
  void look("early");
  clock.ms = 100;
  await look("due");
  expect(told).toEqual(["first", "due"]);
});

test("what cannot be looked at is looked at again", async () => {
  const later = join(directory, "later");
  const { clock, space } = watch(later);
  const found: number[] = [];
  space.look((free) => found.push(free));
  await Bun.write(join(later, "file"), "");
  for (; found.length === 0; await Bun.sleep(1)) {
    clock.ms += 100;
    space.look((free) => found.push(free));
  }
  expect(found[0]).toBeGreaterThan(0);
});
