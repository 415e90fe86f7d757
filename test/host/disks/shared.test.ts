import { expect, test } from "bun:test";
import { shared } from "../../../src/host/disks/shared.ts";

/** Long enough for another one to begin. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test("one after another, of whatever kind; who asks meanwhile shares the next one", async () => {
  const log: string[] = [];
  const meanwhile: Promise<unknown>[] = [];
  const run = async (name: string) => {
    log.push(`${name} begins`);
    if (meanwhile.length === 0) meanwhile.push(a(), b(), a());
    await turns();
    log.push(`${name} ends`);
  };
  const a = shared(() => run("a"));
  const b = shared(() => run("b"));
  await a();
  await Promise.all(meanwhile);
  expect(log).toEqual(["a begins", "a ends", "a begins", "a ends", "b begins", "b ends"]);
});

test("one that fails holds nobody up", async () => {
  let fails = true;
  const look = shared(() => (fails ? Promise.reject(new Error("no")) : Promise.resolve("yes")));
  const first = look();
  expect(await first.catch((error: Error) => error.message)).toBe("no");
  fails = false;
  expect(await look()).toBe("yes");
});
