import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ChunkSums, chunkCount } from "../../src/bundle/chunks.ts";
import type { BundleFile } from "../../src/bundle/manifest.ts";
import { ensureImage } from "../../test/lab/image.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { programOf } from "../../test/lab/program.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import { median, type Row } from "./row.ts";

/** What leaves a node: slow enough that the network is what is waited for, and not the cores that all nodes share. */
const megabits = 100;
const limitMs = 300_000;

/**
 * A node takes the packages that only the first one has; then five do so at once. The pieces come by HTTP, not from the
 * agents: a pair has two nodes, and who takes what from whom is the same.
 */
export async function measurePull(runs: number, progress: (line: string) => void): Promise<Row[]> {
  const names = ["node1", "node2", "node3", "node4", "node5", "node6"];
  await using lab = await Lab.open({ nodes: names, progress });
  const [first, ...others] = lab.nodes as [LabNode, ...LabNode[]];
  const files = await fill(first, (await ensureImage(progress)).mirror);
  const program = await programOf(join(import.meta.dir, "pull-program.ts"));
  for (const node of lab.nodes) {
    await copyFile(process.execPath, node.path("/usr/local/bin/bun"));
    await node.put("/root/files.json", JSON.stringify(files));
    await node.put("/root/pull-program.js", program);
    await lab.network.setRate(node.name, megabits);
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const [alone, together, shares]: [number[], number[], number[]] = [[], [], []];
  for (let i = 1; i <= runs; i++) {
    progress(`pull: ${(bytes / 1e6).toFixed(0)} MB to one node, then to five, ${i} of ${runs}`);
    alone.push((await take(first, others.slice(0, 1))).seconds);
    const five = await take(first, others);
    together.push(five.seconds);
    shares.push((100 * Math.max(...five.served)) / (others.length * bytes));
  }
  return [
    { name: `packages from another node, ${megabits} Mbit/s each`, values: alone, unit: "s", target: null },
    { name: "  by five nodes at once", values: together, unit: "s", target: null },
    { name: "  against one", values: [median(together) / median(alone)], unit: "×", target: 2 },
    { name: "  the most that one node served", values: shares, unit: "%", target: 50, by: "worst" },
  ];
}

/** The lab's packages, as a bundle of the first node. */
async function fill(node: LabNode, mirror: string): Promise<BundleFile[]> {
  const files: BundleFile[] = [];
  await mkdir(node.path("/root/whole"), { recursive: true });
  for (const name of (await readdir(mirror)).filter((one) => one.endsWith(".deb"))) {
    await copyFile(join(mirror, name), node.path(`/root/whole/${name}`));
    const content = await Bun.file(join(mirror, name)).bytes();
    const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    const size = content.length;
    const sums = new ChunkSums();
    if (chunkCount(size) > 0) sums.update(content);
    const chunks = sums.digests();
    files.push({
      version: "1",
      origin: "bench",
      ...(chunks.length > 0 && { chunks }),
      name,
      sha256,
      size,
    });
  }
  return files;
}

/** The slowest one's seconds, and the bytes that each node gave. */
async function take(
  first: LabNode,
  takers: readonly LabNode[],
): Promise<{ seconds: number; served: number[] }> {
  const all = [first, ...takers];
  const running = all.map((node) => {
    const others = all.filter((other) => other !== node).map(({ address }) => address);
    return node.start(["/usr/local/bin/bun", "/root/pull-program.js", "/root/files.json", others.join(",")]);
  });
  try {
    await waitUntil("all to serve", 60_000, () => running.every(({ lines }) => lines.includes("serving")));
    const seconds = await Promise.all(takers.map((node) => ask(node, "take")));
    return {
      seconds: Math.max(...seconds),
      served: await Promise.all(all.map((node) => ask(node, "served"))),
    };
  } finally {
    for (const each of running) each.signal("SIGKILL");
    await Promise.all(running.map(({ exited }) => exited));
    await Promise.all(takers.map((node) => node.run(["rm", "-rf", "/root/whole", "/root/coming"])));
  }
}

/** What the program in a node answers: a number. */
async function ask(node: LabNode, path: string): Promise<number> {
  const program = `fetch("http://127.0.0.1:8899/${path}", { timeout: false }).then((answer) => answer.text()).then(console.log)`;
  const { stdout } = await node.run(["/usr/local/bin/bun", "-e", program], { timeoutMs: limitMs });
  const answer = Number(stdout);
  if (Number.isNaN(answer)) throw new Error(`${node.name}, asked to ${path}: ${stdout.trim()}`);
  return answer;
}
