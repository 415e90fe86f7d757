import { expect, test } from "bun:test";
import type { Session } from "../../../src/roles/mysql/client.ts";
import { closeForWrites } from "../../../src/roles/mysql/engine/sessions.ts";

const words = { source: "source", replica: "replica", sessions: "sessions", close: "close it" };

/** A server in miniature: a client comes as it begins to close, and it is closed once only two sessions are left. */
function serverInMiniature(alive: Set<number>) {
  let closing: (() => void) | undefined;
  const session = (own: number) => ({
    rows: async (statement: string) => {
      if (statement.startsWith("SELECT CONNECTION_ID()")) return [{ id: own }];
      const spared = /NOT IN \((\d+), CONNECTION_ID\(\)\)/.exec(statement)?.[1];
      return [...alive].filter((id) => id !== Number(spared) && id !== own).map((id) => ({ id }));
    },
    run: async ([statement = ""]: readonly string[]) => {
      if (statement === words.close) {
        alive.add(5);
        return new Promise<void>((resolve) => (closing = resolve));
      }
      alive.delete(Number(statement.replace("KILL ", "")));
      if (alive.size === 2) closing?.();
    },
  });
  return (own: number) => session(own) as unknown as Session;
}

test("a client that comes while the server closes is ended, too; the session that closes it is not", async () => {
  const alive = new Set([1, 2, 3, 4]);
  const session = serverInMiniature(alive);
  await closeForWrites(session(1), words, { hand: session(2), clients: "TRUE", ms: 1_000 });
  expect([...alive]).toEqual([1, 2]);
});
