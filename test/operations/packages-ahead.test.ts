import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refused } from "../../src/core/errors.ts";
import { takeBackLeft } from "../../src/operations/packages-ahead.ts";
import { openLedger } from "../../src/plan/ledger.ts";

// What is taken back is the lab's to show (interrupted.test.ts): here it would be this machine's.
test.each([
  ["cut off beside what rests on them", false, ["mariadb-server"]],
  ["wholly installed", true, []],
])(
  "packages that are wanted for something stay where a join is refused, and are told: %s",
  async (_, done, told) => {
    const directory = await mkdtemp(join(tmpdir(), "packages-ahead-"));
    try {
      const ledger = await openLedger(join(directory, "ledger.jsonl"));
      await ledger.before("package:mariadb-server", {
        family: "debian",
        record: "/r",
        log: "/l",
        fresh: "/var/lib/mysql",
      });
      await ledger.before("file:/etc/mysql/90.cnf", null);
      if (done) await ledger.done("package:mariadb-server", "as desired");
      const warned: string[] = [];
      await takeBackLeft(refused("test.no", "no"), ledger, {
        signal: new AbortController().signal,
        progress: () => expect.unreachable(),
        note: () => expect.unreachable(),
        warn: (line) => warned.push(line),
        confirm: () => Promise.resolve(false),
      });
      const line = (name: string) =>
        `what an interrupted run has begun is still here (${name}): a join that is not refused finishes it, chime-node reset takes everything back`;
      expect(warned).toEqual(told.map(line));
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);
