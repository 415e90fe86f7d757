import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, open } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { chime, fileTree, verdict } from "./chime.ts";
import { bundleInit, copyLabBundle, makeLabBundle } from "./bundle.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { joinCommand, status, vip, type Initialized } from "./pair.ts";
import { inLab, readmeLines } from "./readme.ts";
import { system } from "./system.ts";
import { untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

const installer = resolve(import.meta.dir, "../../install.sh");

/** Nodes that can reach no repository: all they have is one file. Bundles are for released systems. */
describe.skipIf(system.name === "debian-sid")("from a bundle", () => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let bundle: string;
  let bare: string[];

  beforeAll(async () => {
    // One without any route, one with a route that leads nowhere.
    lab = await Lab.open({ nodes: [{ name: "node1", gateway: false }, "node2"] });
    [node1, node2] = lab.nodes as [LabNode, LabNode];
    bundle = join(lab.work, "bundle.tar");
    const made = await makeLabBundle(lab, await buildBinary(), bundle);
    for (const node of lab.nodes) {
      await node.sh("umount /mirror; echo 'deb http://192.0.2.1/debian stable main' >/etc/apt/sources.list");
    }
    for (const node of lab.nodes) await copyFile(installer, node.path("/root/install.sh"));
    await copyLabBundle(made, node1);
    await node1.sh(
      "cd /root && ln -s bundle.tar chime-debian12-x64.tar && mv key.pub bundle-key.pub && ln -s bundle-key.pub key.pub",
    );
    bare = await fileTree(node1);
  }, 400_000);
  afterAll(() => lab?.close());

  const install = (node: LabNode, file: string, more = "--trust /root/key.pub") =>
    node.sh(`sh /root/install.sh --bundle ${file} ${more}`, { check: false, timeoutMs: 120_000 });

  const offlineLines = () => readmeLines("install.sh --bundle");

  const counted = async (node: LabNode, path: string) =>
    Number.parseInt((await node.sh(`du -sb ${path}`, { check: false })).stdout) || 0;

  /**
   * A join that is killed with half of the packages here, before its agent is up: they do not wait for that. Returns how
   * many bytes are still to come.
   */
  async function cutPull(node: LabNode, token: string): Promise<number> {
    const total = await counted(node1, "/var/lib/chime-node/bundles/*/repo");
    await lab.network.setRate("node1", 40);
    const held = "/etc/systemd/system/chime-node.service.d";
    const wait = "until [ -e /run/lab-go ]; do sleep 0.1; done";
    await node.put(`${held}/lab.conf`, `[Service]\nExecStartPre=/bin/sh -c '${wait}'\n`);
    const joining = node.start(joinCommand, { env: { CHIME_TOKEN: token } });
    let here = 0;
    await waitUntil("half of the packages", 60_000, async () => {
      if (joining.ended) throw new Error(joining.lines.join("\n"));
      here = await counted(node, "/var/lib/chime-node/bundles");
      return here > total / 2;
    });
    joining.signal("SIGKILL");
    await joining.exited;
    await node.sh(`touch /run/lab-go; rm -r ${held}`);
    await lab.network.setRate("node1", undefined);
    return total - here;
  }
  const sentBy = async (node: LabNode) =>
    Number((await node.run(["cat", "/sys/class/net/eth0/statistics/tx_bytes"])).stdout);

  test("a bundle that was changed, or is for another system, is refused, and nothing of it stays", async () => {
    const changed = node1.path("/root/changed.tar");
    await copyFile(bundle, changed);
    const file = await open(changed, "r+");
    // In the last package: install.sh alone does not see it.
    await file.write(Buffer.from("x"), 0, 1, (await file.stat()).size - 3000);
    await file.close();
    const answer = await install(node1, "/root/changed.tar");
    expect([answer.code, answer.stdout]).toEqual([3, ""]);
    expect(answer.stderr).toContain("the bundle was changed or damaged: repo/pool/");
    await node1.sh(`rm /root/changed.tar; mv /etc/os-release /root/os
      sed 's/^VERSION_ID=.*/VERSION_ID="11"/' /root/os >/etc/os-release`);
    const other = await install(node1, "/root/bundle.tar");
    expect(other.code).toBe(3);
    expect(other.stderr).toContain(`the bundle is for ${system.name.replace("-", "")}, and this is debian11`);
    await node1.sh("rm /etc/os-release; mv /root/os /etc/os-release");
    expect(await fileTree(node1)).toEqual(bare);
  }, 120_000);

  test.skipIf(!process.env["CHIME_LONG"])(
    "imported before there is a cluster and taken back, the machine is as it was",
    async () => {
      expect((await install(node1, "/root/bundle.tar")).code).toBe(0);
      const refused = await node1.sh("sh /root/install.sh --uninstall", { check: false });
      expect([refused.code, refused.stderr]).toEqual([
        3,
        "install.sh: this node is still managed: run 'chime-node reset' first, then this again\n",
      ]);
      await node1.run(["chime-node", "reset", "--yes"]);
      await node1.sh("sh /root/install.sh --uninstall");
      expect(await fileTree(node1)).toEqual(bare);
    },
    120_000,
  );

  test("in bundle mode a node without a bundle is told so before anything is begun", async () => {
    const [, , , second = ""] = await offlineLines();
    await copyFile(await buildBinary(), node2.path("/root/chime-node"));
    await node2.sh(`cd /root && ${second} && rm chime-node`);
    const answer = await chime(node2, [...bundleInit.slice(1), "--role", "mysql"]);
    expect(verdict(answer)).toEqual([3, "preflight.failed"]);
    expect(answer.stderr + answer.json.error?.message).toContain(
      "no bundle that was imported on this node has",
    );
  }, 60_000);

  test("the README's lines, as they are written, make a serving pair: one has the file, the other takes what it needs from it", async () => {
    const [bundled = "", init = "", joinFirst = "", , joinSecond = ""] = await offlineLines();
    const answer = await node1.sh(`cd /root && ${bundled}`, { timeoutMs: 120_000 });
    expect(answer.stdout).toMatch(/^installed \/usr\/local\/bin\/chime-node/);
    const flags = system.flags.join(" ");
    const { token } = JSON.parse((await node1.sh(`${inLab(init)} --json ${flags}`)).stdout) as Initialized;
    const left = await cutPull(node2, token);
    const timeoutMs = 300_000;
    const before = await sentBy(node1);
    const [, second] = await Promise.all([
      node1.sh(`${joinFirst} ${flags}`, { timeoutMs }),
      node2.sh(`${inLab(joinSecond, token)} ${flags}`, { timeoutMs }),
    ]);
    expect(second.stderr).toContain("packages came from node1: bundle ");
    // Only the rest came: a third more as base64, and less than 10 MB that two joining nodes say otherwise.
    expect((await sentBy(node1)) - before).toBeLessThan(1.4 * left + 10e6);
    await untilProtected(lab);
    expect((await status(node2)).vips).toMatchObject([{ role: "mysql", address: vip }]);
    const lists = await Promise.all(
      lab.nodes.map((node) => chime<{ id: string }[]>(node, ["bundle", "list"])),
    );
    expect(lists[0]?.json).toHaveLength(1);
    expect(lists[1]?.json).toEqual(lists[0]?.json ?? []);
    // The server came in chunks, each with a sum of its own.
    await node2.sh(`grep -q '"chunks":.*"name":"repo/pool/' /var/lib/chime-node/bundles/*/manifest.json`);
    // Whom init trusted, the cluster trusts: node2 was told no key.
    await copyFile(bundle, node2.path("/root/bundle.tar"));
    expect((await chime(node2, ["bundle", "import", "/root/bundle.tar"])).code).toBe(0);
  }, 400_000);

  test("a key that the cluster revoked counts no more", async () => {
    await node1.sh("sed -i 's/^# revoked_keys = \\[\\]/revoked_keys = [KEY]/' /etc/chime-node/cluster.toml");
    const toml = await node1.read("/etc/chime-node/cluster.toml");
    const key = /trusted_keys = \["([^"]+)"\]/.exec(toml)?.[1] ?? "";
    await node1.put("/etc/chime-node/cluster.toml", toml.replace("[KEY]", `["${key}"]`));
    await node1.run(["chime-node", "apply", "--yes"], { timeoutMs: 60_000 });
    expect(verdict(await chime(node1, ["bundle", "import", "/root/bundle.tar"]))).toEqual([
      3,
      "bundle.revoked_key",
    ]);
  }, 120_000);

  test.skipIf(!process.env["CHIME_LONG"])(
    "reset and --uninstall take all of it away",
    async () => {
      const refused = await node1.sh("sh /root/install.sh --uninstall", { check: false });
      expect(refused.code).toBe(3);
      await node1.run(["chime-node", "reset", "--yes", "--delete-data=chime"], { timeoutMs: 300_000 });
      await node1.sh("sh /root/install.sh --uninstall");
      const left =
        "ls -d /usr/local/bin/* /usr/local/lib/chime-node /etc/chime-node /var/lib/chime-node 2>/dev/null";
      expect((await node1.sh(left, { check: false })).stdout).toBe("");
    },
    300_000,
  );
});
