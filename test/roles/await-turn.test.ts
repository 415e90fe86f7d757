import { expect, test } from "bun:test";
import { failed } from "../../src/core/errors.ts";
import type { ApplyContext } from "../../src/resources/types.ts";
import { awaitTurn } from "../../src/roles/await-turn.ts";

/** @returns what was said meanwhile */
async function said(...answers: unknown[]): Promise<string[]> {
  const lines: string[] = [];
  const run = {
    signal: new AbortController().signal,
    progress: (line: string) => void lines.push(line),
    async ask(role: string, method: string) {
      expect([role, method]).toEqual(["influxdb", "turn"]);
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as ApplyContext;
  await awaitTurn("influxdb")(run);
  expect(answers).toEqual([]);
  return lines;
}

test("a restart waits for the guard's word, and says for whom", async () => {
  expect(await said({ awaiting: null })).toEqual([]);
  expect(await said({ awaiting: "waiting for node2" }, { awaiting: null })).toEqual(["waiting for node2"]);
});

test("where no guard runs there are no clients; one that cannot be asked says nothing", async () => {
  expect(await said(failed("role.not_here", "not here"))).toEqual([]);
  await expect(said(failed("agent.not_running", "no agent"))).rejects.toThrow("no agent");
  await expect(said({})).rejects.toThrow();
});
