import { expect, test } from "bun:test";
import { parseStalled } from "../../src/host/tcp.ts";

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
