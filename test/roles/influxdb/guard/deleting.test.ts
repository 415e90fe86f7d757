import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
import { failed, refused } from "../../../../src/core/errors.ts";
import { bothIncluded } from "../../../../src/roles/influxdb/delete.ts";
import { Begun } from "../../../../src/roles/influxdb/guard/begun.ts";
import { Deleting, type OtherNode, type Own } from "../../../../src/roles/influxdb/guard/deleting.ts";
import { refusedProblems } from "../../../../src/roles/influxdb/guard/refused.ts";

const limits = { timeoutMs: 5_000 };
const wanted = {
  bucket: "chime",
  start: "2026-11-01T00:00:00.000Z",
  stop: "2026-11-02T00:00:00.000Z",
  predicate: "",
};

/** A hundred times as fast. */
const clock = {
  ...systemClock,
  now: () => systemClock.now() * 100,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal),
};

/** A node: its server, which counts what is deleted, and what it keeps. */
interface Node extends Own {
  deleting: Deleting;
  path: string;
  deleted: number;
  status: number;
  /** A predicate that its server does not understand. */
  refuses: string | undefined;
  /** What its server calls the organisation. */
  org: string;
  /** The server is at work until then. */
  held: Promise<unknown>;
  http: Bun.Server<undefined>;
}

let directory: string;
let nodes: Node[];
/** In its order. */
let said: string[];
/** What servers were asked to delete. */
let bodies: { stop: string }[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-deleting-"));
  [said, bodies] = [[], []];
  nodes = ["node1", "node2"].map((name) => {
    const path = join(directory, `${name}.json`);
    const http = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        if (request.method === "GET") return orgsOf(node);
        const body = (await request.json()) as { stop: string; predicate?: string };
        bodies.push(body);
        said.push(`${name} begins`);
        if (body.predicate !== undefined && body.predicate === node.refuses) {
          return Response.json({ code: "invalid", message: "invalid operator" }, { status: 400 });
        }
        const { status } = node;
        await node.held;
        if (status === 204) {
          node.deleted++;
          said.push(`${name} deletes`);
        }
        return new Response(null, { status });
      },
    });
    const server = { address: "127.0.0.1", port: http.port ?? 0, org: "chime" };
    const node: Node = {
      name,
      server,
      path,
      deleting: new Deleting(
        clock,
        {
          halt: () => Promise.resolve(void said.push(`${name} halts`)),
          late: ({ from, to, bucket }) =>
            Promise.resolve(void said.push(`${name} compares ${from} to ${to} of ${bucket}`)),
        },
        path,
      ),
      deleted: 0,
      status: 204,
      refuses: undefined,
      org: "chime",
      held: Promise.resolve(),
      http,
    };
    return node;
  });
});
afterEach(async () => {
  for (const { http } of nodes) await http.stop(true);
  await rm(directory, { recursive: true });
});

/** As InfluxDB answers [tried, 2.7.12]. */
const orgsOf = ({ org }: Node): Response =>
  org === "chime"
    ? Response.json({ orgs: [{ id: "1", name: org }] })
    : Response.json({ code: "not found", message: `organization name "chime" not found` }, { status: 404 });

const pair = () => nodes as [Node, Node];
const mate = (node: Node): OtherNode => other(nodes.find(({ name }) => name !== node.name) ?? node);
const other = (node: Node): OtherNode => ({
  name: node.name,
  stage: () => Promise.resolve(node.deleting.stage),
  isDeleting: () => Promise.resolve(node.deleting.isDeleting),
  // As it comes over the wire.
  ask: async (all) =>
    JSON.parse(
      JSON.stringify(await node.deleting.told(JSON.parse(JSON.stringify(all)), node, mate(node), limits)),
    ),
});
const without = ({ name }: Node, answer: Error): OtherNode => ({
  name,
  ask: () => Promise.reject(answer),
  stage: () => Promise.reject(answer),
  isDeleting: () => Promise.reject(answer),
});
const away = (node: Node) => without(node, failed("peer.unreachable", "away"));
const nobody = { begun: () => {}, awaits: () => {} };
const remove = (node: Node, there: OtherNode, what = wanted) =>
  node.deleting.delete(what, node, there, limits, nobody);

