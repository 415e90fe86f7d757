import { expect, test } from "bun:test";
import { parseLocalAddresses, readLocalAddresses } from "../../src/host/local-addresses.ts";

const recorded = `Main:
  +-- 0.0.0.0/1 2 0 2
     +-- 10.77.0.0/24 2 0 1
        |-- 10.77.0.0
           /24 link UNICAST
        +-- 10.77.0.0/27 2 0 2
           |-- 10.77.0.12
              /32 host LOCAL
           |-- 10.77.0.30
              /32 host LOCAL
        |-- 10.77.0.255
           /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.7
        /32 universe UNICAST
Local:
     |-- 10.77.0.12
        /32 host LOCAL
`;

test("only host routes of type LOCAL are own addresses", () => {
  expect([...parseLocalAddresses(recorded)]).toEqual(["10.77.0.12", "10.77.0.30", "127.0.0.1"]);
});

test("the kernel of this machine has the loopback address", async () => {
  expect(await readLocalAddresses()).toContain("127.0.0.1");
});

test("any text at all gives a set", () => {
  const alphabet = "|-- 1.0/32 host LOCAL\n+";
  let seed = 3;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31);
  for (let i = 0; i < 2000; i++) {
    const text = Array.from({ length: next() % 200 }, () => alphabet[next() % alphabet.length]).join("");
    for (const address of parseLocalAddresses(text)) expect(address).toMatch(/^[\d.]+$/);
  }
});
