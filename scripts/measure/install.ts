import { mkdir, mkdtemp, rm, copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { buildInfo } from "../build-info.ts";
import { gzip, xz } from "../release/compress.ts";
import { oneLine } from "../../src/bundle/keys.ts";
import { packageVersion, publish } from "../release/release.ts";
import { nativeTarget } from "../targets.ts";
import { median, type Row } from "./row.ts";

const root = resolve(import.meta.dir, "../..");
/** As sizes of downloads are given. */
const mega = 1e6;

/** `curl … | sh` from a server on loopback, in turns with downloading and unpacking the same file alone. */
export async function measureInstall(
  binary: string,
  runs: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  const work = await mkdtemp(join(tmpdir(), "chime-node-bench-"));
  const directory = join(work, "served");
  await mkdir(directory);
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(Bun.file(directory + new URL(request.url).pathname)),
  });
  try {
    progress("install: packing the binary (about a minute)");
    const file = join(work, `chime-node-${nativeTarget}`);
    await copyFile(binary, file);
    const slow = xz(file);
    const packed = await gzip(file);
    const smaller = await slow;
    const url = `http://127.0.0.1:${server.port}`;
    const key = generateKeyPairSync("ed25519").privateKey;
    const info = await buildInfo(root, [oneLine(key)]);
    const version = await packageVersion(root);
    await publish({ directory, baseUrl: url, version, info, binaries: [packed, smaller], work, key });

    progress(`install: ${runs} installations, in turns with the bare download`);
    const ours: number[] = [];
    const bare: number[] = [];
    const prefix = join(work, "prefix");
    const steps = {
      bare: `curl -sfL -o ${work}/packed ${url}/${packed.name} && gzip -dc ${work}/packed >${work}/binary`,
      ours: `curl -sfL ${url}/install.sh | sh -s -- --prefix ${prefix} && ${prefix}/bin/chime-node --version`,
    };
    for (let i = -1; i < runs; i++) {
      const [a, b] = [await time(steps.ours), await time(steps.bare)];
      await rm(prefix, { recursive: true });
      if (i < 0) continue;
      ours.push(a);
      bare.push(b);
    }
    return [
      { name: "install.sh from a local server, until --version", values: ours, unit: "s", target: null },
      {
        name: "  against download and unpacking alone",
        values: [median(ours) / median(bare)],
        unit: "×",
        target: 1.5,
      },
      { name: "release binary, .gz", values: [packed.size / mega], unit: "MB", target: 52 },
      { name: "release binary, .xz", values: [smaller.size / mega], unit: "MB", target: 41 },
    ];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function time(script: string): Promise<number> {
  const start = performance.now();
  const child = Bun.spawn(["sh", "-ec", script], {
    cwd: "/",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${script} exited ${code}: ${stderr.trim()}`);
  return (performance.now() - start) / 1000;
}
