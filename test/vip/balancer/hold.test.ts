import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold, holdMap, release } from "../../../src/vip/balancer/hold.ts";

/** What a haproxy is told that answers nothing. */
async function told(work: (path: string) => Promise<void>): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "hold-"));
  const path = join(directory, "socket");
  const commands: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("data", (data) => commands.push(data.toString().trim()));
    socket.on("end", () => socket.end("\n"));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await work(path);
  server.close();
  await rm(directory, { recursive: true });
  return commands;
}

test("a hold ends by itself, and one after another is as long as the last", async () => {
  const commands = await told((path) => hold("minio", 30, 1_000_200, path));
  expect(commands).toEqual([`del map ${holdMap} minio; add map ${holdMap} minio 1031`]);
});

test("what waits goes on", async () => {
  expect(await told((path) => release("minio", path))).toEqual([`del map ${holdMap} minio`]);
});

test("where no haproxy runs nothing waits", async () => {
  await hold("minio", 30, 0, "/nowhere/socket");
  await release("minio", "/nowhere/socket");
});
