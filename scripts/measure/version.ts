import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile } from "../compile.ts";
import { median, type Row } from "./row.ts";

/** Starts both programs in turns, so that a busy moment hits both. */
export async function measureVersion(
  binary: string,
  runs: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  progress(`version: ${runs} starts, in turns with an empty compiled program`);
  const directory = await mkdtemp(join(tmpdir(), "chime-node-bench-"));
  try {
    const source = join(directory, "empty.ts");
    const empty = join(directory, "empty");
    await writeFile(source, "export {};\n");
    await compile(source, empty);
    const ours: number[] = [];
    const theirs: number[] = [];
    // The first starts read the programs from disk.
    for (let i = -3; i < runs; i++) {
      const [a, b] = [startTime([binary, "--version"]), startTime([empty])];
      if (i < 0) continue;
      ours.push(a);
      theirs.push(b);
    }
    return [
      { name: "chime-node --version", values: ours, unit: "ms", target: 30 },
      {
        name: "  against an empty compiled program",
        values: [median(ours) / median(theirs)],
        unit: "×",
        target: 1.5,
      },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function startTime(argv: string[]): number {
  const start = performance.now();
  const result = Bun.spawnSync(argv, { cwd: "/", env: {}, stdout: "ignore", stderr: "ignore" });
  if (!result.success) throw new Error(`${argv.join(" ")} exited ${result.exitCode}`);
  return performance.now() - start;
}
