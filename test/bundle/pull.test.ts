import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pullFiles, type Source } from "../../src/bundle/pull.ts";
import { failed } from "../../src/core/errors.ts";
import { failure } from "../plan/failure.ts";
import { about } from "./forge.ts";

const contents = new Map(
  Array.from({ length: 12 }, (_, at) => [`repo/pool/p${at}.deb`, String(at).repeat(1000 * at + 7)]),
);
const files = [...contents].map(([name, content]) => about(name, content));
const total = files.reduce((sum, { size }) => sum + size, 0);
const pieceBytes = 1000;

let directory: string;
let places: { coming: string; whole: string };
let asked: { node: string; name: string; offset: number }[];
let arrived: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-node-pull-"));
  places = { coming: join(directory, "coming"), whole: join(directory, "whole") };
  asked = [];
  arrived = 0;
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

const pull = (sources: readonly Source[], signal = new AbortController().signal) =>
  pullFiles({
    files,
    places,
    find: () => Promise.resolve(sources),
    signal,
    arrived: (bytes) => void (arrived += bytes),
  });

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
    expect(asked.length).toBe(new Set(asked.map(({ name, offset }) => `${name} ${offset}`)).size + 1);
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
  });
});

test("cut off, it goes on: only what is missing is asked for", async () => {
  let left = 30;
  const cut = source("a", (piece) => (left-- > 0 ? piece : gone()));
  expect(await failure(pull([cut]))).toMatchObject({ code: "bundle.pull_failed", exit: 1 });
  const before = asked.length - 1;
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
