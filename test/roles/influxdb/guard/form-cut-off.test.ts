import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
import { ChimeError } from "../../../../src/core/errors.ts";
import { form } from "../../../../src/roles/influxdb/guard/form.ts";
import { twinOf } from "../../../../src/roles/influxdb/mate.ts";
import { Record } from "../../../../src/roles/influxdb/record.ts";
import { twinContext, twinNode, type Said } from "../context.ts";

/** Nobody else is asked there. */
const addresses = ["127.86.1.1", "127.86.1.2"] as const;

interface StandIn {
  /** By ID; null: nobody has set it up. */
  org: string | null;
  /** By their names. */
  otherOrgs: string[];
  /** Whose users and notebooks it has. */
  sql: string;
  buckets: string[];
  measurements: string[];
}

let own: StandIn;
let other: StandIn;
/** Which request to either is answered by an error, and whether it was done all the same. */
let cut: { at: number; isDone: boolean } | undefined;
let requests = 0;
let served: Bun.Server<undefined>[];
beforeEach(() => {
  [cut, requests] = [undefined, 0];
  served = addresses.map((hostname, nth) =>
    Bun.serve({
      hostname,
      port: 8086,
      async fetch(request) {
        const isCut = cut?.at === requests++;
        if (isCut && !cut?.isDone) return new Response("{}", { status: 500 });
        const answer = await answered(nth === 0 ? own : other, request);
        return isCut ? new Response("{}", { status: 500 }) : answer;
      },
    }),
  );
});
afterEach(() => Promise.all(served.map((one) => one.stop(true))));

async function answered(server: StandIn, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const asked = `${request.method} ${pathname.replace("/api/v2/", "")}`;
  const body = await request.text();
  if (asked === "GET setup") return Response.json({ allowed: server.org === null });
  if (asked === "POST setup") {
    Object.assign(server, { ...empty("own"), buckets: [(JSON.parse(body) as { bucket: string }).bucket] });
    return Response.json({}, { status: 201 });
  }
  if (asked === "GET backup/metadata") {
    const parts = ["kv", "sql"].map(
      (name) => `--b\r\nContent-Disposition: attachment; name="${name}"\r\n\r\n${server.org}\r\n`,
    );
    const headers = { "content-type": "multipart/mixed; boundary=b" };
    return new Response(`${parts.join("")}--b--\r\n`, { headers });
  }
  if (asked === "POST restore/kv") Object.assign(server, { org: body, buckets: [...other.buckets] });
  if (asked === "POST restore/sql") server.sql = body;
  if (asked === "POST buckets") {
    const { name } = JSON.parse(body) as { name: string };
    server.buckets.push(name);
    return Response.json({ id: name, orgID: server.org, name });
  }
  if (asked === "POST /query") {
    const values = server.measurements.map((name) => [name]);
    return Response.json({ results: [values.length > 0 ? { series: [{ columns: ["name"], values }] } : {}] });
  }
  return Response.json({
    orgs: ["chime", ...server.otherOrgs].map((name) => ({ id: server.org, name })),
    buckets: server.buckets.map((name) => ({
      id: name,
      name,
      retentionRules: [{ everySeconds: name === "chime" ? 0 : 3_600 }],
    })),
    authorizations: [],
    content: server.buckets.map((name) => ({ database: name, retention_policy: "autogen", bucketID: name })),
  });
}

const empty = (org: string): StandIn => ({
  org,
  otherOrgs: [],
  sql: org,
  buckets: ["chime"],
  measurements: [],
});
const fresh: StandIn = { org: null, otherOrgs: [], sql: "", buckets: [], measurements: [] };
const whole: StandIn = { ...empty("other"), buckets: ["chime", "chime-node"], measurements: ["cpu"] };

let directory: string;
let nth = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-form-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** What a node remembers that has never been one of the twins, or was whole until a minute ago. */
async function remembered(wasJoined: boolean): Promise<string> {
  const path = join(directory, `${++nth}.json`);
  const record = await Record.load(path);
  if (!wasJoined) return path;
  const lost = Date.now() - 60_000;
  await record.join(lost, []);
  await record.well(lost, "run 1");
  await record.away(lost, true);
  return path;
}

