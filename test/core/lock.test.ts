import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { agentHolder, withLock } from "../../src/core/lock.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-lock-"));
afterAll(() => rm(directory, { recursive: true }));

function lock<T>(name: string, holder: string, work: () => Promise<T>): Promise<T> {
  return withLock(name, holder, work, directory);
}

test("a second run is refused at once and told who holds the lock", async () => {
  await lock("refused", "join", async () => {
    const second = lock("refused", "apply", () => Promise.resolve());
    await expect(second).rejects.toMatchObject({
      code: "lock.held",
      exit: 3,
      message: expect.stringContaining("join (pid"),
    });
  });
});

test("a command waits for the agent's own run", async () => {
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const agent = lock("agent", agentHolder, async () => {
    await gate.promise;
    order.push("agent");
  });
  const command = lock("agent", "join", () => Promise.resolve(order.push("join")));
  gate.resolve();
  await Promise.all([agent, command]);
  expect(order).toEqual(["agent", "join"]);
});

test("the lock is free again after work that failed", async () => {
  const broken = lock("free", "join", () => Promise.reject(new Error("no")));
  await expect(broken).rejects.toThrow("no");
  expect(await lock("free", "join", () => Promise.resolve(1))).toBe(1);
});

test("a child that outlives the run does not keep the lock", async () => {
  const { stdout } = await lock("child", "apply", () =>
    exec(["sh", "-c", "sleep 5 >/dev/null 2>&1 & echo $!"]),
  );
  try {
    expect(await lock("child", "join", () => Promise.resolve(1))).toBe(1);
  } finally {
    process.kill(Number(stdout), "SIGKILL");
  }
});

test("a user who is not root can neither hold it nor stand in its way", async () => {
  const private0700 = join(directory, "run");
  await withLock("apply", "join", () => Promise.resolve(), private0700);
  expect((await stat(private0700)).mode & 0o777).toBe(0o700);
  expect((await stat(join(private0700, "apply.lock"))).mode & 0o777).toBe(0o600);
  // What any local user can do: take a name in the abstract name space.
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen("\0chime-node/apply", resolve));
  try {
    expect(await withLock("apply", "join", () => Promise.resolve(1), private0700)).toBe(1);
  } finally {
    squatter.close();
  }
});
