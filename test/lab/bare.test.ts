import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import { callAgent } from "../../src/agent/socket.ts";
import { paths } from "../../src/core/paths.ts";
import type { HeardBy } from "../../src/vip/listening.ts";
import { virtualRouterId } from "../../src/vip/vrid.ts";
import { chime, packageList, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { initWords, vip, type Initialized } from "./pair.ts";
import { system } from "./system.ts";
import { twinInit } from "./twins.ts";
import { waitUntil } from "./wait.ts";

/** What is refused before anything is installed, on machines that stay bare. */
describe("bare nodes", () => {
  let lab: Lab;
  let [node1, node2, node3]: LabNode[] = [];
  beforeAll(async () => {
    const binary = await buildBinary();
    lab = await Lab.open({ nodes: ["node1", "node2", "node3"] });
    await Promise.all(lab.nodes.map((node) => node.install(binary)));
    [node1, node2, node3] = lab.nodes;
  }, 300_000);
  afterAll(() => lab?.close());

  const on = (node: LabNode | undefined) => node as LabNode;
  const untouched = async (node: LabNode) => {
    const { stdout } = await node.sh(
      "ls -A /etc/chime-node /var/lib/chime-node /etc/systemd/system/chime-node.service 2>/dev/null || :",
    );
    expect(stdout.trim()).toBe("");
  };
  const initArgs = (address: string) => initWords(address).slice(1);
  const witness = ["join", ...system.flags, "--role", "witness"];

  test.each([
    ["an address that answers", () => lab.client.address, "vip.in-use"],
    ["this node's own address", () => on(node1).address, "vip.in-use"],
    ["another subnet", () => "192.0.2.30", "vip.subnet"],
    ["the broadcast address", () => "10.77.0.255", "vip.subnet"],
  ])("init: a VIP that is %s is refused", async (_, address, check) => {
    const answer = await chime(on(node1), initArgs(address()));
    expect(verdict(answer)).toEqual([3, "preflight.failed"]);
    expect(answer.json.error?.message).toContain(check);
    await untouched(on(node1));
  });

  test.each([
    ["init with a role without its VIP", () => ["init", "--role", "mysql"], "init.no_vip"],
    ["init with a role that is none", () => [...initArgs(vip), "--role", "mysqll"], "usage.unknown_role"],
    ["preflight of a role that is none", () => ["preflight", "--role", "mysqll"], "usage.unknown_role"],
  ])("%s is wrong usage", async (_, args, code) => {
    expect(verdict(await chime(on(node1), args()))).toEqual([2, code]);
    await untouched(on(node1));
  });

  test("an agent on a node that is in no cluster ends at once, as any command is refused", async () => {
    expect(verdict(await chime(on(node1), ["agent"], { timeoutMs: 20_000 }))).toEqual([3, "node.no_cluster"]);
  });

  test("init: an error in a config file tells file, line, column and what would be right", async () => {
    await on(node1).put("/root/c.toml", '[roles.mysql]\nvipp = "10.77.0.30"\n');
    const { code, stderr } = await on(node1).run(["chime-node", "init", "--config", "/root/c.toml"], {
      check: false,
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^\/root\/c\.toml:2:1: .*vip/m);
    await untouched(on(node1));
  });

  test("init: a read-only /etc is refused", async () => {
    await on(node1).sh("mount --bind /etc /etc && mount -o remount,ro,bind /etc");
    try {
      const answer = await chime(on(node1), initArgs(vip));
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toContain("/etc");
    } finally {
      // Lazily: what a unit of the node has open there at that moment would keep it read-only for all that follow.
      await on(node1).sh("umount --lazy /etc");
    }
    await untouched(on(node1));
  });

  test("init: the agent's port taken by somebody else is refused and named", async () => {
    const squatter = on(node1).start(["perl", "-MSocket", "-e", listen, "8820"]);
    try {
      await on(node1).sh("until ss -Hltn 'sport = :8820' | grep -q .; do :; done");
      const answer = await chime(on(node1), initArgs(vip));
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toMatch(/8820.*perl/);
    } finally {
      squatter.signal("SIGKILL");
    }
    await untouched(on(node1));
  });

  test("join: no token, half a token, an unknown role", async () => {
    expect(verdict(await chime(on(node2), witness))).toEqual([2, "token.missing"]);
    const half = await chime(on(node2), witness, { env: { CHIME_TOKEN: "chime1.eyJjbHVzdGVyIjoi" } });
    expect(verdict(half)).toEqual([2, "token.malformed"]);
    expect(verdict(await chime(on(node2), ["join", "--role", "mysqll"]))).toEqual([2, "usage.unknown_role"]);
    await untouched(on(node2));
  });

  test("port 3306 taken, and a foreign server with data, are refused before the cluster hears of it", async () => {
    const token = await freshToken();
    const squatter = on(node2).start(["perl", "-MSocket", "-e", listen, "3306"]);
    try {
      await on(node2).sh("until ss -Hltn 'sport = :3306' | grep -q .; do :; done");
      const answer = await chime(on(node2), ["join", ...system.flags, "--role", "mysql"], {
        env: { CHIME_TOKEN: token },
      });
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toMatch(/3306.*perl/);
    } finally {
      squatter.signal("SIGKILL");
    }
    await on(node2).sh(
      "mkdir -p /var/lib/mysql/shop && touch /var/lib/mysql/ibdata1 /var/lib/mysql/shop/t.ibd",
    );
    const answer = await chime(on(node2), ["join", ...system.flags, "--role", "mysql"], {
      env: { CHIME_TOKEN: token },
    });
    expect(verdict(answer)).toEqual([3, "preflight.failed"]);
    expect(answer.json.error?.message).toContain("/var/lib/mysql");
    expect((await on(node2).run(["ls", "/var/lib/mysql/shop"])).stdout.trim()).toBe("t.ibd");
    await on(node2).run(["rm", "-r", "/var/lib/mysql"]);
    await untouched(on(node2));
  });

  test("init again with the same words is no harm; with others it is refused", async () => {
    const first = await chime<{ cluster: { id: string } }>(on(node1), initArgs(vip));
    const again = await chime<{ cluster: { id: string } }>(on(node1), ["init"]);
    expect(again.code).toBe(0);
    expect(again.json.cluster.id).toBe(first.json.cluster.id);
    expect(verdict(await chime(on(node1), initArgs("10.77.0.31")))).toEqual([3, "init.config_exists"]);
    expect(verdict(await chime(on(node1), ["init", "--name", "other"]))).toEqual([3, "init.exists"]);
    const toml = "/etc/chime-node/cluster.toml";
    const kept = await on(node1).read(toml);
    await on(node1).run(["rm", toml]);
    expect(verdict(await chime(on(node1), initArgs("10.77.0.31")))).toEqual([3, "init.other_config"]);
    expect((await chime(on(node1), ["init"])).code).toBe(0);
    expect(await on(node1).read(toml)).toBe(kept);
    await on(node1).run(["rm", toml]);
    expect((await chime(on(node1), ["plan"])).stderr).toContain("cluster.toml is missing here");
    const applied = await chime(on(node1), ["apply"]);
    expect([applied.code, applied.stderr]).toEqual([
      0,
      expect.stringContaining("cluster.toml was missing here"),
    ]);
    expect(await on(node1).read(toml)).toBe(kept);
  });

  test.each([
    ["revoked", "token.revoked"],
    ["used up", "token.used_up"],
    ["expired", "token.expired"],
    ["for another role", "token.role_not_allowed"],
  ])("join: a token that is %s has its own answer", async (what, code) => {
    await freshToken();
    const create = async (...args: string[]) =>
      (await chime<{ token: string; id: string }>(on(node1), ["token", "create", ...args])).json;
    let given = await create(...(what === "for another role" ? ["--role", "mysql"] : []));
    if (what === "revoked") await chime(on(node1), ["token", "revoke", given.id]);
    if (what === "used up") {
      given = await create("--uses", "1");
      expect((await chime(on(node3), witness, { env: { CHIME_TOKEN: given.token } })).code).toBe(0);
    }
    if (what === "expired") {
      given = await create("--ttl", "1s");
      const expired = "chime-node token list --json | grep -q expired";
      await on(node1).sh(`until ${expired}; do sleep 0.1; done`);
    }
    expect(verdict(await chime(on(node2), witness, { env: { CHIME_TOKEN: given.token } }))).toEqual([
      3,
      code,
    ]);
    await untouched(on(node2));
    if (what === "used up") expect((await chime(on(node3), ["reset", "--yes"])).code).toBe(0);
  });

  test("init on both nodes: the second cluster's node is refused by the first one's token", async () => {
    const token = await freshToken();
    expect((await chime(on(node2), initArgs("10.77.0.40"))).code).toBe(0);
    const answer = await chime(on(node2), [...witness, "--token", token]);
    expect(verdict(answer)).toEqual([3, "token.wrong_cluster"]);
    expect(answer.json.error?.remedy).toContain("chime-node reset");
    expect((await chime(on(node2), ["reset", "--yes"])).code).toBe(0);
    await untouched(on(node2));
  });

  test("two nodes joining under one name at once: exactly one gets it", async () => {
    const env = { CHIME_TOKEN: await freshToken() };
    const twins = [on(node2), on(node3)];
    const answers = await Promise.all(
      twins.map((node) => chime(node, [...witness, "--name", "twin"], { env })),
    );
    expect(answers.map(verdict).sort((a, b) => a[0] - b[0])).toEqual([
      [0, undefined],
      [3, "join.name_taken"],
    ]);
    const entered = twins[answers.findIndex((answer) => answer.code === 0)] as LabNode;
    expect((await chime(entered, ["reset", "--yes"])).code).toBe(0);
    for (const node of twins) await untouched(node);
  });

  test("a leave that was interrupted after it had told the others is not told to be unknown to them", async () => {
    const env = { CHIME_TOKEN: await freshToken() };
    expect((await chime(on(node2), witness, { env })).code).toBe(0);
    await callAgent("leave", {}, { path: on(node2).path(paths.socket) });
    await on(node2).run(["systemctl", "stop", "chime-node"]);
    const { code, stderr } = await chime(on(node2), ["leave", "--yes"]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("is not told")]);
    expect((await chime(on(node2), ["reset", "--yes"])).code).toBe(0);
  });

  test("an unreachable cluster is told within 30 s, with what each address said", async () => {
    const token = await freshToken();
    await on(node1).cutPort("silent");
    try {
      // Else it depends on how old the neighbor's entry is whether the kernel or our limit ends the wait.
      await on(node2).run(["ip", "neighbor", "flush", "dev", "eth0"]);
      const started = performance.now();
      const answer = await chime(on(node2), witness, { env: { CHIME_TOKEN: token } });
      expect(verdict(answer)).toEqual([1, "join.unreachable"]);
      expect(answer.json.error?.message).toContain(
        `${on(node1).address}: no machine answers at this address`,
      );
      expect(performance.now() - started).toBeLessThan(30_000);
    } finally {
      await on(node1).heal();
    }
  });

  test("join: a router of somebody else's with our id is refused; the agent of a node without a role hears it before", async () => {
    const { json } = await chime<{ cluster: { id: string } }>(on(node1), initArgs(vip));
    const id = virtualRouterId(json.cluster.id, "mysql");
    await on(node1).run(["systemctl", "restart", "chime-node"]);
    const stranger = on(node3).start(["perl", "-MSocket", "-e", advertise, String(id)]);
    try {
      const options = { path: on(node1).path(paths.socket) };
      const isHeard = async () => {
        const { eth0 } = await callAgent<HeardBy>("routers.heard", { ms: 5_000 }, options);
        // Its time counts only where the link can be read.
        return (
          eth0 !== undefined &&
          eth0.ms >= 100 &&
          eth0.routers.some(({ sender }) => sender === on(node3).address)
        );
      };
      await waitUntil("the agent to hear the stranger", 20_000, isHeard);
      const answer = await chime(on(node1), ["join", ...system.flags, "--role", "mysql"]);
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toContain(
        `the virtual router id ${id} is in use on this network by ${on(node3).address}`,
      );
      const env = { CHIME_TOKEN: await freshToken() };
      const entering = await chime(on(node2), ["join", ...system.flags, "--role", "mysql"], { env });
      expect(verdict(entering)).toEqual([3, "preflight.failed"]);
      for (const node of [on(node1), on(node2)]) {
        const fails = async (...argv: string[]) => (await node.run(argv, { check: false })).code === 1;
        expect([await fails("dpkg", "-s", "keepalived"), await fails("pgrep", "apt-get")]).toEqual([
          true,
          true,
        ]);
      }
      expect((await chime(on(node2), ["reset", "--yes"])).code).toBe(0);
    } finally {
      stranger.signal("SIGKILL");
    }
  });

  test("packages that were installed while the network was asked are taken back where it is not fit", async () => {
    expect((await chime(on(node1), ["reset", "--yes"])).code).toBe(0);
    // Nothing of it is ever run here.
    for (const node of [on(node1), on(node2)]) await node.run(["cp", "/bin/true", "/root/influxd"]);
    const { json } = await chime<Initialized>(on(node1), twinInit());
    const id = virtualRouterId(json.cluster.id, "influxdb");
    const before = await packageList(on(node2));
    const stranger = on(node3).start(["perl", "-MSocket", "-e", advertise, String(id)]);
    try {
      const env = { CHIME_TOKEN: json.token };
      const answer = await chime(on(node2), ["join", "--role", "influxdb"], { env });
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toContain(`the virtual router id ${id} is in use`);
      // On a busy machine the network answers before dpkg begins: then it does not.
      const { stdout } = await on(node2).sh(
        "sed -n 's/^\\(Unpacking\\|Purging\\) .*keepalived .*/\\1/p' /var/lib/chime-node/backups/packages.log; ls /usr/sbin/policy-rc.d 2>&1 || :",
      );
      expect(stdout).toMatch(/^(Unpacking\nPurging\n)?ls: /);
      expect(await packageList(on(node2))).toEqual(before);
      // A repository that takes connections and says nothing holds up no refusal.
      const silent = on(node3).start(["perl", "-MSocket", "-e", listen, "8000"]);
      try {
        const list = `deb [trusted=yes] http://${on(node3).address}:8000/ ./`;
        await on(node2).sh(`rm -r /var/lib/apt/lists; echo '${list}' >/etc/apt/sources.list`);
        // One that enters listens itself.
        expect((await chime(on(node2), ["reset", "--yes"])).code).toBe(0);
        const started = performance.now();
        expect(verdict(await chime(on(node2), ["join", "--role", "influxdb"], { env }))).toEqual([
          3,
          "preflight.failed",
        ]);
        // An address that says nothing costs apt 10 s a try.
        expect(performance.now() - started).toBeLessThan(15_000);
      } finally {
        silent.signal("SIGKILL");
      }
      expect((await on(node2).run(["pgrep", "apt-get"], { check: false })).code).toBe(1);
    } finally {
      stranger.signal("SIGKILL");
    }
    for (const node of [on(node1), on(node2)]) expect((await chime(node, ["reset", "--yes"])).code).toBe(0);
  }, 60_000);

  /** A token of the cluster on node1, which is made by whoever asks first. */
  async function freshToken(): Promise<string> {
    const answer = await chime<{ token: string }>(on(node1), initArgs(vip));
    expect(answer).toMatchObject({ code: 0 });
    return answer.json.token;
  }
});

/** A stranger that listens on a port, in the perl that every Debian has. */
const listen = `socket(S, PF_INET, SOCK_STREAM, 0) and setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1)
  and bind(S, sockaddr_in(shift, INADDR_ANY)) and listen(S, 1) or die $!; sleep 600`;

/** A router that sends adverts of an id (RFC 9568 §5) once a second, as by default. */
const advertise = `my $id = shift; socket(S, PF_INET, SOCK_RAW, 112) or die $!;
  while (1) { send(S, pack("C4n2N", 0x31, $id, 100, 1, 100, 0, 0), 0, sockaddr_in(0, inet_aton("224.0.0.18"))) or die $!; sleep 1 }`;
