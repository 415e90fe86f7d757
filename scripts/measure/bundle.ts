import { generateKeyPairSync, randomFillSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentSize } from "../../src/bundle/manifest.ts";
import { packBundle, type Packed } from "../../src/bundle/pack.ts";
import { exec } from "../../src/core/exec.ts";
import { median, type Row } from "./row.ts";

/** How many files of how many MiB: as in a bundle with several roles, of which more than half is the program. */
const contents = [
  { name: "program.gz", count: 1, mebibytes: 144 },
  { name: "repo/pool/small", count: 48, mebibytes: 1 },
  { name: "repo/pool/large", count: 8, mebibytes: 8 },
];
const totalMebibytes = contents.reduce((sum, { count, mebibytes }) => sum + count * mebibytes, 0);

/** Packing against tar, verifying against sha256sum, of the same bytes from the page cache, in turns. */
export async function measureBundle(
  binary: string,
  runs: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  const work = await mkdtemp(join(tmpdir(), "chime-node-bench-"));
  try {
    progress(`bundle: packing and verifying ${totalMebibytes} MiB, ${runs} times`);
    const files = await makeFiles(join(work, "files"));
    const pair = generateKeyPairSync("ed25519");
    const pub = join(work, "key.pub");
    await writeFile(pub, pair.publicKey.export({ type: "spki", format: "pem" }));
    const bundle = join(work, "bundle.tar");
    const head = {
      format: 1,
      product: "chime-node bundle",
      version: "0.0.0",
      system: "debian12",
      arch: "x64",
      roles: [],
      packages: [],
    } as const;
    const pack = () =>
      packBundle(bundle, { head: { ...head, roles: [], packages: [] }, files, key: pair.privateKey });
    const made = await pack();
    const tar = ["tar", "-C", work, "-cf", join(work, "plain.tar"), "files"];
    const times: Record<"pack" | "tar" | "verify" | "sum", number[]> = {
      pack: [],
      tar: [],
      verify: [],
      sum: [],
    };
    for (let i = -1; i < runs; i++) {
      const round = {
        pack: await time(pack),
        tar: await time(() => exec(tar)),
        verify: await time(() => exec([binary, "bundle", "verify", bundle, "--key", pub])),
        sum: await time(() => exec(["sha256sum", bundle])),
      };
      if (i < 0) continue;
      for (const [name, seconds] of Object.entries(round)) times[name as keyof typeof times].push(seconds);
    }
    return [
      {
        name: "bundle: packing, as fast as tar × …",
        values: ratio(times.tar, times.pack),
        unit: "×",
        target: 0.8,
        atLeast: true,
      },
      {
        name: "bundle: verifying, as fast as sha256sum × …",
        values: ratio(times.sum, times.verify),
        unit: "×",
        target: 0.8,
        atLeast: true,
      },
      {
        name: "bundle: its size against what is in it",
        values: [made.size / contentSize(made.manifest)],
        unit: "×",
        target: 1.02,
      },
    ];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const ratio = (one: number[], other: number[]): number[] => [median(one) / median(other)];

async function makeFiles(directory: string): Promise<Packed[]> {
  await mkdir(directory);
  const files: Packed[] = [];
  for (const { name, count, mebibytes } of contents) {
    const size = mebibytes << 20;
    for (let at = 0; at < count; at++) {
      const path = join(directory, `f${files.length}`);
      await writeFile(path, randomFillSync(Buffer.alloc(size)));
      files.push({ name: `${name}${at}`, path, size, version: "1", origin: "bench" });
    }
  }
  return files;
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
