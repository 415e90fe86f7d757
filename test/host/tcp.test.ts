import { expect, test } from "bun:test";
import { parseConnections, parseStalled } from "../../src/host/tcp.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

/** 10.77.0.11:3306 → `remote` (as the kernel prints it) with unacknowledged bytes, sent again so many times. */
function line(remote: string, queued: string, retransmitted: string, port = "0CEA"): string {
  return `   1: 0B004D0A:${port} ${remote}:C350 01 ${queued}:00000000 01:00000014 ${retransmitted}   101        0 1234 2 0 24`;
}

test.each([
  ["sent again twice", line("0C004D0A", "0000002A", "00000002"), true],
  ["sent again once", line("0C004D0A", "0000002A", "00000001"), false],
  ["all acknowledged", line("0C004D0A", "00000000", "00000005"), false],
  ["another machine", line("64004D0A", "0000002A", "00000005"), false],
  ["another port", line("0C004D0A", "0000002A", "00000005", "2274"), false],
  ["nothing", "", false],
])("%s", (_, text, expected) => {
  expect(parseStalled(`${head}\n${text}\n`, 3306, "10.77.0.12")).toBe(expected);
});

test("who is connected to an address: none that only waits for its end, and no more than asked for", () => {
  const text = [
    head,
    "   0: 32004D0A:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1 0 10 0",
    "   1: 32004D0A:2328 64004D0A:B26E 01 00000000:00000000 00:00000000 00000000 0 0 2 1 0 20 4",
    "   2: 0B004D0A:2328 64004D0A:B26F 01 00000000:00000000 00:00000000 00000000 0 0 3 1 0 20 4",
    "   3: 32004D0A:2328 64004D0A:B270 06 00000000:00000000 00:00000000 00000000 0 0 0 3 0",
    "   4: 32004D0A:2329 C8004D0A:0400 01 00000000:00000000 00:00000000 00000000 0 0 4 1 0 20 4",
  ].join("\n");
  const all = [
    { local: { address: "10.77.0.50", port: 9000 }, remote: { address: "10.77.0.100", port: 45_678 } },
    { local: { address: "10.77.0.50", port: 9001 }, remote: { address: "10.77.0.200", port: 1024 } },
  ];
  expect(parseConnections(text, "10.77.0.50", 10)).toEqual(all);
  expect(parseConnections(text, "10.77.0.50", 1)).toEqual(all.slice(0, 1));
});
