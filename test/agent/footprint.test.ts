import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { programPages } from "../../src/agent/footprint.ts";

/** As in /proc/PID/smaps, without the lines that nobody reads. */
const mapping = (head: string, anonymousKb: number) =>
  `${head}\nSize:  100 kB\nRss:   60 kB\nAnonymous: ${String(anonymousKb).padStart(12)} kB\nVmFlags: rd ex mr mw me\n`;
const program = "/usr/local/bin/chime-node";

describe("pages of the program that may be dropped", () => {
  test("code and constants", () => {
    const smaps =
      mapping(`00200000-01a39000 r--p 00000000 00:28 1067   ${program}`, 0) +
      mapping(`01a40000-0684a000 r-xp 01838000 00:28 1067   ${program}`, 0);
    expect(programPages(smaps, program)).toEqual([
      { start: 0x200000, bytes: 0x1839000 },
      { start: 0x1a40000, bytes: 0x4e0a000 },
    ]);
  });

  test.each([
    ["what may be written to", `06867000-06e16000 rw-p 0665e000 00:28 1067   ${program}`, 0],
    [
      "what was written to before it was made read-only",
      `06867000-06e16000 r--p 0665e000 00:28 1067   ${program}`,
      4,
    ],
    ["what is shared", `06867000-06e16000 r--s 0665e000 00:28 1067   ${program}`, 0],
    ["a library", "7f0000000000-7f0000100000 r-xp 00000000 00:28 99   /usr/lib/libc.so.6", 0],
    ["the heap", "3d427c00000-3d467c00000 rw-p 00000000 00:00 0", 96],
    ["a program that was replaced", `01a40000-0684a000 r-xp 01838000 00:28 1067   ${program} (deleted)`, 0],
  ])("not %s", (_, head, anonymousKb) => {
    expect(programPages(mapping(head, anonymousKb), program)).toEqual([]);
  });

  test("of a real process: its own code", () => {
    const found = programPages(readFileSync("/proc/self/smaps", "utf8"), process.execPath);
    expect(found.length).toBeGreaterThan(0);
    const address = /^([0-9a-f]+)-[0-9a-f]+ r-xp .*$/m.exec(readFileSync("/proc/self/maps", "utf8"))?.[1];
    expect(found.map(({ start }) => start)).toContain(Number(`0x${address}`));
  });
});