test("it is done on both, once", async () => {
  const [one, two] = pair();
  const { done, pending } = await remove(one, other(two));
  expect([done, pending]).toEqual([["node1", "node2"], []]);
  await two.deleting.settle(two, other(one), limits);
  await one.deleting.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("on a node that is away it is done before that is filled, by whichever of the two asks", async () => {
  for (const asker of [0, 1] as const) {
    const [one, two] = pair();
    const { done, pending } = await remove(one, away(two));
    expect([done, pending]).toEqual([["node1"], ["node2"]]);
    const [asks, answers] = asker === 0 ? [one, two] : [two, one];
    await asks.deleting.settle(asks, other(answers), limits);
    expect(nodes.map(({ deleted }) => deleted)).toEqual([asker + 1, asker + 1]);
  }
});

test("while it is not done on the other server nothing may be filled", async () => {
  const [one, two] = pair();
  two.status = 503;
  expect((await remove(one, other(two))).pending).toEqual(["node2"]);
  await expect(one.deleting.settle(one, other(two), limits)).rejects.toMatchObject({
    code: "influxdb.delete_pending",
  });
  await expect(one.deleting.settle(one, away(two), limits)).rejects.toThrow("away");
  two.status = 204;
  await one.deleting.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("what the server does not understand is done nowhere, and never asked for again", async () => {
  const [one, two] = pair();
  one.status = 400;
  const refused = remove(one, other(two), { ...wanted, predicate: "nonsense" });
  await expect(refused).rejects.toMatchObject({
    code: "influxdb.refused",
    remedy: expect.stringContaining("--where"),
  });
  one.status = 204;
  await one.deleting.settle(one, other(two), limits);
  await two.deleting.settle(two, other(one), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([0, 0]);
});

test("a record that is not understood stops the filling until somebody looked at it", async () => {
  const [one, two] = pair();
  await writeFile(one.path, "{");
  await expect(one.deleting.settle(one, other(two), limits)).rejects.toMatchObject({
    code: "influxdb.deletions",
  });
  await rm(one.path);
  await one.deleting.settle(one, other(two), limits);
});

test("what a peer says is checked", async () => {
  const [one] = pair();
  await expect(one.deleting.told([{ id: "x", bucket: 7 }], one, mate(one), limits)).rejects.toThrow();
});

test("nothing is being filled on either while it is done: what was read before would come back", async () => {
  const [one, two] = pair();
  await remove(one, other(two));
  const first = ["node1 halts", "node2 halts", "node1 begins", "node1 deletes"];
  expect(said).toEqual([...first, "node2 halts", "node2 begins", "node2 deletes"]);
});

test.each<[string, string, string, number, number]>([
  ["of a day", wanted.start, wanted.stop, Date.parse(wanted.start), Date.parse(wanted.stop) + 1],
  ["from before 1970", "1960-01-01T00:00:00.000Z", wanted.stop, 0, Date.parse(wanted.stop) + 1],
  ["before 1970, where a record has no times", "1960-01-01T00:00:00.000Z", "1961-01-01T00:00:00.000Z", 0, 1],
])(
  "where it is done late, that time is compared: points of it may have been written since: %s",
  async (_, start, stop, from, to) => {
    const [one, two] = pair();
    await remove(one, away(two), { ...wanted, start, stop });
    const asked = JSON.parse(await readFile(one.path, "utf8")) as { at: string }[];
    const old = asked.map((deletion) => ({
      ...deletion,
      at: new Date(Date.now() - 3_600_000).toISOString(),
    }));
    said = [];
    await two.deleting.told(old, two, mate(two), limits);
    // The answer does not wait for its end.
    await until(() => said.includes("node2 deletes"));
    expect(said).toEqual([
      "node2 halts",
      `node2 compares ${from} to ${to} of chime`,
      "node2 begins",
      "node2 deletes",
    ]);
  },
);

test("a node that does not answer may fill with what it has read: nothing is deleted until it does", async () => {
  const [one, two] = pair();
  await expect(remove(one, without(two, failed("peer.timeout", "late")))).rejects.toMatchObject({
    code: "peer.timeout",
    message: expect.stringContaining("not deleted on node1 yet"),
  });
  expect(one.deleted).toBe(0);
  await one.deleting.resume(one, other(two), limits);
  expect(said).toEqual(["node1 halts", "node2 halts", "node1 begins", "node1 deletes"]);
});

test("a bucket that a server does not have has nothing to be deleted", async () => {
  const [one, two] = pair();
  two.status = 404;
  expect((await remove(one, other(two))).pending).toEqual([]);
});

test("a server whose organisation was renamed has it still to do", async () => {
  const [one, two] = pair();
  [two.status, two.org] = [404, "renamed"];
  expect((await remove(one, other(two))).pending).toEqual(["node2"]);
  [two.status, two.org] = [204, "chime"];
  await two.deleting.resume(two, mate(two), limits);
  expect(two.deleted).toBe(1);
});

describe("what only the second server does not understand", () => {
  const odd = { ...wanted, predicate: "odd" };
  const range = { from: Date.parse(wanted.start), to: Date.parse(wanted.stop) + 1 };
  const refuse = async () => {
    const [one, two] = pair();
    two.refuses = "odd";
    await expect(remove(one, other(two), odd)).rejects.toMatchObject({
      code: "influxdb.delete_refused",
      message: "deleted on node1, but the server of node2 refuses to delete it",
    });
    return [one, two] as const;
  };
  const deleted = () => nodes.map((node) => node.deleted);

  test("holds up no other deletion, and nothing but its bucket at its time", async () => {
    const [one, two] = await refuse();
    expect((await remove(one, other(two), { ...wanted, bucket: "other" })).pending).toEqual([]);
    expect((await remove(two, other(one), { ...wanted, bucket: "third" })).pending).toEqual([]);
    expect(deleted()).toEqual([3, 2]);
    said = [];
    for (const [asks, answers] of [pair(), pair().toReversed()] as [Node, Node][]) {
      expect(await asks.deleting.settle(asks, other(answers), limits)).toEqual([
        { bucket: "chime", ...range },
      ]);
    }
    expect(said.filter((line) => line.endsWith("halts"))).toEqual([]);
  });

  test("is told in the server's words, and what helps, also by an agent that was restarted", async () => {
    const [one, two] = await refuse();
    await remove(one, other(two), { ...odd, bucket: "other" }).catch(() => undefined);
    const again = new Deleting(
      clock,
      { halt: () => Promise.resolve(), late: () => Promise.resolve() },
      two.path,
    );
    await again.resume(two, mate(two), limits);
    for (const { refused } of [two.deleting, again]) {
      expect(refusedProblems("node2", refused)).toMatchObject([
        {
          code: "influxdb.delete_refused",
          severity: "error",
          node: "node2",
          message: expect.stringMatching(
            /^what was deleted of bucket chime at .* \(2026-11-01T00:00:00Z to 2026-11-02T00:00:00.001Z, where odd; and 1 more\) is still on node2: .* invalid operator$/,
          ),
          remedy: expect.stringContaining("chime-node influxdb delete --bucket chime --from 2026-11-01T"),
        },
      ]);
    }
    expect(one.deleting.refused).toEqual([]);
  });

  test("is done as soon as it does, and nothing is withheld then", async () => {
    const [one, two] = await refuse();
    await two.deleting.resume(two, mate(two), limits);
    two.refuses = undefined;
    await two.deleting.resume(two, mate(two), limits);
    expect([deleted(), two.deleting.refused]).toEqual([[1, 1], []]);
    expect(await one.deleting.settle(one, other(two), limits)).toEqual([]);
  });

  test("is done by another deletion of all that, in a way that it understands", async () => {
    const [one, two] = await refuse();
    const part = { ...wanted, stop: "2026-11-01T12:00:00.000Z" };
    await remove(one, other(two), part);
    expect(await one.deleting.settle(one, other(two), limits)).toHaveLength(1);
    await remove(one, other(two), wanted);
    await two.deleting.resume(two, mate(two), limits);
    expect([await one.deleting.settle(one, other(two), limits), two.deleting.refused]).toEqual([[], []]);
    expect(deleted()).toEqual([3, 2]);
  });
});

test("what ends at a moment ends a nanosecond before it, on both", async () => {
  const [from, to] = [Date.parse("2026-11-01T00:00:00Z"), Date.parse("2026-11-02T00:00:00Z")];
  expect(bothIncluded({ from, to })).toEqual({
    start: "2026-11-01T00:00:00.000Z",
    stop: "2026-11-01T23:59:59.999999999Z",
  });
  expect(bothIncluded({ from: from + 1, to: to + 1 }).stop).toBe("2026-11-02T00:00:00.000999999Z");
  const [one, two] = pair();
  const exact = { ...wanted, ...bothIncluded({ from, to }) };
  const { pending } = await remove(one, other(two), exact);
  expect([pending, bodies.map(({ stop }) => stop)]).toEqual([[], [exact.stop, exact.stop]]);
});

/** Held until it is let go. */
function hold(node: Node): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  node.held = promise;
  return resolve;
}
const until = async (what: () => boolean) => {
  while (!what()) await Bun.sleep(1);
};

test("it is waited for as long as a server is at work, first on one and then on the other, and said for which", async () => {
  const [one, two] = pair();
  const [letOne, letTwo] = [hold(one), hold(two)];
  const awaited: string[] = [];
  const awaits = (name: string) => void awaited.push(name);
  const deletion = one.deleting.delete(wanted, one, other(two), limits, { ...nobody, awaits });
  await until(() => said.includes("node1 begins"));
  // Whoever wants to fill is told so, and makes it begin nowhere else.
  for (const [asks, answers] of [pair(), pair().toReversed()] as [Node, Node][]) {
    await expect(asks.deleting.settle(asks, other(answers), limits)).rejects.toMatchObject({
      code: "influxdb.delete_pending",
      message: expect.stringContaining("not deleted on node1 and node2 yet"),
    });
  }
  expect([awaited, said.filter((line) => line.endsWith("begins"))]).toEqual([["node1"], ["node1 begins"]]);
  letOne();
  await until(() => said.includes("node2 begins"));
  await expect(one.deleting.settle(one, other(two), limits)).rejects.toMatchObject({
    code: "influxdb.delete_pending",
    message: expect.stringContaining("not deleted on node2 yet"),
  });
  letTwo();
  expect(await deletion).toMatchObject({ done: ["node1", "node2"], pending: [] });
  expect([awaited, nodes.map(({ deleted }) => deleted)]).toEqual([
    ["node1", "node2"],
    [1, 1],
  ]);
});

test("two that are asked for at once, on both nodes, are done on one server at a time", async () => {
  const [one, two] = pair();
  for (const node of nodes) node.held = systemClock.sleep(50);
  await Promise.all([
    remove(one, other(two)),
    remove(two, other(one), { ...wanted, predicate: '_measurement="cpu"' }),
  ]);
  await one.deleting.settle(one, other(two), limits);
  const works = said.filter((line) => / (begins|deletes)$/.test(line));
  expect(works).toHaveLength(8);
  for (const [i, line] of works.entries()) {
    if (i % 2 === 0) expect([line, works[i + 1]]).toEqual([line, line.replace("begins", "deletes")]);
  }
});

test("an agent that is restarted meanwhile goes on with it by itself, and tells the other one when it is done", async () => {
  const [one, two] = pair();
  hold(one);
  const deletion = remove(one, other(two));
  await until(() => said.includes("node1 begins"));
  deletion.catch(() => undefined);
  const again = new Deleting(
    clock,
    { halt: () => Promise.resolve(), late: () => Promise.resolve() },
    one.path,
  );
  one.deleting = again;
  await two.deleting.told(JSON.parse(await readFile(one.path, "utf8")), two, mate(two), limits);
  await two.deleting.resume(two, mate(two), limits);
  expect(two.deleted).toBe(0);
  one.held = Promise.resolve();
  await again.resume(one, mate(one), limits);
  await again.settle(one, other(two), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("a server that fails at it is said at once, and what is written down is done when it is well again", async () => {
  const [one, two] = pair();
  one.status = 500;
  await expect(remove(one, other(two))).rejects.toMatchObject({
    code: "influxdb.broken",
    message: expect.stringContaining("not deleted on node1 yet"),
    remedy: expect.stringContaining("tries again each minute"),
  });
  one.status = 204;
  await one.deleting.resume(one, mate(one), limits);
  await two.deleting.settle(two, other(one), limits);
  expect(nodes.map(({ deleted }) => deleted)).toEqual([1, 1]);
});

test("one that was asked for beside another is done, too, also where that fails", async () => {
  const [one, two] = pair();
  const end = hold(one);
  one.status = 500;
  const first = remove(one, other(two));
  await until(() => said.includes("node1 begins"));
  one.status = 204;
  const waiting = Promise.withResolvers<string>();
  const awaits = (name: string) => waiting.resolve(name);
  const what = { ...wanted, bucket: "other" };
  const second = one.deleting.delete(what, one, other(two), limits, { ...nobody, awaits });
  expect(await waiting.promise).toBe("node1");
  end();
  await expect(first).rejects.toMatchObject({ code: "influxdb.broken" });
  expect((await second).pending).toEqual([]);
});

describe("what the command line has begun", () => {
  const done = { id: "x", done: ["node1"], pending: [] };
  const begin = (work: Parameters<Begun["begin"]>[0]) => {
    const begun = new Begun(clock);
    return { begun, id: begun.begin(work) };
  };

  test("is known as soon as it is written down, says for whom it waits, and what became of it", async () => {
    const end = Promise.withResolvers<typeof done>();
    const { begun, id } = begin(({ begun, awaits }) => {
      begun("x");
      awaits("node1");
      return end.promise;
    });
    expect(await begun.progress(await id)).toEqual({ awaiting: "node1", result: null, failure: null });
    end.resolve(done);
    expect(await begun.progress("x")).toMatchObject({ result: done, failure: null });
  });

  test("is refused as it is, where it cannot begin", async () => {
    const no = refused("influxdb.repairing", "a repair is under way", "wait");
    await expect(begin(() => Promise.reject(no)).id).rejects.toBe(no);
  });

  test("failed, says why", async () => {
    const { begun, id } = begin(({ begun }) => {
      begun("x");
      return Promise.reject(failed("influxdb.broken", "no", "look"));
    });
    const failure = { code: "influxdb.broken", message: "no", node: null, remedy: "look" };
    expect(await begun.progress(await id)).toMatchObject({ result: null, failure });
  });

  test("by an agent that was restarted, is not known", async () => {
    await expect(new Begun(clock).progress("x")).rejects.toMatchObject({ code: "influxdb.no_deletion" });
  });
});
