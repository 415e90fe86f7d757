import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import { chime, verdict } from "./chime.ts";
import { holdDpkgLock } from "./dpkg-locker.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initCommand } from "./pair.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";

const join = ["join", "--role", "mysql"];

/** Installing packages while something is wrong; each ends in one clear error, and the next run finishes. */
describe("installing", () => {
  let lab: Lab;
  let node: LabNode;
  beforeAll(async () => {
    const binary = await buildBinary();
    lab = await Lab.open({ nodes: [{ name: "node1", gateway: false, rootSizeMiB: 1600 }] });
    node = lab.node("node1");
    await node.install(binary);
    const { code } = await chime(node, initCommand.slice(1));
    expect(code).toBe(0);
  }, 300_000);
  afterAll(() => lab?.close());

  test("no default route is a warning, not an error", async () => {
    const { code, stderr } = await node.run(["chime-node", "preflight"], { check: false });
    const report = await chime<{ checks: { name: string; result: string }[] }>(node, ["preflight"]);
    expect(code).toBe(0);
    expect(report.json.checks).toContainEqual(
      expect.objectContaining({ name: "default-route", result: "warning" }),
    );
    expect(stderr).toBe("checking this machine…\n");
  });

  test("a repository that does not answer is named, in bounded time", async () => {
    const list = await node.read("/etc/apt/sources.list");
    await node.put("/etc/apt/sources.list", "deb [trusted=yes] http://10.77.0.99 ./\n");
    await node.sh("rm -rf /var/lib/apt/lists/*");
    try {
      const started = performance.now();
      const answer = await chime(node, join);
      expect(verdict(answer)).toEqual([1, "packages.unreachable"]);
      expect(answer.json.error?.message).toContain("10.77.0.99");
      expect(performance.now() - started).toBeLessThan(120_000);
    } finally {
      await node.put("/etc/apt/sources.list", list);
      await node.sh("rm -rf /var/lib/apt/lists/*");
    }
  }, 200_000);

  test("too little space is seen before anything is installed; a disk that fills up meanwhile is told", async () => {
    const free = await node.fillDisk("/var/lib", 120 * 1024);
    try {
      const refusal = await chime(node, join);
      expect(verdict(refusal)).toEqual([3, "preflight.failed"]);
      expect(refusal.json.error?.message).toContain("disk-space");
      const full = await chime(node, [...join, "--ignore", "disk-space"]);
      expect(verdict(full)).toEqual([1, "packages.no_space"]);
    } finally {
      await free();
    }
  }, 200_000);

  test("dpkg locked by another program: it waits, says by whom, and goes on; a second join is refused", async () => {
    const locker = await holdDpkgLock(node);
    const joining = node.start(["chime-node", ...join]);
    await waitUntil("the run to say whom it waits for", 60_000, () =>
      joining.lines.some((line) => /waiting.*perl/.test(line)),
    );
    const second = await chime(node, join);
    expect(verdict(second)).toEqual([3, "lock.held"]);
    expect(second.json.error?.message).toContain("join (pid");
    locker.signal("SIGKILL");
    await joining.exited;
    expect(joining.lines.join("\n")).toContain("node1 is ready for mysql as writer");
  }, 300_000);

  test("alone it is ready, and says that it is not highly available yet", async () => {
    type Found = { healthy: boolean; problems: { code: string; severity: string }[] };
    const { code, json } = await chime<Found>(node, ["status"]);
    expect(code).toBe(0);
    expect(json.problems).toContainEqual(
      expect.objectContaining({ code: "mysql.no_replica", severity: "warning" }),
    );
  });

  test("a full disk during apply changes nothing by halves, and the next apply finishes", async () => {
    await node.sh(`echo '# by hand' >> ${system.config}`);
    const free = await node.fillDisk("/etc");
    const before = await node.read(system.config);
    try {
      const { code, json } = await chime<{ errors: { code: string }[] }>(node, ["apply", "--yes"]);
      expect(code).toBe(1);
      expect(json.errors.map((error) => error.code)).toContain("host.no_space");
      expect(await node.read(system.config)).toBe(before);
    } finally {
      await free();
    }
    expect((await chime(node, ["apply", "--yes"])).code).toBe(0);
    const again = await chime<{ applied: number }>(node, ["apply"]);
    expect(again.json.applied).toBe(0);
  });
});
