import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chime, fileTree, packageList, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, vip, writerOf, type Status } from "./pair.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";

const long = process.env["CHIME_LONG"] !== undefined;

/**
 * What a purge of the packages leaves behind, and the package system's own notes. Nothing else may differ after a
 * reset (docs/operations.md has the list for operators).
 */
const leftByPackages = [
  "/etc/group",
  "/etc/group-",
  "/etc/gshadow",
  "/etc/gshadow-",
  "/etc/passwd",
  "/etc/passwd-",
  "/etc/shadow",
  "/etc/shadow-",
  "/etc/subgid",
  "/etc/subuid",
  "/etc/mysql",
  // keepalived names its routes' protocol there as it runs (2.3).
  "/etc/iproute2",
  "/etc/ld.so.cache",
  "/usr/local/bin/chime-node",
  "/var/cache",
  "/var/log",
  "/var/lib/apt",
  "/var/lib/dpkg",
  "/var/lib/mysql",
  // MySQL's package makes these beside its data.
  "/var/lib/mysql-files",
  "/var/lib/mysql-keyring",
  "/var/lib/systemd",
];

const nonlocalBind = "/proc/sys/net/ipv4/ip_nonlocal_bind";

/** A pair's life: drift, killed runs, a peer that dies half-way, a third node, leaving, reset, and coming back. */
describe("a pair's life", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let node3: LabNode;
  let token: string;
  let bareTree: string[];
  let barePackages: string[];

  beforeAll(async () => {
    lab = await Lab.open({ nodes: ["node1", "node2", "node3"] });
    [node1, node2, node3] = lab.nodes as [LabNode, LabNode, LabNode];
    bareTree = await fileTree(node2, leftByPackages);
    barePackages = await packageList(node2);
    ({ token } = await formPair(lab));
  }, 400_000);
  afterAll(() => lab?.close());

  const whole = (found: Status) => {
    const nodes = found.roles["mysql"]?.nodes ?? [];
    return (
      found.healthy &&
      nodes.length === 2 &&
      nodes.some((node) => node.protected) &&
      // Two nodes and nobody to decide between them: that stays.
      found.problems.every(({ code }) => code === "mysql.no_third_voter")
    );
  };
  const untilWhole = (node: LabNode) =>
    waitUntil("the pair to be whole", 60_000, async () => whole(await status(node)), 200).catch(
      async (error: Error) => {
        const { roles, problems } = await status(node);
        throw new Error(`${error.message}: ${JSON.stringify([roles["mysql"]?.nodes, problems])}`);
      },
    );

  test("one run on each node made it: one writer, one replica, one holder of the VIP", async () => {
    await untilWhole(node1);
    const [one, two] = await Promise.all([status(node1), status(node2)]);
    expect(one.roles["mysql"]?.writable).toHaveLength(1);
    expect(two.roles["mysql"]?.writable).toEqual(one.roles["mysql"]?.writable as string[]);
    expect(one.vips).toMatchObject([{ role: "mysql", holders: one.roles["mysql"]?.writable }]);
  });

  test("the agent comes before the services of its node, and what it starts does not", async () => {
    const { stdout } = await node1.sh(`pid=$(systemctl show -P MainPID chime-node)
      ps -o ni= -p $pid
      chrt -p $pid | sed -n 's/.*policy: //p'
      systemctl show -P CPUWeight chime-node`);
    expect(stdout.split("\n").map((line) => line.trim())).toEqual([
      "-10",
      "SCHED_OTHER|SCHED_RESET_ON_FORK",
      "1000",
      "",
    ]);
  });

  test("no secret is in argv, the journal, a plan or a file that others may read", async () => {
    type Connection = { password: string };
    const { json } = await chime<Connection>(node1, ["secrets", "show", "--role", "mysql"]);
    expect(json.password).toMatch(/^[A-Za-z0-9]{32}$/);
    const stored = await node1.read("/etc/chime-node/secrets.toml");
    const secrets = [...stored.matchAll(/[A-Za-z0-9]{32}/g)].map(([secret]) => secret);
    expect(secrets).toContain(json.password);
    await node1.put("/root/secrets", `${secrets.join("\n")}\n`, 0o600);
    const found = await node1.sh(
      `journalctl --no-pager -o cat | grep -F -f /root/secrets || :
       cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -F -f /root/secrets || :
       find /etc /var /run -xdev -type f -perm /o+r -exec grep -l -F -f /root/secrets {} + || :
       chime-node plan 2>&1 | grep -F -f /root/secrets || :`,
    );
    expect(found.stdout).toBe("");
  });

  test("apply with nothing to do changes and restarts nothing", async () => {
    const pids = async () =>
      Promise.all([system.unit, "keepalived", "chime-node"].map((unit) => node1.mainPid(unit)));
    const before = await pids();
    const { code, json } = await chime<{ applied: number; summary: { unchanged: number } }>(node1, ["apply"]);
    expect([code, json.applied]).toEqual([0, 0]);
    expect(json.summary.unchanged).toBeGreaterThan(10);
    expect(await pids()).toEqual(before);
  });

  test("drift made by hand is shown by plan and status and mended by apply", async () => {
    await node2.sh(
      "echo '127.9.9.9 node1' >> /etc/hosts; sed -i '/^10.77.0.11/d' /etc/hosts; rm /etc/tmpfiles.d/chime-node.conf",
    );
    const plan = await chime<{ changes: { resource: string; cause: string; diff: string }[] }>(node2, [
      "plan",
    ]);
    expect(plan.json.changes.map((change) => [change.resource, change.cause])).toEqual(
      expect.arrayContaining([
        ["hosts:members", "drift"],
        ["file:/etc/tmpfiles.d/chime-node.conf", "drift"],
      ]),
    );
    expect(plan.json.changes.find((c) => c.resource === "hosts:members")?.diff).toMatch(
      /^\+.*10\.77\.0\.11/m,
    );
    expect((await status(node2)).problems.map((problem) => problem.code)).toContain("drift");
    expect((await chime(node2, ["apply", "--yes"])).code).toBe(0);
    expect((await chime<{ changes: unknown[] }>(node2, ["plan"])).json.changes).toEqual([]);
    expect(await node2.read("/etc/hosts")).toContain("127.9.9.9 node1");
    await node2.sh("sed -i '/^127.9.9.9/d' /etc/hosts");
  });

  test("a server that was stopped by hand stays so until apply", async () => {
    const { replica } = await writerOf(lab);
    await replica.run(["systemctl", "stop", system.unit]);
    await waitUntil("status to say so", 30_000, async () =>
      (await status(replica)).problems.some((problem) => problem.code === "mysql.stopped"),
    );
    const { json } = await chime<{ changes: { resource: string }[] }>(replica, ["plan"]);
    expect(json.changes.map((change) => change.resource)).toContain(`service:${system.unit}`);
    expect((await chime(replica, ["apply"])).code).toBe(0);
    await untilWhole(replica);
  }, 60_000);

  test("a third node for the pair is refused and stays bare; as a witness it is welcome", async () => {
    const env = { CHIME_TOKEN: token };
    const refusal = await chime(node3, ["join", ...system.flags, "--role", "mysql"], { env });
    expect(verdict(refusal)).toEqual([3, "join.role_full"]);
    expect(refusal.json.error?.remedy).toContain("witness");
    expect((await node3.sh("ls /etc/chime-node 2>/dev/null || :")).stdout).toBe("");
    expect((await chime(node3, ["join", ...system.flags, "--role", "witness"], { env })).code).toBe(0);
    expect((await node3.sh("ls /etc/chime-node /etc/chime-node/pki")).stdout).not.toMatch(/secrets|ca\.key/);
    expect((await chime(node3, ["reset", "--yes"])).code).toBe(0);
  });

  test("an edited cluster.toml is published by apply; one based on an older version is refused with the difference", async () => {
    const edit =
      'sed -i \'s/^databases.*//; /^\\[roles.mysql\\]/a databases = ["chime", "portal", "shop"]\' /etc/chime-node/cluster.toml';
    await node1.sh(edit);
    expect((await chime(node1, ["apply", "--yes"])).code).toBe(0);
    // Made on the writer, whichever node that is, and replicated.
    await waitUntil("the new database", 20_000, async () => {
      const { stdout } = await node1.run([system.client, "-N", "-e", "SHOW DATABASES"]);
      return stdout.includes("shop");
    });
    await node2.sh("echo '# mine' >> /etc/chime-node/cluster.toml");
    const late = await chime(node2, ["apply", "--yes"]);
    expect(verdict(late)).toEqual([3, "spec.conflict"]);
    expect(late.json.error?.message).toContain("shop");
    await node2.put("/etc/chime-node/cluster.toml", await node1.read("/etc/chime-node/cluster.toml"));
    expect((await chime(node2, ["apply", "--yes"])).code).toBe(0);
  });

  test.each([
    ["another server", 's/^engine = .*/engine = "percona"/', "spec.fixed"],
    ["a member's address as the VIP", 's/^vip = .*/vip = "10.77.0.12"/', "preflight.failed"],
  ])("an edit to %s is refused before it is published", async (_, edit, code) => {
    const path = "/etc/chime-node/cluster.toml";
    const before = await node1.read(path);
    await node1.run(["sed", "-i", edit, path]);
    expect(verdict(await chime(node1, ["apply", "--yes"]))).toEqual([3, code]);
    await node1.put(path, before);
    expect(await chime(node1, ["plan"])).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining("edited"),
    });
  });

  test("a killed agent is back within a second; writes, VIP and server go on", async () => {
    const { writer } = await writerOf(lab);
    const writers = await startWriters(lab, { table: "agent_killed" });
    const server = await writer.mainPid(system.unit);
    await writers.acknowledgedAfter(Date.now());
    const turns = async () =>
      (await chime<{ events: { kind: string }[] }>(writer, ["history"])).json.events.filter(({ kind }) =>
        ["promotion", "demotion"].includes(kind),
      ).length;
    const before = await turns();
    const at = await writer.kill("chime-node");
    await waitUntil("the agent to be back", 30_000, async () => {
      const { code } = await writer.run(["chime-node", "status"], { check: false });
      return code === 0;
    });
    // How long a write takes meanwhile is the host's: that nobody stopped writing, and nobody else began, is known.
    expect((await writers.outageAfter(at, 10_000, 1_000)).ended).toBe(true);
    expect(await turns()).toBe(before);
    expect(await writer.mainPid(system.unit)).toBe(server);
    expect((await writerOf(lab)).writer.name).toBe(writer.name);
    await writers.stop();
    await untilWhole(writer);
  });

  test("keepalived hangs on the writer: the other node takes over once, and the VIP is taken from the hung one", async () => {
    const { writer, replica } = await writerOf(lab);
    const writers = await startWriters(lab, { table: "keepalived_hung" });
    await writers.acknowledgedAfter(Date.now());
    await writer.sh("systemctl kill --signal=STOP keepalived");
    const holders = async () => (await status(replica)).vips[0]?.holders;
    await waitUntil("the other node alone to hold the VIP", 30_000, async () =>
      Bun.deepEquals(await holders(), [replica.name]),
    );
    await untilWhole(replica);
    expect(await holders()).toEqual([replica.name]);
    expect((await writer.run(["ip", "-brief", "address"])).stdout).not.toContain(vip);
    expect((await writerOf(lab)).writer.name).toBe(replica.name);
    await writers.acknowledgedAfter(Date.now());
    await writers.stop();
    await writers.untilOn([writer, replica]);
  }, 60_000);

  test("a VIP that no node has is asked for by whose keepalived waits for it", async () => {
    const { writer, replica } = await writerOf(lab);
    const keepalived = (verb: string) =>
      Promise.all([writer, replica].map((node) => node.run(["systemctl", verb, "keepalived"])));
    const holders = async () => (await status(writer)).vips[0]?.holders;
    await keepalived("stop");
    await waitUntil("no node to hold the VIP", 30_000, async () => Bun.deepEquals(await holders(), []));
    const since = Date.now() / 1000;
    await keepalived("start");
    await waitUntil("one node to hold it", 30_000, async () => (await holders())?.length === 1);
    const holder = lab.node((await holders())?.[0] ?? "");
    const journal = await holder.run(["journalctl", "-u", "chime-node", `--since=@${since}`, "-o", "cat"]);
    expect(journal.stdout).toContain("no node has it");
    await untilWhole(holder);
  }, 60_000);

  test("a node stays out of the election until its peer's keepalived hears it", async () => {
    const { writer, replica } = await writerOf(lab);
    const config = "/etc/keepalived/keepalived.conf";
    await replica.run(["systemctl", "stop", system.unit]);
    await writer.sh(`sed -i 's/ ${replica.address}$/ 127.0.0.1/' ${config} && systemctl reload keepalived`);
    await writer.run(["systemctl", "restart", "chime-node"]);
    await replica.run(["systemctl", "start", system.unit]);
    await waitUntil("the replica to say why it waits", 30_000, async () =>
      (await status(replica)).problems.some((problem) => problem.code === "vip.peer_deaf"),
    );
    expect((await status(writer)).vips[0]?.holders).toEqual([writer.name]);
    const { code, json } = await chime<{ changes: { resource: string; diff: string }[] }>(writer, [
      "apply",
      "--yes",
    ]);
    expect(code).toBe(0);
    // The file is again what keepalived had accepted, but not what it runs with.
    expect(json.changes).toContainEqual(
      expect.objectContaining({ resource: "service:keepalived.service", diff: "reload" }),
    );
    await untilWhole(writer);
    expect((await status(writer)).vips[0]?.holders).toEqual([writer.name]);
  }, 60_000);

  test("plan shows what an edited cluster.toml would do, and apply does it", async () => {
    const { writer, replica } = await writerOf(lab);
    const path = "/etc/chime-node/cluster.toml";
    const before = await writer.read(path);
    const kiosk = '[roles.mysql]\ndatabases = ["chime", "kiosk"]\n';
    await writer.put(path, before.replace(/^databases.*$/m, "").replace("[roles.mysql]\n", kiosk));
    const { json } = await chime<{ changes: { resource: string; diff: string }[] }>(writer, ["plan"]);
    expect(json.changes.map((change) => change.diff).join("\n")).toContain("kiosk");
    expect((await chime(writer, ["apply"])).json["errors"]).toEqual([]);
    expect((await chime(writer, ["secrets", "show", "--role", "mysql"])).json["databases"]).toEqual([
      "chime",
      "kiosk",
    ]);
    await writer.put(path, before);
    expect((await chime(writer, ["apply"])).json["errors"]).toEqual([]);
    await replica.put(path, before);
    expect((await chime<{ changes: unknown[] }>(writer, ["plan"])).json.changes).toEqual([]);
  }, 60_000);

  test("a node that is alive is not removed", async () => {
    expect(verdict(await chime(node1, ["remove", "node2", "--yes"]))).toEqual([3, "remove.alive"]);
    expect(verdict(await chime(node1, ["remove", "node1", "--yes"]))).toEqual([2, "remove.self"]);
    expect(verdict(await chime(node1, ["remove", "node9", "--yes"]))).toEqual([2, "member.unknown"]);
    expect(verdict(await chime(node1, ["remove", "node2"]))).toEqual([3, "remove.alive"]);
  });

  test("reset: the writer hands over, everything we made goes, what was there comes back, data stays", async () => {
    const { writer } = await writerOf(lab);
    if (writer.name !== "node2") {
      // The tree of node2 was noted when it was bare.
      await node1.kill(system.unit);
      await waitUntil(
        "node2 to write",
        20_000,
        async () => (await status(node2)).roles["mysql"]?.writable[0] === "node2",
        100,
      );
      await untilWhole(node2);
    }
    const writers = await startWriters(lab, { table: "handed_over" });
    const wrong = await chime(node2, ["reset", "--yes", "--delete-data=other"]);
    expect(verdict(wrong)).toEqual([3, "reset.wrong_cluster"]);
    const cutOff = node2.start(["chime-node", "reset", "--yes"]);
    await waitUntil("the reset to take something back", 60_000, () =>
      cutOff.lines.some((line) => line.includes("taking back")),
    );
    // To itself: the program that has brought it into the node would end before it.
    await node2.run(["pkill", "-INT", "-f", "^chime-node reset"]);
    expect(await cutOff.exited).toBe(130);
    // keepalived runs on for as long as nobody goes on, and no agent watches over what it does.
    expect((await node2.read("/run/chime-node/vip/mysql.eligible")).trim()).toBe("0");
    const { code, json } = await chime<{ kept: string[] }>(node2, ["reset", "--yes"]);
    expect([code, json.kept]).toEqual([0, ["/var/lib/mysql"]]);
    await writers.acknowledgedAfter(Date.now());
    await writers.stop();
    await writers.untilOn([node1]);

    expect((await node2.run(["cat", nonlocalBind])).stdout.trim()).toBe("0");
    expect(await packageList(node2)).toEqual(barePackages);
    expect(await fileTree(node2, leftByPackages)).toEqual(bareTree);
    expect(JSON.parse(await node2.read("/var/lib/mysql/chime-node.json"))).toMatchObject({ node: "node2" });
    const again = await chime<{ node: null }>(node2, ["reset", "--yes"]);
    expect([again.code, again.json.node]).toEqual([0, null]);
    const found = await status(node1);
    expect(found.members.find((member) => member.name === "node2")?.state).toBe("left");
    expect(found.problems.map((problem) => problem.code)).toContain("mysql.no_replica");
  }, 300_000);

  test("kept data is taken up again by the same cluster", async () => {
    const fresh = await chime<{ token: string }>(node1, ["token", "create"]);
    const { code, json } = await chime(node2, ["join", ...system.flags, "--role", "mysql"], {
      env: { CHIME_TOKEN: fresh.json.token },
    });
    expect([code, json.error]).toEqual([0, undefined]);
    await untilWhole(node1);
  }, 300_000);

  test("leave: it hands over, and nothing of ours runs there any more, not after a boot either", async () => {
    expect((await chime(node2, ["leave", "--yes"])).code).toBe(0);
    await node2.shutdown();
    await node2.boot();
    const units = ["chime-node.service", "keepalived.service", system.unit];
    const running = await node2.run(["systemctl", "is-active", ...units], { check: false });
    expect(running.stdout.trim().split("\n")).toEqual(["inactive", "inactive", "inactive"]);
    expect((await status(node1)).roles["mysql"]?.writable).toEqual(["node1"]);
    const fresh = await chime<{ token: string }>(node1, ["token", "create"]);
    const env = { CHIME_TOKEN: fresh.json.token };
    expect((await chime(node2, ["join", ...system.flags, "--role", "mysql"], { env })).code).toBe(0);
    await untilWhole(node1);
  }, 300_000);

  test.skipIf(!long)(
    "join --no-wait returns early, and the agent takes the last step, also where it wrote last",
    async () => {
      // Its newest transactions then bear the server id that it had before: they are its own all the same.
      expect((await chime(node2, ["switchover", "--to", "node2"])).code).toBe(0);
      const writers = await startWriters(lab, { table: "written_last" });
      await writers.acknowledgedAfter(Date.now());
      await writers.stop();
      expect((await chime(node2, ["reset", "--yes"])).code).toBe(0);
      const fresh = await chime<{ token: string }>(node1, ["token", "create"]);
      const env = { CHIME_TOKEN: fresh.json.token };
      const { code } = await chime(node2, ["join", ...system.flags, "--role", "mysql", "--no-wait"], { env });
      expect(code).toBe(0);
      await untilWhole(node1);
      await waitUntil("the phase", 30_000, async () => {
        const found = await status(node2);
        return found.members.some((member) => member.name === "node2" && member.phase["mysql"] === "ready");
      });
    },
    300_000,
  );

  test("reset --delete-data deletes the data, too", async () => {
    const { code, json } = await chime<{ deleted: string[] }>(node2, [
      "reset",
      "--yes",
      "--delete-data=chime",
    ]);
    expect([code, json.deleted]).toEqual([0, ["/var/lib/mysql"]]);
    expect((await node2.sh("ls -d /var/lib/mysql 2>/dev/null || :")).stdout).toBe("");
  }, 300_000);

  test("a node that dies between two phases holds nobody up, and its next join finishes", async () => {
    const fresh = await chime<{ token: string }>(node1, ["token", "create"]);
    const env = { CHIME_TOKEN: fresh.json.token };
    const joining = node2.start(["chime-node", "join", ...system.flags, "--role", "mysql"], { env });
    await waitUntil("the packages to be unpacked", 120_000, () =>
      joining.lines.some((line) => line.includes("unpacking")),
    );
    await node2.powerOff();
    const found = await status(node1);
    expect(found.roles["mysql"]?.writable).toEqual(["node1"]);
    await node2.boot();
    const { code, json } = await chime(node2, ["join", ...system.flags, "--role", "mysql"], { env });
    expect([code, json.error]).toEqual([0, undefined]);
    await untilWhole(node1);
  }, 300_000);

  test("a node that was removed while it was off does not serve when it is back, and says why", async () => {
    await node2.powerOff();
    await waitUntil("node2 to be dead", 20_000, async () =>
      (await status(node1)).members.some((member) => member.name === "node2" && member.state === "dead"),
    );
    // Until node1 goes on alone by a term, node2 may be the writer, and its removal asks for --accept-loss.
    const removed = async () => (await chime(node1, ["remove", "node2", "--yes"])).code === 0;
    await waitUntil("node1 to go on alone, and then to remove node2", 20_000, removed, 200);
    await node2.boot();
    await waitUntil("node2 to hear of it", 20_000, async () =>
      Bun.deepEquals(verdict(await chime(node2, ["status"])), [3, "node.removed"]),
    );
    await node2.run(["systemctl", "restart", "chime-node"]);
    expect(verdict(await chime(node2, ["status"]))).toEqual([3, "node.removed"]);
    expect((await node2.run(["ip", "-brief", "address"])).stdout).not.toContain(vip);
    // Where it heard of it before its guard started the server, the server stays down.
    const query = [system.client, "-N", "-e", "SELECT @@read_only"];
    expect((await node2.run(query, { check: false })).stdout.trim()).not.toBe("0");
    expect((await status(node1)).problems.map((problem) => problem.code)).toEqual(["mysql.no_replica"]);
    expect((await chime(node2, ["reset", "--yes"])).code).toBe(0);
  }, 300_000);
});
