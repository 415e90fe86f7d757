import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../../src/core/clock.ts";
import { form } from "../../../../src/roles/influxdb/guard/form.ts";
import { twinOf } from "../../../../src/roles/influxdb/mate.ts";
import { Record } from "../../../../src/roles/influxdb/record.ts";
import { twinContext, twinNode } from "../context.ts";

/** Nobody else is asked there. */
const address = "127.86.0.1";
const limits = { timeoutMs: 5_000 };
const orgNotFound = { code: "not found", message: 'organization name "chime" not found' };

let directory: string;
let nth = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-form-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function recordOf(wasJoined: boolean): Promise<Record> {
  const record = await Record.load(join(directory, `${++nth}.json`));
  if (wasJoined) await record.join(90_000, []);
  return record;
}

const clock = systemClock;
const askTokens = () => Promise.resolve(undefined);

let status: number;
let body: unknown;
let http: Bun.Server<undefined>;
beforeEach(() => {
  http = Bun.serve({
    hostname: address,
    port: 8086,
    fetch({ url, method }) {
      if (method !== "GET" && !url.includes("/query?"))
        throw new Error(`${method} ${url}: nothing may be changed`);
      // It was set up, by whomever.
      if (new URL(url).pathname === "/api/v2/setup") return Response.json({ allowed: false });
      return Response.json(body, { status });
    },
  });
});
afterEach(() => http.stop(true));

async function attempt({ wasJoined, alone = false }: { wasJoined: boolean; alone?: boolean }) {
  const members = [{ ...twinNode(1), address }, ...(alone ? [] : [twinNode(2, { liveness: "dead" })])];
  const context = twinContext(members);
  const twin = twinOf(context.self, members);
  return form({ context, twin, record: await recordOf(wasJoined), clock, askTokens }, limits);
}

test("a server with another setup is refused, and told as somebody else's", async () => {
  [status, body] = [401, { code: "unauthorized", message: "unauthorized access" }];
  await expect(attempt({ wasJoined: false })).rejects.toMatchObject({
    code: "influxdb.other_setup",
    exit: 3,
    message: expect.stringContaining("set up by somebody else"),
    remedy: expect.stringContaining("join again"),
  });
});

test("a token that was deleted on a server that was one of the twins is told as that, with what brings it back", async () => {
  [status, body] = [401, { code: "unauthorized", message: "unauthorized access" }];
  await expect(attempt({ wasJoined: true })).rejects.toMatchObject({
    code: "influxdb.token_gone",
    exit: 3,
    message: expect.stringContaining("the server of node1 refuses the administrator's token"),
    remedy: expect.stringContaining("build it anew from node2: chime-node maintenance on;"),
  });
  await expect(attempt({ wasJoined: true, alone: true })).rejects.toMatchObject({
    code: "influxdb.token_gone",
    remedy: expect.stringContaining("backup"),
  });
});

test("an organisation that was renamed or deleted is told as that; of a setup that was cut off nothing is said", async () => {
  [status, body] = [404, orgNotFound];
  await expect(attempt({ wasJoined: true })).rejects.toMatchObject({
    code: "influxdb.org_gone",
    exit: 3,
    message: expect.stringContaining("no organisation chime"),
    remedy: expect.stringContaining("influx org update --id ID --name chime"),
  });
  await expect(attempt({ wasJoined: false, alone: true })).rejects.toMatchObject({
    code: "influxdb.missing",
  });
});

test.each([
  ["the same organisation, and a bucket that was made anew on one of them", "o1", "join"],
  ["another organisation of that name, and points in both", "o2", "influxdb.waits"],
])("two servers that were set up: %s", async (_, theirs, wanted) => {
  const otherAddress = "127.86.0.2";
  const answers = (id: string, bucket: string) => ({
    orgs: [{ id, name: "chime" }],
    buckets: [
      { id: bucket, orgID: id, name: "chime" },
      { id: `${bucket}p`, orgID: id, name: "chime-node", retentionRules: [{ everySeconds: 3_600 }] },
    ],
    authorizations: [],
    content: [{ database: "chime", retention_policy: "autogen", bucketID: bucket }],
    results: [{ series: [{ columns: ["name"], values: [["cpu"]] }] }],
  });
  [status, body] = [200, answers("o1", "b1")];
  const other = Bun.serve({
    hostname: otherAddress,
    port: 8086,
    fetch: () => Response.json(answers(theirs, "b2")),
  });
  try {
    const members = [
      { ...twinNode(1), address },
      { ...twinNode(2), address: otherAddress },
    ];
    const context = twinContext(members);
    const twin = twinOf(context.self, members);
    const forming = { context, twin, record: await recordOf(true), clock, askTokens };
    const done = await form(forming, limits).catch((error: { code: string }) => error.code);
    expect(done).toBe(wanted);
  } finally {
    await other.stop(true);
  }
});
