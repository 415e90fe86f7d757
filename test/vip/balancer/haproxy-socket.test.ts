import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askHaproxy } from "../../../src/vip/balancer/haproxy-socket.ts";

/** Something that listens where haproxy would. */
async function withServer<T>(
  onClient: (client: Socket) => void,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "chime-haproxy-"));
  const path = join(directory, "sock");
  const server = createServer({ allowHalfOpen: true }, onClient);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    return await use(path);
  } finally {
    server.close();
    await rm(directory, { recursive: true });
  }
}

test("the command goes in one line, and all of the answer comes back", async () => {
  const asked: string[] = [];
  const answer = await withServer(
    (client) => {
      client.on("data", (chunk) => asked.push(chunk.toString()));
      client.on("end", () => {
        client.write("# pxname,");
        client.end("svname,\n");
      });
    },
    (path) => askHaproxy("show stat", path),
  );
  expect([answer, asked.join("")]).toEqual(["# pxname,svname,\n", "show stat\n"]);
});

test("no haproxy is no answer", async () => {
  expect(await askHaproxy("show stat", "/nonexistent/haproxy.sock")).toBeUndefined();
});

test("an answer without end is not waited for", async () => {
  const endless = (client: Socket) => {
    client.on("error", () => undefined);
    const more = () => {
      while (client.write(Buffer.alloc(65_536, "x")));
    };
    client.on("drain", more);
    more();
  };
  await expect(withServer(endless, (path) => askHaproxy("show stat", path))).rejects.toMatchObject({
    code: "balancer.stats",
    message: "haproxy answers with more than 1 MiB",
  });
});

test("a file in its place is no haproxy either", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-haproxy-"));
  await writeFile(join(directory, "sock"), "");
  // ECONNREFUSED, as of a socket that nobody listens at any more.
  expect(await askHaproxy("show stat", join(directory, "sock"))).toBeUndefined();
  await rm(directory, { recursive: true });
});
