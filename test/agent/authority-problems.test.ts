import { describe, expect, test } from "bun:test";
import { authorityProblems, expiryProblems } from "../../src/agent/authority-problems.ts";

const day = 86_400_000;
const ends = Date.UTC(2036, 10, 20);

test("a CA that ends within two years is told of, with its last day", () => {
  expect(expiryProblems("node1", ends, ends - 731 * day)).toEqual([]);
  expect(expiryProblems("node1", ends, ends - 729 * day)).toMatchObject([
    {
      code: "ca.expires",
      severity: "warning",
      node: "node1",
      message: expect.stringContaining("ends on 2036-11-20, in 729 days"),
      remedy: "chime-node ca rotate",
    },
  ]);
  expect(expiryProblems("node1", ends, ends + day)).toMatchObject([
    {
      code: "ca.expires",
      severity: "error",
      message: expect.stringContaining("ended on 2036-11-20"),
      remedy: expect.stringContaining("too late for ca rotate"),
    },
  ]);
});

describe("a rotation of the CA", () => {
  const about = (progress: { stage: 1 | 2 | 3 | 4 | null; awaiting: string | null }, underWayMs = 60_000) =>
    authorityProblems("node1", {
      underWayMs,
      isFirst: true,
      progress: () => ({ done: false, version: 1, away: [], ends: "", ...progress }),
    });
  const late = "waiting for node3 to trust both CAs";

  test("that waits for a member is told of after a minute, with its name", () => {
    expect(about({ stage: 1, awaiting: late }, 59_999)).toEqual([]);
    expect(about({ stage: 1, awaiting: late })).toMatchObject([
      { code: "ca.rotating", severity: "warning", message: expect.stringContaining(late) },
    ]);
  });

  test("that waits for the operator says with what it goes on", () => {
    expect(about({ stage: 2, awaiting: null })).toMatchObject([
      { code: "ca.unfinished", remedy: expect.stringContaining("chime-node ca rotate --finish") },
    ]);
    expect(about({ stage: 2, awaiting: late })).toMatchObject([{ code: "ca.rotating" }]);
  });

  test("that a member missed says how it comes back", () => {
    expect(about({ stage: null, awaiting: "waiting for node3 to drop the old CA" })).toMatchObject([
      { code: "ca.rotating", remedy: expect.stringContaining("chime-node reset") },
    ]);
  });

  test("is told of by one member alone", () => {
    const progress = () => ({
      done: false,
      version: 1,
      away: [],
      ends: "",
      stage: 1 as const,
      awaiting: late,
    });
    expect(authorityProblems("node1", { underWayMs: 60_000, isFirst: false, progress })).toEqual([]);
  });
});
