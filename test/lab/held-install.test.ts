import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { programOf } from "./program.ts";
import { waitUntil } from "./wait.ts";

/** With nothing that they need, and without each other. */
const [wanted, other] = ["pci.ids", "libsensors-config"];
const word = "/root/word";

/** What apt does on a real system before it was told to go on, and after. */
describe("an installation that waits", () => {
  let lab: Lab;
  let node: LabNode;
  beforeAll(async () => {
    lab = await Lab.open({ nodes: ["node1"] });
    [node] = lab.nodes as [LabNode];
    await copyFile(process.execPath, node.path("/usr/local/bin/bun"));
    await node.put("/root/held-program.js", await programOf(join(import.meta.dir, "held-program.ts")));
    await node.run(["mkdir", "/run/chime-node"]);
  }, 300_000);
  afterAll(() => lab?.close());
  beforeEach(async () => {
    await node.sh(`dpkg --purge ${wanted} ${other} 2>/dev/null; rm -f ${word} /root/*invoked* /root/held.*`);
    await hooks('DPkg::Pre-Invoke { "touch /root/invoked"; };');
  });

  /** The system's own configuration, which notes what apt calls. */
  const hooks = (text: string) => node.put("/etc/apt/apt.conf.d/99lab", `${text}\n`);
  const prepare = async () => {
    const program = node.start(["/usr/local/bin/bun", "/root/held-program.js", wanted, word]);
    await waitUntil("apt to wait", 60_000, () => runs(["-f", "sh -c (-- )?read go"]));
    return program;
  };
  const runs = async (pattern: string[]) =>
    (await node.run(["pgrep", ...pattern], { check: false })).code === 0;
  const untilAptEnded = () => waitUntil("apt to end", 20_000, async () => !(await runs(["-x", "apt-get"])));
  const has = async (name: string) => (await node.run(["dpkg", "-s", name], { check: false })).code === 0;
  const wasInvoked = async () => (await node.sh("ls /root | grep -c invoked || :")).stdout.trim() !== "0";

  test.each([
    ["the system's own hooks come after it", 'DPkg::Pre-Invoke { "touch /root/invoked"; };'],
    ["a configuration that takes away all hooks before it stops the other one", "#clear DPkg::Pre-Invoke;"],
  ])("%s: killed while it waits, it leaves nothing, and no lock", async (_, text) => {
    await hooks(text);
    const program = await prepare();
    program.signal("SIGKILL");
    await untilAptEnded();
    expect([await has(wanted), await wasInvoked()]).toEqual([false, false]);
    await node.run(["apt-get", "install", "-y", "-q", other]);
  });

  test("told, it goes on, and says what it brought", async () => {
    const program = await prepare();
    await node.put(word, wanted);
    expect(await program.exited).toBe(0);
    expect([await program.stdout, await has(wanted), await wasInvoked()]).toEqual(["", true, true]);
    expect(await node.read("/root/held.record")).toContain(`${wanted} - `);
    expect(await node.read("/root/held.log")).toContain(`Setting up ${wanted}`);
    expect((await node.sh("ls /run/chime-node")).stdout).toBe("");
  });

  test("where other packages are to be installed after all, it ends, and they are", async () => {
    const program = await prepare();
    await node.put(word, other);
    expect(await program.exited).toBe(0);
    expect([await program.stdout, await has(wanted), await has(other)]).toEqual(["", false, true]);
  });
});
