import { expect, test } from "bun:test";
import { datagramProblems } from "../../src/agent/datagram-problems.ts";
import type { PacketTrouble } from "../../src/cluster/transport.ts";

const cases: [PacketTrouble, string, string][] = [
  [{ what: "port", why: "EADDRINUSE" }, "another program has UDP port 8820 of node1", "ss -lunp"],
  [{ what: "port", why: "EACCES" }, "cannot be opened (EACCES)", "journalctl -u chime-node on node1"],
  [
    { what: "inward" },
    "no datagram of the other members comes in at node1",
    "let UDP port 8820 in on node1, out on the others",
  ],
  [{ what: "outward" }, "none that it sends is answered", "let UDP port 8820 out on node1"],
];

test.each(cases)("%p: what is known, and its own remedy", (trouble, message, remedy) => {
  const [problem, ...others] = datagramProblems("node1", trouble);
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ code: "member.udp_blocked", severity: "warning", node: "node1" });
  expect(problem?.message).toContain(message);
  expect(problem?.remedy).toContain(remedy);
});

test("nothing to say where datagrams pass", () => expect(datagramProblems("node1", undefined)).toEqual([]));
