import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import { paths } from "../../src/core/paths.ts";
import { installing, startPolicy } from "../../src/host/packages/start-policy.ts";
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

  /** What must not be left of an installation. */
  const untidy = async () => {
    const left = "/usr/sbin/policy-rc.d /run/systemd/system-preset";
    return (await node.sh(`ls -d ${left} 2>/dev/null || :; dpkg --audit`)).stdout;
  };

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
      // Nothing was started by its package with its own configuration, nor would have been by a boot.
      const log = await node.read("/var/lib/chime-node/backups/packages.log");
      expect(log).toMatch(/policy-rc\.d returned 101, not running '(start|restart) keepalived/);
      expect(log).not.toMatch(/Created symlink .*multi-user\.target\.wants/);
      const { json } = await chime<Status>(node, ["status"]);
      expect(json.roles["mysql"]?.writable).toEqual(["node1"]);
      expect(await untidy()).toBe("");
      expect(await chime<{ applied: number }>(node, ["apply"])).toMatchObject({ json: { applied: 0 } });

      expect((await chime(node, ["reset", "--yes", "--delete-data=chime"])).code).toBe(0);
      expect(await packageList(node)).toEqual(bare);
    },
    200_000,
  );

  test.each(moments[1] ? ["installed", "torn"] : ["installed"])(
    "what it has begun of packages goes where the next one is refused: %s",
    async (state) => {
      await node.run(["cp", "/bin/true", "/root/influxd"]);
      expect(await chime(node, twinInit())).toMatchObject({ code: 0 });
      const { record, apt } = await beginByHand("keepalived");
      if (state === "torn") {
        await waitUntil("dpkg to be at it", 60_000, () => apt.lines.some((l) => l.startsWith("Unpacking")));
        await node.powerOff();
        await node.boot();
      } else expect(await apt.exited).toBe(0);

      await lab.client.sh(`ip address add ${twinVip}/24 dev eth0`);
      const locker = await holdDpkgLock(node);
      const refused = node.start(["chime-node", "join", "--role", "influxdb"]);
      try {
        await waitUntil("it to wait for whoever installs", 60_000, () =>
          refused.lines.some((line) => line.includes("waiting for perl")),
        );
        expect(refused.lines.join("\n")).toContain("vip.in-use");
        // What apt goes on with by itself is known once it has fetched it.
        await node.put("/var/lib/chime-node/backups/packages", record);
      } finally {
        locker.signal("SIGKILL");
      }
      expect(await refused.exited).toBe(3);
      expect(await packageList(node)).toEqual(bare);
      expect(await untidy()).toBe("");
      expect(packagesOnTop(await openLedger(node.path(paths.ledger)))).toEqual([]);

      await lab.client.sh(`ip address delete ${twinVip}/24 dev eth0`);
      expect((await chime(node, ["reset", "--yes"])).code).toBe(0);
    },
    90_000,
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

  /**
   * As `join` begins a package while the network is asked, and before it has noted what comes: by itself it does on a quiet
   * machine only, before the network has answered.
   */
  async function beginByHand(name: string) {
    await node.run(["apt-get", "update", "-q"]);
    const words = ["apt-get", "install", "-y", "--no-install-recommends", name];
    const { stdout } = await node.run([...words, "--simulate"]);
    const names = [...stdout.matchAll(/^Inst (\S+)/gm)].map(([, one]) => one);
    const policy = "/usr/sbin/policy-rc.d";
    await node.put(policy, startPolicy([`${name}.service`]), 0o755);
    const backups = "/var/lib/chime-node/backups";
    const noted = {
      family: "debian",
      record: `${backups}/packages`,
      log: `${backups}/packages.log`,
      fresh: null,
    };
    // Two do not write at once.
    const read = () => openLedger(node.path(paths.ledger));
    await waitUntil("its agent to have made its part", 30_000, async () => {
      return (await read()).reached("hosts:members") !== undefined;
    });
    const ledger = await read();
    await ledger.before(`file:${policy}`, { directories: [], was: { type: "absent" } });
    await ledger.before(`package:${name}`, noted);
    return {
      record: names.map((one) => `${one} - - none < 1 all none *.deb\n`).join(""),
      apt: node.start(words, { env: { ...installing, DEBIAN_FRONTEND: "noninteractive" } }),
    };
  }
});
