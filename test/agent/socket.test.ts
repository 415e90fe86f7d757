import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { callAgent, readAgent, serveSocket } from "../../src/agent/socket.ts";
import { refused } from "../../src/core/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "chime-socket-"));
const path = join(directory, "agent.sock");
afterAll(() => rmSync(directory, { recursive: true }));

test("a call returns the handler's answer or its error; strangers get nothing", async () => {
  writeFileSync(path, "left behind by a killed agent");
  const socket = serveSocket(
    {
      echo: (params) => Promise.resolve(params),
      bytes: () => Promise.resolve(Buffer.from([0, 255, 10])),
      no: () => Promise.reject(refused("test.no", "not today", "come back tomorrow")),
    },
    path,
  );
  try {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await callAgent<unknown>("echo", { a: 1 }, { path })).toEqual({ a: 1 });
    await expect(callAgent("no", {}, { path })).rejects.toMatchObject({
      code: "test.no",
      exit: 3,
      remedy: "come back tomorrow",
    });
    expect([...(await readAgent("bytes", {}, { path }))]).toEqual([0, 255, 10]);
    await expect(readAgent("no", {}, { path })).rejects.toMatchObject({ code: "test.no", exit: 3 });
    await expect(readAgent("echo", {}, { path })).rejects.toMatchObject({ code: "agent.unknown_method" });
    await expect(callAgent("toString", {}, { path })).rejects.toMatchObject({ code: "agent.unknown_method" });
  } finally {
    socket.stop();
  }
  await expect(callAgent("echo", {}, { path })).rejects.toMatchObject({ code: "agent.not_running" });
  await expect(readAgent("bytes", {}, { path })).rejects.toMatchObject({ code: "agent.not_running" });
});
