import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { makeKey, standIn } from "../install/release.ts";
import { chime, fileTree } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, vip, writerOf, type Initialized } from "./pair.ts";
import { inLab, readmeLines } from "./readme.ts";
import { buildVersion, publishVersion, releaseUrl, serveReleases } from "./release.ts";
import { system } from "./system.ts";
import { untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

/** Two bare machines and a web server with releases: everything by `curl … | sh`, as the README has it. */
describe("from a release", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let created: Initialized;
  let key: Awaited<ReturnType<typeof makeKey>>;
  let bare: string[];

  beforeAll(async () => {
    lab = await Lab.open({ nodes: ["node1", "node2"] });
    [node1, node2] = lab.nodes as [LabNode, LabNode];
    key = await makeKey(join(lab.work, "key"));
    const first = await buildVersion(lab, "1.0.0");
    for (const at of ["", "v1.0.0"]) await publish(at, "1.0.0", first);
    await serveReleases(lab);
    await Promise.all(
      lab.nodes.map((node) =>
        node.sh("apt-get update -q && apt-get install -y -q --no-install-recommends curl sudo", {
          timeoutMs: 120_000,
        }),
      ),
    );
    bare = await fileTree(node1);
  }, 400_000);
  afterAll(() => lab?.close());

  const publish = (at: string, version: string, program: Uint8Array | string) =>
    publishVersion(lab, at, { version, program, key: key.key });
  const pipe = (words = "") => `curl -sfL ${releaseUrl(lab)}/install.sh | sh${words && ` -s -- ${words}`}`;

  test("a machine without curl or wget is told so; nothing is left", async () => {
    const script = await Bun.file(join(lab.work, "served/install.sh")).text();
    await node2.put("/root/install.sh", script);
    const answer = await node2.sh(
      "mv /usr/bin/curl /usr/bin/lruc; sh /root/install.sh; mv /usr/bin/lruc /usr/bin/curl",
      {
        check: false,
      },
    );
    await node2.sh("test -e /usr/bin/curl || mv /usr/bin/lruc /usr/bin/curl; rm /root/install.sh");
    expect(answer.code).toBe(3);
    expect(answer.stderr).toStartWith("install.sh: neither curl nor wget is installed");
  });

  test("installed and uninstalled, the machine is as it was", async () => {
    const installed = await node1.sh(pipe(`--trust ${key.line}`));
    expect(installed.stdout).toBe("installed /usr/local/bin/chime-node (chime-node 1.0.0)\n");
    expect(installed.stderr).not.toContain("signature");
    const { version, trusted_keys } = (await chime(node1, ["version"])).json;
    expect([version, trusted_keys]).toEqual(["1.0.0", []]);
    expect((await node1.sh(pipe("--uninstall"))).stdout).toBe("removed /usr/local/bin/chime-node\n");
    expect(await fileTree(node1)).toEqual(bare);
  });

  test("a user with sudo installs and runs a command; the token goes by the environment", async () => {
    await node2.sh(
      `useradd -m op; echo 'op ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/op; chmod 0440 /etc/sudoers.d/op`,
    );
    // Parsed before anything else: what comes back shows that the token came through sudo.
    const join = [
      "su",
      "op",
      "-c",
      pipe("join --role mysql --json").replace("| sh", "| CHIME_TOKEN=wrong sh"),
    ];
    const answer = await node2.run(join, { check: false });
    expect(answer.code).toBe(2);
    expect(JSON.parse(answer.stdout)).toMatchObject({ error: { code: expect.stringMatching(/^token\./) } });
    expect(await node2.run(["stat", "-c", "%U %a", "/usr/local/bin/chime-node"])).toMatchObject({
      stdout: "root 755\n",
    });
    expect((await node2.run(["su", "op", "-c", pipe("--uninstall")])).stdout).toContain("removed");
    await node2.sh("rm /etc/sudoers.d/op; userdel -r op 2>/dev/null");
  });

  test("the README's lines, as they are written, make a serving pair", async () => {
    const [init = "", join = "", second = ""] = await readmeLines("install.sh | sh -s -- init");
    const settle = (line: string) =>
      inLab(line.replaceAll("https://RELEASES", releaseUrl(lab)), created?.token);
    const started = await node1.sh(`${settle(init)} --json ${system.flags.join(" ")}`, {
      timeoutMs: 120_000,
    });
    created = JSON.parse(started.stdout) as Initialized;
    await Promise.all([
      node1.sh(`${settle(join)} ${system.flags.join(" ")}`, { timeoutMs: 300_000 }),
      node2.sh(`${settle(second)} ${system.flags.join(" ")}`, { timeoutMs: 300_000 }),
    ]);
    await untilProtected(lab);
    expect((await status(node1)).vips).toMatchObject([{ role: "mysql", address: vip }]);
  }, 400_000);

  test("an upgrade moves neither the VIP nor the writer, and a pair of two versions works", async () => {
    const next = await buildVersion(lab, "1.1.0");
    for (const at of ["", "v1.1.0"]) await publish(at, "1.1.0", next);
    const before = await status(node1);
    const turnsBefore = await turns(node1);
    const { writer, replica } = await writerOf(lab);
    const serverPids = await Promise.all(lab.nodes.map((node) => node.mainPid(system.unit)));
    const writers = await startWriters(lab, { table: "upgraded" });
    for (const node of [replica, writer]) {
      const agent = await node.mainPid("chime-node.service");
      const { stdout, stderr } = await node.sh(pipe());
      expect(stdout).toBe("installed /usr/local/bin/chime-node (chime-node 1.1.0)\n");
      expect(stderr).toContain("restarting the agent");
      expect(await node.mainPid("chime-node.service")).not.toBe(agent);
      await untilProtected(lab);
      const now = await status(node);
      expect(now.vips).toEqual(before.vips);
      expect((await versions(node)).filter((version) => version === "1.1.0")).toHaveLength(
        node === replica ? 1 : 2,
      );
      await writers.acknowledgedAfter(Date.now());
    }
    await writers.stop();
    // Applications saw a pause at most as long as one slow commit.
    expect(Math.max(0, ...(await writers.outages(500)).map(({ ms }) => ms))).toBe(0);
    await writers.untilOn(lab.nodes);
    expect(await turns(node1)).toEqual(turnsBefore);
    expect(await Promise.all(lab.nodes.map((node) => node.mainPid(system.unit)))).toEqual(serverPids);
  }, 300_000);

  test("--rollback brings the version before back, --version a named one", async () => {
    expect((await node1.sh(pipe("--rollback"))).stdout).toContain("(chime-node 1.0.0)");
    await untilProtected(lab);
    expect((await versions(node1)).toSorted()).toEqual(["1.0.0", "1.1.0"]);
    expect((await node1.sh(pipe())).stdout).toContain("(chime-node 1.1.0)");
    expect((await node1.sh(pipe("--version 1.0.0"))).stdout).toContain("(chime-node 1.0.0)");
    expect((await node1.sh(pipe("--rollback"))).stdout).toContain("(chime-node 1.1.0)");
    await untilProtected(lab);
  }, 120_000);

  test("a version whose agent does not start: the one before is back and serves", async () => {
    const before = await turns(node1);
    await publish("v6.6.6", "6.6.6", standIn({ version: "6.6.6", body: "exit 7" }));
    const answer = await node1.sh(pipe("--version 6.6.6"), { check: false });
    expect(answer.code).toBe(1);
    expect(answer.stderr).toContain(
      "the agent does not start with chime-node 6.6.6: the binary before is back",
    );
    await untilProtected(lab);
    expect(await versions(node1)).toEqual(["1.1.0", "1.1.0"]);
    expect(await turns(node1)).toEqual(before);
    expect((await node1.run(["ls", "-A", "/usr/local/bin"])).stdout).toBe("chime-node\n");
  }, 120_000);

  test("a version that cannot read this node's state is refused", async () => {
    await publish("v2.0.0", "2.0.0", await buildVersion(lab, "2.0.0", 2));
    expect((await node2.sh(pipe("--version 2.0.0"))).stdout).toContain("(chime-node 2.0.0)");
    for (const back of ["--rollback", "--version 1.1.0"]) {
      const answer = await node2.sh(pipe(back), { check: false });
      expect([answer.code, answer.stderr.trimEnd().split("\n").at(-1)]).toEqual([
        3,
        "install.sh: chime-node 1.1.0 cannot read the state that chime-node 2.0.0 wrote on this node: stay, or go to a newer one",
      ]);
    }
    expect((await chime<{ version: string }>(node2, ["version"])).json.version).toBe("2.0.0");
    await untilProtected(lab);
  }, 120_000);

  test("an agent that systemd gave up on is started by the next install", async () => {
    const { replica } = await writerOf(lab);
    const { stdout } = await replica.run(["chime-node", "version", "--json"]);
    const { version, state } = JSON.parse(stdout) as { version: string; state: number };
    await replica.put("/root/broken", standIn({ version: "6.6.6", state, body: "exit 7" }), 0o755);
    await replica.sh("mv -f /root/broken /usr/local/bin/chime-node; systemctl restart chime-node || :");
    await waitUntil(
      "systemd to give up",
      120_000,
      async () =>
        (await replica.run(["systemctl", "is-active", "chime-node"], { check: false })).stdout === "failed\n",
    );
    expect((await replica.sh(pipe(`--version ${version}`))).stdout).toContain(`(chime-node ${version})`);
    await untilProtected(lab);
  }, 240_000);

  test("--uninstall is refused in a cluster, and leaves nothing after a reset", async () => {
    const refused = await node1.sh(pipe("--uninstall"), { check: false });
    expect(refused.code).toBe(3);
    expect(refused.stderr).toBe(
      "install.sh: this node is still managed: run 'chime-node reset' first, then this again\n",
    );
    expect((await node1.run(["chime-node", "reset", "--yes"], { timeoutMs: 300_000 })).code).toBe(0);
    await node1.sh(pipe("--uninstall"));
    const left = await node1.sh(
      "ls -d /usr/local/bin/* /usr/local/lib/chime-node /etc/chime-node /var/lib/chime-node 2>/dev/null",
      {
        check: false,
      },
    );
    expect(left.stdout).toBe("");
  }, 300_000);

  /** What each member runs, as the cluster knows it. */
  async function versions(node: LabNode): Promise<string[]> {
    const { json } = await chime<{ members: { version: string }[] }>(node, ["status"]);
    return json.members.map(({ version }) => version);
  }

  /** Every turn of a role so far. */
  async function turns(node: LabNode): Promise<string[]> {
    type Events = { events: { kind: string; message: string }[] };
    const { events } = (await chime<Events>(node, ["history"])).json;
    return events.flatMap(({ kind, message }) =>
      /promotion|demotion|quarantine/.test(kind) ? [`${kind} ${message}`] : [],
    );
  }
});
