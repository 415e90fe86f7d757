import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chunkBytes } from "../../src/bundle/chunks.ts";
import { pullFiles, type PullOptions, type Source } from "../../src/bundle/pull.ts";
import { Channel } from "../../src/cluster/channel.ts";
import { failed } from "../../src/core/errors.ts";
import { SimClock } from "../cluster/sim.ts";
import { waitUntil } from "../lab/wait.ts";
import { failure } from "../plan/failure.ts";
import { about } from "./forge.ts";

/** No part of it is like another. */
const text = (seed: number, length: number) =>
  Array.from({ length: Math.ceil(length / 8) }, (_, at) => String(seed * 1e6 + at).padStart(8, "0"))
    .join("")
    .slice(0, length);
const contents = new Map(
  Array.from({ length: 12 }, (_, at) => [`repo/pool/p${at}.deb`, text(at, 1000 * at + 7)]),
);
const files = [...contents].map(([name, content]) => about(name, content));
const total = files.reduce((sum, { size }) => sum + size, 0);
const pieceBytes = 1000;

const sumOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let directory: string;
let places: { coming: string; whole: string };
let asked: { node: string; name: string; offset: number }[];
let arrived: number;
/** By the node that they came from. */
let given: Map<string | undefined, number>;
let warnings: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-node-pull-"));
  places = { coming: join(directory, "coming"), whole: join(directory, "whole") };
  asked = [];
  arrived = 0;
  given = new Map();
  warnings = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A node with all files; `give` may change or refuse its answers. */
function source(
  node: string,
  give: (piece: Buffer, name: string, offset: number) => Buffer = (piece) => piece,
): Source {
  return {
    node,
    async read(name, offset) {
      asked.push({ node, name, offset });
      await Bun.sleep(0);
      return give(Buffer.from(contents.get(name) ?? "").subarray(offset, offset + pieceBytes), name, offset);
    },
  };
}

const optionsOf = (sources: readonly Source[], signal = new AbortController().signal): PullOptions => ({
  files,
  places,
  find: () => Promise.resolve(sources),
  signal,
  arrived(bytes, node) {
    arrived += bytes;
    given.set(node, (given.get(node) ?? 0) + bytes);
  },
  warn: (message) => void warnings.push(message),
});
const pull = (sources: readonly Source[], signal?: AbortSignal) => pullFiles(optionsOf(sources, signal));

async function expectWhole(): Promise<void> {
  for (const [name, content] of contents)
    expect(await readFile(join(places.whole, name), "utf8")).toBe(content);
  expect(arrived).toBe(total);
}

const gone = () => {
  throw failed("peer.unreachable", "it is gone");
};

test("from one node", async () => {
  await pull([source("a")]);
  await expectWhole();
});

test("two nodes share the work, and no piece is asked for twice", async () => {
  await pull([source("a"), source("b")]);
  await expectWhole();
  const of = (node: string) => asked.filter((one) => one.node === node).length;
  expect(of("a")).toBeGreaterThan(asked.length / 4);
  expect(of("b")).toBeGreaterThan(asked.length / 4);
  expect(new Set(asked.map(({ name, offset }) => `${name} ${offset}`)).size).toBe(asked.length);
});

describe("a node that", () => {
  test("ends half-way: the others go on where it ended", async () => {
    let left = 20;
    await pull([source("a", (piece) => (left-- > 0 ? piece : gone())), source("b")]);
    await expectWhole();
    // What it was asked for when it ended.
    expect(asked.length).toBe(new Set(asked.map(({ name, offset }) => `${name} ${offset}`)).size + 1);
    expect(warnings).toEqual([]);
  });

  test("ends when the others have nothing left to do: they are asked again", async () => {
    const slow: Source = {
      node: "slow",
      async read() {
        while (asked.filter(({ offset }) => offset === 0).length < files.length - 1) await Bun.sleep(0);
        return gone();
      },
    };
    await pull([slow, source("b")]);
    await expectWhole();
  });

  test.each<[string, (piece: Buffer, name: string) => Buffer]>([
    [
      "gives other bytes",
      (piece, name) => (name.endsWith("p3.deb") ? Buffer.alloc(piece.length, "x") : piece),
    ],
    ["gives too few", (piece, name) => (name.endsWith("p3.deb") ? piece.subarray(0, 0) : piece)],
    ["gives too many", (piece, name) => (name.endsWith("p3.deb") ? Buffer.concat([piece, piece]) : piece)],
  ])("%s is asked no more, and nothing of it counts", async (_, give) => {
    expect(await failure(pull([source("a", give)]))).toMatchObject({
      code: "bundle.pull_failed",
      message: expect.stringContaining("a has another repo/pool/p3.deb than was signed"),
    });
    arrived = 0;
    await pull([source("a", give), source("b")]);
    await expectWhole();
    const warning = "a has another repo/pool/p3.deb than was signed: it is asked no more";
    expect(new Set(warnings)).toEqual(new Set([warning]));
  });
});

