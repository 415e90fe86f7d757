import { expect, test } from "bun:test";
import { arpAnnouncement, arpProbe, collect, parseArp } from "../../src/host/arp.ts";
import { SimClock } from "../cluster/sim.ts";

const mac = Uint8Array.from([2, 0, 0, 0, 0, 0x1a]);

/** The reply a host of this address would give. */
function reply(address: number[], operation = 2): Uint8Array {
  const packet = arpProbe(mac, "10.0.0.1");
  packet[7] = operation;
  packet.set(address, 14);
  return packet;
}

test("a probe names the target and no sender", () => {
  const packet = arpProbe(mac, "10.0.0.30");
  expect(Buffer.from(packet).toString("hex")).toBe(
    "000108000604000102000000001a000000000000000000000a00001e",
  );
  expect(parseArp(packet)).toBeUndefined();
});

test("an announcement asks for its own address, which tells everybody who has it", () => {
  expect(parseArp(arpAnnouncement(mac, "10.0.0.30"))).toEqual({
    address: "10.0.0.30",
    hardware: "02:00:00:00:00:1a",
  });
});

test.each([1, 2])("operation %p says who has the sender's address", (operation) => {
  expect(parseArp(reply([10, 0, 0, 30], operation))).toEqual({
    address: "10.0.0.30",
    hardware: "02:00:00:00:00:1a",
  });
});

test.each([
  ["too short", reply([10, 0, 0, 30]).slice(0, 27)],
  ["empty", new Uint8Array()],
  ["of another operation", reply([10, 0, 0, 30], 9)],
  ["for another protocol", reply([10, 0, 0, 30]).with(2, 0x86)],
  ["of another hardware", reply([10, 0, 0, 30]).with(1, 6)],
  ["with other lengths", reply([10, 0, 0, 30]).with(5, 16)],
])("a packet %s says nothing", (_, packet) => {
  expect(parseArp(packet)).toBeUndefined();
});

test("any bytes at all give an address and a hardware address, or nothing", () => {
  let seed = 7;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31);
  for (let i = 0; i < 5000; i++) {
    const packet = Uint8Array.from({ length: next() % 60 }, () => next() % 256);
    if (i % 2 === 0) packet.set([0, 1, 8, 0, 6, 4, 0, 1 + (next() % 3)].slice(0, packet.length));
    const said = parseArp(packet);
    if (!said) continue;
    expect(said.address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(said.hardware).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  }
});

/** A neighbour that answers at once, and an asker that stands still for `pausesMs` one after the other. */
async function asked(
  pausesMs: readonly number[],
  answers = true,
): Promise<{ found: boolean; probes: number }> {
  const clock = new SimClock();
  const pauses = [...pausesMs];
  const waiting: Uint8Array[] = [];
  let probes = 0;
  const probe = () => {
    probes += 1;
    if (answers) waiting.push(reply([10, 0, 0, 30]));
    clock.pause(pauses.shift() ?? 0);
  };
  const asking = collect(["10.0.0.30"], probe, () => waiting.shift(), { timeoutMs: 120, clock });
  await clock.run(1_000);
  return { found: (await asking).has("10.0.0.30"), probes };
}

test("an answer that came while the asker stood still counts", async () => {
  expect(await asked([])).toEqual({ found: true, probes: 1 });
  expect(await asked([300])).toEqual({ found: true, probes: 1 });
  expect(await asked([300], false)).toEqual({ found: false, probes: 3 });
});
