import { expect, test } from "bun:test";
import type { MemberView } from "../../../src/cluster/types.ts";
import { influxdbStatus } from "../../../src/roles/influxdb/status.ts";
import { twinContext, twinNode } from "./context.ts";

const gap = {
  since: "2026-11-22T08:00:00.000Z",
  away: 4,
  done: 0.5,
  trouble: null,
  remedy: null,
  busy: false,
};
const told = (...members: MemberView[]) => influxdbStatus(twinContext(members), members);
const codes = (...members: MemberView[]) =>
  told(...members).problems.map(({ code, severity, node }) => `${severity} ${code} ${node}`);

test("nothing is wrong with two that have everything", () => {
  const { status, problems } = told(twinNode(1), twinNode(2));
  expect(problems).toEqual([]);
  expect(status).toMatchObject({ topology: "twin", engine: "influxdb" });
  expect(status.nodes.map(({ name, state, complete }) => [name, state, complete])).toEqual([
    ["node1", "serving", true],
    ["node2", "serving", true],
  ]);
});

test("one that may lack points is an error, and says who has more", () => {
  expect(codes(twinNode(1), twinNode(2, { gap }))).toEqual(["error influxdb.gap node2"]);
  const [problem] = told(twinNode(1), twinNode(2, { gap })).problems;
  expect(problem?.message).toContain("50 %");
  expect(problem?.remedy).toContain("node1 serves");
});

test("where nobody knows since when, no day of 1970 is told", () => {
  const since = "1970-01-01T00:00:00.000Z";
  const [missing] = told(twinNode(1), twinNode(2, { gap: { ...gap, since } })).problems;
  expect(missing?.message).toStartWith("the server of node2 may lack points of any time, ");
  const unsure = { ...gap, since, away: 0, trouble: "not now" };
  const [uncompared] = told(twinNode(1), twinNode(2, { gap: unsure })).problems;
  expect(uncompared?.message).toBe("what node2 has of any time could not be compared: not now");
});

test("who reads status is not told to run it", () => {
  const trouble = "the server at 10.0.0.12:8086 did not answer within 60 s";
  for (const away of [0, 4]) {
    const stuck = { ...gap, away, trouble, remedy: "chime-node status" };
    const [problem] = told(twinNode(1), twinNode(2, { gap: stuck })).problems;
    expect(problem?.message).toContain(trouble);
    expect(problem?.remedy).toContain(away === 0 ? "chime-node influxdb compare" : "node1 serves");
  }
});

test("nobody knows of points that are missing: it is compared, and no problem yet", () => {
  const { status, problems } = told(twinNode(1), twinNode(2, { gap: { ...gap, away: 0 } }));
  expect([problems, status.nodes[1]?.complete]).toEqual([[], true]);
});

test("late points of older times are not looked for yet: said, and no problem", () => {
  const before = "2026-11-16T00:00:00.000Z";
  const { status, problems } = told(twinNode(1), twinNode(2, { uncompared_before: before }));
  expect(problems).toEqual([]);
  expect(status.nodes.map(({ complete, uncompared_before }) => [complete, uncompared_before])).toEqual([
    [true, null],
    [true, before],
  ]);
});

test("a bucket that holds the rest of it up is said with what helps, also where nobody knows of anything missing", () => {
  const held = { trouble: "bucket raw keeps points for ever", remedy: "chime-node apply" };
  const [missing] = told(twinNode(1), twinNode(2, { gap: { ...gap, ...held } })).problems;
  expect(missing).toMatchObject({ code: "influxdb.gap", remedy: held.remedy });
  expect(missing?.message).toContain(held.trouble);
  const [unsure] = told(twinNode(1), twinNode(2, { gap: { ...gap, ...held, away: 0 } })).problems;
  expect(unsure).toMatchObject({
    code: "influxdb.not_compared",
    severity: "warning",
    node: "node2",
    remedy: held.remedy,
  });
  expect(unsure?.message).toContain(held.trouble);
});

test("where no other one has more, clients read from what is there, and are told", () => {
  const { problems } = told(twinNode(1, { liveness: "dead" }), twinNode(2, { gap }));
  expect(problems.map(({ code }) => code)).toEqual(["influxdb.node_down", "influxdb.gap"]);
  expect(problems[1]?.remedy).toContain("clients read from node2");
});

test("one alone, one that is being set up, and a server that does not serve", () => {
  expect(codes(twinNode(1))).toEqual(["warning influxdb.single node1"]);
  expect(codes(twinNode(1), twinNode(2, { phase: "configured", joined: false }))).toEqual([
    "warning influxdb.single node1",
  ]);
  const down = { state: "down", detail: "disk" } as const;
  expect(codes(twinNode(1), twinNode(2, down))).toEqual(["error influxdb.node_down node2"]);
  expect(codes(twinNode(1, down), twinNode(2, down))).toEqual([
    "error influxdb.down node1, node2",
    "error influxdb.node_down node1",
    "error influxdb.node_down node2",
  ]);
});

test("a server that runs is not to be started: what it needs is said, where that is known", () => {
  const remedyOf = (said: Parameters<typeof twinNode>[1]) =>
    told(twinNode(1, { joined: false, ...said }), twinNode(2)).problems.find(
      ({ code }) => code === "influxdb.node_down",
    )?.remedy;
  expect(remedyOf({ state: "down", detail: "gone" })).toStartWith("start node1:");
  expect(remedyOf({ state: "waiting", detail: "refused" })).toStartWith("mend what it names:");
  expect(remedyOf({ state: "waiting", detail: "refused", remedy: "build it anew" })).toBe("build it anew");
});

test("what is being set up has no problems yet; two programs are told of", () => {
  expect(codes(twinNode(1, { phase: "configured" }), twinNode(2, { phase: "installed" }))).toEqual([]);
  expect(codes(twinNode(1, { binary: "a".repeat(64) }), twinNode(2, { binary: "b".repeat(64) }))).toEqual([
    "warning influxdb.programs_differ node1, node2",
  ]);
});
