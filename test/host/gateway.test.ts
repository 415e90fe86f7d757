import { expect, test } from "bun:test";
import { parseGateway } from "../../src/host/gateway.ts";

const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
const route = (name: string, to: string, via: string, flags: string, metric = 0, mask = "00000000") =>
  `${name}\t${to}\t${via}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0`;
const subnet = route("eth0", "00004D0A", "00000000", "0001", 0, "00FFFFFF");

test.each([
  ["none", [subnet], undefined],
  ["one", [route("eth0", "00000000", "01004D0A", "0003"), subnet], "10.77.0.1"],
  ["by another interface", [route("eth1", "00000000", "0100A8C0", "0003"), subnet], undefined],
  [
    "the preferred one",
    [route("eth0", "00000000", "FE004D0A", "0003", 200), route("eth0", "00000000", "01004D0A", "0003", 100)],
    "10.77.0.1",
  ],
  ["not by the link alone", [route("eth0", "00000000", "00000000", "0001")], undefined],
  ["not of one subnet", [route("eth0", "00000A0A", "01004D0A", "0003", 0, "0000FFFF")], undefined],
])("%s", (_, lines, expected) => {
  expect(parseGateway(`${[head, ...lines].join("\n")}\n`, "eth0")).toBe(expected);
});
