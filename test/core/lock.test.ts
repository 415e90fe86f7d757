import { expect, test } from "bun:test";
import { agentHolder, withLock } from "../../src/core/lock.ts";

test("a second run is refused at once and told who holds the lock", async () => {
  await withLock("test-refused", "join", async () => {
    const second = withLock("test-refused", "apply", () => Promise.resolve());
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
  const agent = withLock("test-agent", agentHolder, async () => {
    await gate.promise;
    order.push("agent");
  });
  const command = withLock("test-agent", "join", () => Promise.resolve(order.push("join")));
  gate.resolve();
  await Promise.all([agent, command]);
  expect(order).toEqual(["agent", "join"]);
});

test("the lock is free again after work that failed", async () => {
  const broken = withLock("test-free", "join", () => Promise.reject(new Error("no")));
  await expect(broken).rejects.toThrow("no");
  expect(await withLock("test-free", "join", () => Promise.resolve(1))).toBe(1);
});