test("cut off, it goes on: only what is missing is asked for", async () => {
  let left = 30;
  const cut = source("a", (piece) => (left-- > 0 ? piece : gone()));
  expect(await failure(pull([cut]))).toMatchObject({ code: "bundle.pull_failed", exit: 1 });
  const before = 30;
  [asked, arrived] = [[], 0];
  await pull([source("a")]);
  await expectWhole();
  const pieces = files.reduce((sum, { size }) => sum + Math.ceil(size / pieceBytes), 0);
  expect(before + asked.length).toBe(pieces);
});

test("what an earlier pull left and is not of the file is replaced", async () => {
  await mkdir(join(places.coming, "repo/pool"), { recursive: true });
  await writeFile(join(places.coming, "repo/pool/p2.deb"), "something else");
  await writeFile(join(places.coming, "repo/pool/p3.deb"), "x".repeat(50_000));
  await pull([source("a")]);
  await expectWhole();
});

test("without any node it says so; an abort ends it", async () => {
  expect(await failure(pull([]))).toMatchObject({ code: "bundle.pull_failed" });
  const controller = new AbortController();
  const stops = source("a", (piece) => {
    controller.abort(new Error("interrupted"));
    return piece;
  });
  expect(await failure(pull([stops], controller.signal))).toEqual(new Error("interrupted"));
});

/** One piece after the other, as over its network line. */
function line(): (piece: Buffer) => Promise<Buffer> {
  let last: Promise<unknown> = Promise.resolve();
  return (piece) => {
    const next = last.then(() => Bun.sleep(1)).then(() => piece);
    last = next;
    return next;
  };
}

describe("a file of several chunks", () => {
  const big = randomBytes(2 * chunkBytes + 1000);
  const name = "repo/pool/big.deb";
  const sums = [0, 1, 2].map((at) => sumOf(big.subarray(at * chunkBytes, (at + 1) * chunkBytes)));
  const file = { version: "1", origin: "test", name, sha256: sumOf(big), size: big.length, chunks: sums };
  /** Pieces as an agent gives them; `give` may change them. */
  const bigSource = (
    node: string,
    give: (piece: Buffer, offset: number) => Buffer = (piece) => piece,
  ): Source => ({
    node,
    async read(_, offset) {
      asked.push({ node, name, offset });
      await Bun.sleep(0);
      return give(Buffer.from(big.subarray(offset, offset + (256 << 10))), offset);
    },
  });
  const pullBig = (sources: readonly Source[]) => pullFiles({ ...optionsOf(sources), files: [file] });
  const chunkOf = (offset: number) => Math.floor(offset / chunkBytes);

  test("comes from several nodes at once", async () => {
    await pullBig([bigSource("a"), bigSource("b")]);
    expect(sumOf(await readFile(join(places.whole, name)))).toBe(file.sha256);
    expect(new Set(asked.map(({ node }) => node))).toEqual(new Set(["a", "b"]));
    expect([arrived, warnings]).toEqual([big.length, []]);
  });

  test("a chunk that is wrong is found when it is there, told of, and taken from another node", async () => {
    const hostile = bigSource("mallory", (piece, offset) => {
      if (offset === chunkBytes) piece[0] = (piece[0] ?? 0) ^ 1;
      return piece;
    });
    const find = () => Promise.resolve(warnings.length === 0 ? [hostile] : [hostile, bigSource("b")]);
    await pullFiles({ ...optionsOf([]), find, files: [file] });
    expect(sumOf(await readFile(join(places.whole, name)))).toBe(file.sha256);
    expect(warnings).toEqual([`mallory has another ${name} than was signed: it is asked no more`]);
    const again = new Set(asked.filter(({ node }) => node === "b").map(({ offset }) => chunkOf(offset)));
    expect(again).toEqual(new Set([1, 2]));
    expect([...given]).toEqual([
      ["mallory", chunkBytes],
      ["b", big.length - chunkBytes],
    ]);
  });

  test("what two brought together and is wrong is brought again by one, and the honest one is not named", async () => {
    let left = 4;
    const hostile = bigSource("mallory", (piece) => (left-- > 0 ? Buffer.alloc(piece.length) : gone()));
    await pullBig([hostile]).catch(() => undefined);
    [arrived, given] = [0, new Map()];
    await pullBig([bigSource("b")]);
    expect(sumOf(await readFile(join(places.whole, name)))).toBe(file.sha256);
    expect(warnings).toEqual([]);
    // What an earlier pull left, and was not of the file, was taken back.
    expect(given).toEqual(
      new Map([
        [undefined, 0],
        ["b", big.length],
      ]),
    );
  });

  test("cut off, its whole chunks are not asked for again", async () => {
    const cut = bigSource("a", (piece, offset) => (chunkOf(offset) < 2 ? piece : gone()));
    await pullBig([cut]).catch(() => undefined);
    [asked, arrived] = [[], 0];
    await pullBig([bigSource("a")]);
    expect(asked.map(({ offset }) => chunkOf(offset))).toEqual([2]);
    expect(arrived).toBe(big.length);
  });
});

