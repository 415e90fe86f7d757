import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { buildBinary } from "../../scripts/build.ts";
import { paths } from "../../src/core/paths.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { packagesOnTop } from "../../src/resources/package.ts";
import { chime, packageList } from "./chime.ts";
import { holdDpkgLock } from "./dpkg-locker.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initCommand, type Status } from "./pair.ts";
import { twinInit, twinVip } from "./twins.ts";
import { waitUntil } from "./wait.ts";

const join = ["join", "--role", "mysql"];

/** How the first run ends, and the words of its own progress after which it does. */
const moments: ["killed" | "interrupted" | "without power", string][] = [
  ["without power", "setting up mariadb-server"],
];
if (process.env["CHIME_LONG"] === "1") {
  moments.push(
    ["killed", "unpacking"],
    ["interrupted", "setting up"],
    ["killed", "installing"],
    ["without power", "unpacking"],
    ["killed", "setting up mariadb-server"],
    ["killed", "start keepalived"],
    ["without power", "start keepalived"],
  );
}

/** An installation that is cut off, by whatever: the next run finishes it, and reset still knows what it brought. */
describe("an interrupted join", () => {
  let lab: Lab;
  let node: LabNode;
  let bare: string[];
  beforeAll(async () => {
    const binary = await buildBinary();
    lab = await Lab.open({ nodes: ["node1"] });
    node = lab.node("node1");
    await node.install(binary);
    bare = await packageList(node);
  }, 300_000);
  afterAll(() => lab?.close());

  test.each(moments)(
    "%s after %s",
    async (how, words) => {
      expect(await chime(node, initCommand.slice(1))).toMatchObject({ code: 0 });
      const joining = node.start(["chime-node", ...join]);
      await waitUntil(`the run to say ${words}`, 60_000, () =>
        joining.lines.some((line) => line.includes(words)),
      );
      if (how === "without power") {
        await node.powerOff();
        await node.boot();
      } else {
        joining.signal(how === "killed" ? "SIGKILL" : "SIGINT");
        expect(await joining.exited).toBe(how === "killed" ? 137 : 130);
        const isSaid = () => joining.lines.some((line) => line.includes("apt-get goes on by itself"));
        // Its last line may be read after it has ended.
        if (how === "interrupted") await waitUntil("it to say who goes on", 10_000, isSaid);
        else expect(isSaid()).toBe(false);
      }
      // What is left denies an administrator nothing; 101 would.
      const asked = await node.run(["invoke-rc.d", "--query", "keepalived", "reload"], { check: false });
      expect([104, 105]).toContain(asked.code);

      expect(await chime(node, join)).toMatchObject({ code: 0 });
      // Nothing was started by its package, with its own configuration.
      expect(await node.read("/var/lib/chime-node/backups/packages.log")).toMatch(
        /policy-rc\.d returned 101, not running '(start|restart) keepalived/,
      );
      const { json } = await chime<Status>(node, ["status"]);
      expect(json.roles["mysql"]?.writable).toEqual(["node1"]);
      const { stdout } = await node.sh("ls /usr/sbin/policy-rc.d 2>/dev/null || dpkg --audit");
      expect(stdout).toBe("");
      expect(await chime<{ applied: number }>(node, ["apply"])).toMatchObject({ json: { applied: 0 } });

      expect((await chime(node, ["reset", "--yes", "--delete-data=chime"])).code).toBe(0);
      expect(await packageList(node)).toEqual(bare);
    },
    200_000,
  );

  test.each(moments[1] ? ["interrupted", "without power"] : ["interrupted"])(
    "what one that is %s has begun of packages goes where the next one is refused",
    async (how) => {
      await node.run(["cp", "/bin/true", "/root/influxd"]);
      expect(await chime(node, twinInit())).toMatchObject({ code: 0 });
      const twin = ["chime-node", "join", "--role", "influxdb"];
      const backups = "/var/lib/chime-node/backups";
      const hasLeft = async () => packagesOnTop(await openLedger(node.path(paths.ledger)));
      // On a busy machine the network answers before dpkg begins, and more is made than packages.
      for (let attempt = 1; ; attempt++) {
        const joining = node.start(twin);
        await waitUntil("dpkg to begin", 60_000, () => existsSync(node.path(`${backups}/packages.claim`)), 2);
        if (how === "without power") await node.powerOff();
        else joining.signal("SIGINT");
        await joining.exited;
        if (how === "without power") await node.boot();
        if ((await hasLeft()).length > 0) break;
        expect(attempt).toBeLessThan(5);
        expect((await chime(node, ["reset", "--yes"])).code).toBe(0);
        expect((await chime(node, twinInit())).code).toBe(0);
      }

      await waitUntil("apt to end", 60_000, async () => {
        return (await node.run(["pgrep", "-x", "apt-get|dpkg"], { check: false })).code === 1;
      });
      // As if it was still fetching what it has noted by then.
      const record = await node.read(`${backups}/packages`);
      await node.put(`${backups}/packages`, "");
      const locker = await holdDpkgLock(node);
      await lab.client.sh(`ip address add ${twinVip}/24 dev eth0`);
      const refused = node.start(twin);
      try {
        await waitUntil("it to wait for the lock", 60_000, () =>
          refused.lines.some((line) => line.includes("waiting for perl")),
        );
        expect(refused.lines.join("\n")).toContain("vip.in-use");
        await node.put(`${backups}/packages`, record);
      } finally {
        locker.signal("SIGKILL");
      }
      expect(await refused.exited).toBe(3);
      expect(await packageList(node)).toEqual(bare);
      expect((await node.sh("ls /usr/sbin/policy-rc.d 2>/dev/null || dpkg --audit")).stdout).toBe("");
      expect(await hasLeft()).toEqual([]);

      await lab.client.sh(`ip address delete ${twinVip}/24 dev eth0`);
      expect((await chime(node, ["reset", "--yes"])).code).toBe(0);
    },
    60_000,
  );

  test("what is enabled is heard of by systemd once nobody waits any more", async () => {
    expect((await chime(node, initCommand.slice(1))).code).toBe(0);
    const told = async () => {
      const argv = ["systemctl", "show", "--value", "-p", "Wants", "multi-user.target"];
      return (await node.run(argv)).stdout.includes("chime-node.service");
    };
    await waitUntil("systemd to want the agent at boot", 30_000, told);
    expect((await chime(node, ["reset", "--yes", "--delete-data=chime"])).code).toBe(0);
  }, 60_000);
});
