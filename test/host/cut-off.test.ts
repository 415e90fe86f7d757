import { expect, test } from "bun:test";
import { parseRules } from "../../src/host/cut-off.ts";

test.each(["", "[]\n"])("nothing is cut off: %p", (json) => {
  expect(parseRules(json)).toEqual([]);
});

test("what is cut off, as iproute2 6.1 prints it", () => {
  const rule = `{"priority":8820,"src":"all","dst":"10.77.0.13","ipproto":"tcp","dport":9000,"action":"unreachable"}`;
  expect(parseRules(`[${rule}]`)).toEqual([{ address: "10.77.0.13", port: 9000 }]);
  // On a system without /etc/protocols, and as 4.18 prints ports.
  const bare = rule.replace('"tcp"', '"ipproto-6"').replace("9000", '"9000"');
  expect(parseRules(`[${bare}]`)).toEqual([{ address: "10.77.0.13", port: 9000 }]);
});
