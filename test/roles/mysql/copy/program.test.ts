import { expect, test } from "bun:test";
import { confined } from "../../../../src/roles/mysql/copy/program.ts";

const program = { half: "fetch", user: "mysql", argv: ["/usr/bin/mbstream", "--extract"] } as const;

test("a program of a copy runs as the server's user, without rights, network, or a place to write to but its own", () => {
  const { unit, argv } = confined({ ...program, writes: "/var/lib/mysql/.chime-copy/part" });
  expect(unit).toMatch(/^chime-node-fetch-[0-9a-f]{8}\.service$/);
  expect(argv).toContain(`--unit=${unit}`);
  for (const property of [
    "User=mysql",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "PrivateNetwork=yes",
    "ReadWritePaths=/var/lib/mysql/.chime-copy/part",
  ]) {
    expect(argv).toContain(`--property=${property}`);
  }
  expect(argv.slice(-3)).toEqual(["--", ...program.argv]);
});

test("one that only reads may write nowhere", () => {
  expect(confined(program).argv.join(" ")).not.toContain("ReadWritePaths");
});

test("one that fetches by itself has the network, and nothing else more", () => {
  const properties = (argv: string[]) => argv.filter((word) => word.startsWith("--property="));
  const without = properties(confined(program).argv);
  const having = properties(confined({ ...program, network: true }).argv);
  expect(having.filter((property) => !without.includes(property))).toEqual([
    "--property=RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
  ]);
});

test("each run is a unit of its own", () => {
  expect(confined(program).unit).not.toBe(confined(program).unit);
});
