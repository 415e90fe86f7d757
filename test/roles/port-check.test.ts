import { expect, test } from "bun:test";
import { checkPort } from "../../src/roles/port-check.ts";

const own = "/usr/local/lib/chime-node/minio";
test.each([
  ["nobody", undefined, undefined],
  ["its own server", { pid: 7, program: "minio", binary: own }, undefined],
  ["the balancer", { pid: 7, program: "haproxy", binary: "/usr/sbin/haproxy" }, undefined],
  [
    "another program",
    { pid: 7, program: "php-fpm", binary: "/usr/sbin/php-fpm" },
    "port 9000 is taken by php-fpm (pid 7)",
  ],
  ["a container", "unknown", "port 9000 is taken by a program of another container"],
] as const)("a port that %s has", (_, holder, message) => {
  expect(checkPort(9000, holder, { binary: own, front: "haproxy" })?.message).toBe(message as string);
});