/** One attempt of an agent that has just been started. @returns what was done, or the error's code */
async function attempt(path: string, said: Said = {}): Promise<string> {
  const [address, others] = addresses;
  const members = [
    { ...twinNode(1), address },
    { ...twinNode(2, said), address: others },
  ];
  const context = twinContext(members);
  const [record, twin] = [await Record.load(path), twinOf(context.self, members)];
  const askTokens = () => Promise.resolve(undefined);
  const forming = { context, twin, record, clock: systemClock, askTokens };
  return form(forming, { timeoutMs: 5_000 }).catch((error: unknown) => {
    if (error instanceof ChimeError) return error.code;
    throw error;
  });
}

/** Points of all times are to be filled before it counts as whole. */
async function lacksAll(path: string): Promise<boolean> {
  const { outages } = await Record.load(path);
  return outages.some(({ from, sure, hint, bucket }) => from === 0 && sure && !hint && !bucket);
}

const cases = [true, false].flatMap((wasJoined) => [false, true].map((isDone) => ({ wasJoined, isDone })));

test.each(cases)(
  "a copy that is cut off at any request goes on, and lacks everything then: %j",
  async (of) => {
    for (let at = 0, isCut = true; isCut; at += 1) {
      [own, other] = [{ ...fresh }, { ...whole }];
      const path = await remembered(of.wasJoined);
      [cut, requests] = [{ at, isDone: of.isDone }, 0];
      await attempt(path);
      isCut = at < requests;
      cut = undefined;
      const next = await attempt(path);
      const { wasJoined } = await Record.load(path);
      const found = { at, next, wasJoined, lacksAll: await lacksAll(path), org: own.org, sql: own.sql };
      const wanted = { at, next: expect.stringMatching(/^(copy|join)$/), wasJoined: true, lacksAll: true };
      expect(found).toEqual({ ...wanted, org: "other", sql: "other" });
    }
  },
);

test.each(cases)("while the other one is away, a copy that was cut off waits for it: %j", async (of) => {
  for (let at = 0, isCut = true; isCut; at += 1) {
    [own, other] = [{ ...fresh }, { ...whole }];
    const path = await remembered(of.wasJoined);
    [cut, requests] = [{ at, isDone: of.isDone }, 0];
    const first = await attempt(path);
    isCut = at < requests;
    cut = undefined;
    const next = await attempt(path, { liveness: "dead" });
    expect({ at, next }).toEqual({ at, next: first === "copy" ? "join" : "influxdb.waits" });
  }
});

test("what would be gone with the takeover clients cannot write before it", async () => {
  for (let at = 0, isCut = true; isCut; at += 1) {
    [own, other] = [{ ...fresh }, { ...whole }];
    [cut, requests] = [{ at, isDone: true }, 0];
    await attempt(await remembered(true));
    isCut = at < requests;
    expect({ at, isOpen: own.buckets.includes("chime") }).toEqual({ at, isOpen: own.org === "other" });
  }
});

test.each([true, false])(
  "two that hold nothing need not wait for each other (one of them before: %j)",
  async (wasJoined) => {
    [own, other] = [{ ...fresh }, { ...whole, measurements: [] }];
    const path = await remembered(wasJoined);
    const before = (await Record.load(path)).outages;
    expect(await attempt(path)).toBe("copy");
    const all = { from: 0, to: expect.any(Number), sure: false };
    expect((await Record.load(path)).outages).toEqual([all, ...before]);
  },
);

test("one that was set up apart takes over what the other one knows where it holds nothing", async () => {
  [own, other] = [empty("apart"), { ...whole }];
  const path = await remembered(true);
  expect(await attempt(path)).toBe("copy");
  expect([own.org, await lacksAll(path)]).toEqual(["other", true]);
});

test.each<Partial<StandIn>>([{ measurements: ["cpu"] }, { otherOrgs: ["theirs"] }])(
  "one that was set up apart and has more is left alone, also where it cannot be asked for that: %j",
  async (more) => {
    [own, other] = [{ ...empty("apart"), ...more }, { ...whole }];
    const path = await remembered(true);
    expect(await attempt(path)).toBe("influxdb.waits");
    const all = requests;
    for (let at = 0; at < all; at += 1) {
      [cut, requests] = [{ at, isDone: false }, 0];
      await attempt(path);
      expect({ at, org: own.org }).toEqual({ at, org: "apart" });
    }
  },
);
