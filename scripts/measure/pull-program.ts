/**
 * A node that takes a bundle's files and gives them on, with the code of `join` and a transport of its own.
 * argv[2]: the manifest's files as JSON; argv[3]: the other nodes' addresses, first the one that has them all. Serves what is in /root/whole.
 */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BundleFile } from "../../src/bundle/manifest.ts";
import { pullFiles, type Source } from "../../src/bundle/pull.ts";

const port = 8899;
const pieceBytes = 256 << 10;
const places = { coming: "/root/coming", whole: "/root/whole" };
const [, , manifest = "", others = ""] = process.argv;
const files = (await Bun.file(manifest).json()) as BundleFile[];
let served = 0;

async function whole(): Promise<string[]> {
  const names = new Set(await readdir(places.whole, { recursive: true }).catch(() => [] as string[]));
  return files.map(({ name }) => name).filter((name) => names.has(name));
}

async function piece(name: string, offset: number): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(join(places.whole, name));
  try {
    const buffer = new Uint8Array(pieceBytes);
    const { bytesRead } = await handle.read(buffer, 0, pieceBytes, offset);
    served += bytesRead;
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function sources(): Promise<Source[]> {
  return others.split(",").map((address, at): Source => {
    const ask = (path: string) => fetch(`http://${address}:${port}${path}`);
    return {
      node: address,
      // The first one in the list has them all.
      ...(at > 0 && { has: async () => new Set((await (await ask("/has")).json()) as string[]) }),
      read: async (name, offset) =>
        (await ask(`/file?name=${encodeURIComponent(name)}&offset=${offset}`)).bytes(),
    };
  });
}

/** Seconds. */
async function take(): Promise<number> {
  const start = performance.now();
  const { signal } = new AbortController();
  await pullFiles({ files, places, find: sources, arrived: () => undefined, warn: console.error, signal });
  return (performance.now() - start) / 1000;
}

Bun.serve({
  port,
  idleTimeout: 255,
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/has") return Response.json(await whole());
    if (pathname === "/served") return Response.json(served);
    if (pathname === "/take") return Response.json(await take());
    return new Response(await piece(searchParams.get("name") ?? "", Number(searchParams.get("offset"))));
  },
});
console.log("serving");
