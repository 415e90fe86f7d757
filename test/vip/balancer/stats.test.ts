import { expect, test } from "bun:test";
import { parseStats } from "../../../src/vip/balancer/stats.ts";
import { serves } from "../../../src/vip/balancer/types.ts";

/** haproxy 2.6.12, `show stat -1 4 -1`, the first columns and some of the last. */
const header = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,status,weight,last_chk,";

test("servers by service, route and node", () => {
  const text = `${header}
minio.read,node1,0,0,3,9,,4711,1,2,UP,1,"L7OK/200, fine",
minio.read,node2,0,0,0,0,,7,1,2,DOWN 1/2,1,,
minio-console.all,node1,0,0,0,0,,0,0,0,no check,1,,

`;
  const view = parseStats(text);
  expect(view).toEqual([
    { service: "minio", route: "read", node: "node1", up: true, rising: false, sessions: 3 },
    { service: "minio", route: "read", node: "node2", up: false, rising: true, sessions: 0 },
    { service: "minio-console", route: "all", node: "node1", up: true, rising: false, sessions: 0 },
  ]);
  expect(serves(view, "minio", "read")).toBe(true);
  expect(serves(view, "minio", "write")).toBe(false);
});

test.each([
  ["UP", true],
  ["UP 1/2", true],
  ["no check", true],
  ["DOWN", false],
  ["DOWN 3/20", false],
  ["DRAIN", false],
  ["MAINT", false],
  ["NOLB", false],
  ["UPSIDE", false],
])("a server that is %p is up: %p", (status, up) => {
  expect(parseStats(`${header}\nminio.read,node1,0,0,0,0,,0,0,0,${status},1,,\n`)[0]?.up).toBe(up);
});

test("columns go by their names, not by their places", () => {
  expect(parseStats("# status,stot,new,svname,scur,pxname,\nUP,1,x,node1,2,minio.read,\n")).toEqual([
    { service: "minio", route: "read", node: "node1", up: true, rising: false, sessions: 2 },
  ]);
});

test.each([
  ["nothing", ""],
  ["no header", "minio.read,node1,UP\n"],
  ["an unknown command", "Unknown command: 'show stat'\n"],
  ["a column less", "# pxname,svname,scur,stot,\nminio.read,node1,0,0,\n"],
  ["a proxy that is not ours", `${header}\nstats,node1,0,0,0,0,,0,0,0,UP,1,,\n`],
  ["a count that is none", `${header}\nminio.read,node1,0,0,-1,0,,0,0,0,UP,1,,\n`],
  ["half a line", `${header}\nminio.read,node1,0\n`],
])("refused: %s", (_, text) => {
  expect(() => parseStats(text)).toThrow(expect.objectContaining({ code: "balancer.stats" }));
});

test("whatever comes is servers or one error", () => {
  const pieces = [
    header,
    "minio.read,node1,0,0,1,2,,3,4,5,UP,1,,",
    ",",
    "\n",
    "# ",
    '"',
    "UP",
    "\0",
    "é",
    "9".repeat(40),
  ];
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  for (let round = 0; round < 5_000; round++) {
    const length = random(12);
    const text = Array.from({ length }, () => pieces[random(pieces.length)] ?? "").join(
      random(2) ? "\n" : "",
    );
    try {
      for (const backend of parseStats(text)) {
        expect(backend.service).toMatch(/^[a-z][a-z0-9-]*$/);
        expect(Number.isSafeInteger(backend.sessions)).toBe(true);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "balancer.stats" });
    }
  }
});