describe("patience", () => {
  /** A pull whose time passes only in the test; `over` once it has ended. */
  function start(find: () => readonly Source[]) {
    const clock = new SimClock();
    const pulling = { over: false };
    const work = pullFiles({ ...optionsOf([]), clock, find: () => Promise.resolve(find()) });
    const ended = work
      .then(
        () => "done",
        (error: unknown) => error,
      )
      .finally(() => (pulling.over = true));
    /** Lets a little time pass until it is so: real files are written meanwhile. */
    const until = (what: string, ask: () => boolean | Promise<boolean>) =>
      waitUntil(what, 10_000, async () => (await clock.run(10), ask()), 5);
    return { clock, pulling, ended, until, untilOver: () => until("the end", () => pulling.over) };
  }
  const brought = async () => (await readdir(places.whole, { recursive: true }).catch(() => [])).length;
  let begun: string[];
  beforeEach(() => (begun = []));
  const silent: Source = {
    node: "silent",
    read: (name) => (begun.push(name), new Promise(() => undefined)),
  };
  /** True when all are there but so many; two directories are above them. */
  const allBut = async (count: number) => (await brought()) === files.length - count + 2;

  test("a node that stands still is given up after 20 s, and others bring what it was asked for", async () => {
    const { clock, pulling, ended, until, untilOver } = start(() => [silent, source("b")]);
    await until("the others", () => allBut(1));
    const { length } = asked;
    await clock.run(19_000);
    expect([pulling.over, asked.length]).toEqual([false, length]);
    await clock.run(1000);
    await untilOver();
    expect(await ended).toBe("done");
    await expectWhole();
  });

  test("alone, it is named", async () => {
    const { ended, clock, until, untilOver } = start(() => [silent]);
    await until("it to be asked", () => begun.length === 1);
    await clock.run(20_000);
    await untilOver();
    expect(await ended).toMatchObject({
      code: "bundle.pull_failed",
      message: expect.stringContaining("silent has not answered for 20 s"),
    });
  });

  test("nodes that all wait for the rest are given up when nothing came for 20 s", async () => {
    const few = new Set(files.slice(0, 10).map(({ name }) => name));
    let looks = 0;
    const partial = { ...source("a"), has: () => (looks++, Promise.resolve(few)) };
    const { clock, pulling, ended, until, untilOver } = start(() => [partial]);
    await until("what it has", () => allBut(2));
    // A file is seen in its place before its bringing is over, at whose end patience begins.
    const before = looks;
    await until("it to be asked in vain, twice", () => looks > before + 1);
    await clock.run(19_000);
    expect(pulling.over).toBe(false);
    await clock.run(1000);
    await untilOver();
    expect(await ended).toMatchObject({ code: "bundle.pull_failed" });
  });

  test("what only a node has that went away comes from one that has them all", async () => {
    const all = new Set(files.map(({ name }) => name));
    const stops = Promise.withResolvers<void>();
    const first: Source = {
      node: "first",
      read: (name) => (begun.push(name), stops.promise.then(gone)),
    };
    const other = { ...source("other"), has: () => Promise.resolve(all) };
    let there: readonly Source[] = [first];
    const { ended, until, untilOver } = start(() => there);
    await until("the first one to be asked", () => begun.length === 1);
    there = [first, other];
    await until("what the other one can bring", () => allBut(1));
    there = [first, source("last")];
    stops.resolve();
    await untilOver();
    expect(await ended).toBe("done");
    await expectWhole();
  });

  test.each<[string, (socket: Socket) => void]>([
    ["is cut in the middle of a chunk", (socket) => void socket.destroy()],
    ["stalls there", () => undefined],
  ])("over a real connection that %s", async (_, end) => {
    let left = 10;
    const server = createServer((socket) => {
      const serve = (method: string, params: unknown) => {
        const { name, offset } = params as { name: string; offset: number };
        if (left-- > 0)
          return source("a")
            .read(name, offset)
            .then((piece) => Buffer.from(piece).toString("base64"));
        end(socket);
        return new Promise<never>(() => undefined);
      };
      void new Channel(socket, { limit: 1 << 20, peer: "asker", serve });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const channel = new Channel(connect((server.address() as AddressInfo).port, "127.0.0.1"), {
      limit: 1 << 20,
      peer: "a",
    });
    const remote: Source = {
      node: "a",
      read: async (name, offset) =>
        Buffer.from((await channel.request("bundle.read", { name, offset }, 60_000)) as string, "base64"),
    };
    try {
      let there: readonly Source[] = [remote];
      const { clock, ended, until, untilOver } = start(() => there);
      await until("the end of its answers", () => left < 0);
      there = [remote, source("b")];
      await clock.run(20_000);
      await untilOver();
      expect(await ended).toBe("done");
      await expectWhole();
    } finally {
      channel.close();
      server.close();
    }
  });
});

test("nodes that take it at the same time have most of it from each other", async () => {
  const served = new Map<string, number>();
  const nodes = ["a", "b", "c", "d", "e"];
  // A second on one line: several looks at what the others have.
  const many = new Map(Array.from({ length: 100 }, (_, at) => [`p${at}`, String(at % 10).repeat(1000)]));
  const wholeOf = (node: string) => join(directory, node, "whole");
  const give = (node: string) => {
    const send = line();
    return async (name: string, offset: number) => {
      const piece = Buffer.from(many.get(name) ?? "").subarray(offset, offset + 100);
      served.set(node, (served.get(node) ?? 0) + piece.length);
      return send(piece);
    };
  };
  const has = async (node: string) => new Set(await readdir(wholeOf(node)).catch(() => [] as string[]));
  const others = nodes.map((node): Source => ({ node, read: give(node), has: () => has(node) }));
  const seed: Source = { node: "seed", read: give("seed") };
  await Promise.all(
    nodes.map((node) =>
      pullFiles({
        files: [...many].map(([name, content]) => about(name, content)),
        places: { coming: join(directory, node, "coming"), whole: wholeOf(node) },
        find: () => Promise.resolve([seed, ...others.filter((other) => other.node !== node)]),
        signal: new AbortController().signal,
        arrived: () => undefined,
        warn: () => undefined,
      }),
    ),
  );
  for (const node of nodes) {
    for (const [name, content] of many) {
      expect(await readFile(join(wholeOf(node), name), "utf8")).toBe(content);
    }
  }
  const all = [...served.values()].reduce((sum, bytes) => sum + bytes, 0);
  expect(all).toBe(nodes.length * 100_000);
  expect(Math.max(...served.values())).toBeLessThan(all / 2);
});
