import { expect, test } from "bun:test";
import { tickleOf } from "../../src/host/tickle.ts";

test("an acknowledgement of nothing, from the address that moved", () => {
  const packet = tickleOf({
    local: { address: "10.77.0.50", port: 9000 },
    remote: { address: "10.77.0.100", port: 45_678 },
  });
  expect(Buffer.from(packet).toString("hex")).toBe(
    "4500002800000000400600000a4d00320a4d00642328b26e000000000000000050100000c50e0000",
  );
});

test("its checksum is right: the sum over the pseudo header and the segment is all ones", () => {
  for (const port of [1, 80, 9000, 65_535]) {
    const packet = tickleOf({
      local: { address: "255.254.253.252", port },
      remote: { address: "1.2.3.4", port: 65_535 },
    });
    let sum = 6 + 20;
    for (let at = 12; at < 40; at += 2) sum += new DataView(packet.buffer).getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    expect(sum).toBe(0xffff);
  }
});
