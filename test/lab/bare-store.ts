import { copyFile, chmod } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { Running } from "./process.ts";
import type { Attempt } from "./store-load-program.ts";
import { waitUntil } from "./wait.ts";

const bucket = "lab";
export const storeUnit = "minio.service";

/** MinIO on every node, three directories each, set up by hand: no role, no disks. One set, as a pool has it. */
export async function startStore(lab: Lab, binary: string): Promise<void> {
  const last = lab.nodes.length;
  const unit = `[Unit]
After=network.target
[Service]
Type=notify
# Directories of the root disk, which it takes nowhere else.
Environment=MINIO_CI_CD=1 MINIO_ROOT_USER=labadmin MINIO_ROOT_PASSWORD=labadminsecret MINIO_BROWSER_REDIRECT=off
Environment=MINIO_VOLUMES=http://10.77.0.1{1...${last}}:9000/minio/disk{1...3}
ExecStart=/usr/local/bin/minio server --address NODE:9000 --console-address NODE:9001
TimeoutStartSec=infinity
Restart=always
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
`;
  await Promise.all(
    lab.nodes.map(async (node) => {
      const program = node.path("/usr/local/bin/minio");
      await copyFile(binary, program);
      await chmod(program, 0o755);
      await node.put(`/etc/systemd/system/${storeUnit}`, unit.replaceAll("NODE", node.address));
      await node.sh(`mkdir -p /minio/disk1 /minio/disk2 /minio/disk3
        systemctl enable --quiet ${storeUnit}; systemctl start --no-block ${storeUnit}`);
    }),
  );
  const [first] = lab.nodes;
  await waitUntil("the store's write quorum", 60_000, () => isHealthy(lab, `${first?.address}`), 200);
  // A bucket is a directory on all disks.
  await Promise.all(
    lab.nodes.map((node) => node.sh(`for d in 1 2 3; do mkdir /minio/disk$d/${bucket}; done`)),
  );
}

async function isHealthy(lab: Lab, address: string): Promise<boolean> {
  const script = `process.exit((await fetch("http://${address}:9000/minio/health/cluster")).ok ? 0 : 1)`;
  return (await lab.client.run([process.execPath, "-e", script], { check: false })).code === 0;
}

interface LoadOptions {
  address: string;
  workers: number;
  bytes: number;
  /** Those that only get get what a load that put had as its first objects, with as many workers and the same prefix. */
  kinds: "put" | "get" | "put,get";
  prefix?: string;
}

/** Clients at work until `stop`, which returns all that they tried. */
export class Load {
  readonly #program: Running;

  private constructor(program: Running) {
    this.#program = program;
  }

  /** Returns once the first request is answered. */
  static async start(lab: Lab, options: LoadOptions): Promise<Load> {
    const { address, workers, bytes, kinds, prefix = "o" } = options;
    const file = join(import.meta.dir, "store-load-program.ts");
    const words = [`http://${address}:9000`, bucket, prefix, String(workers), String(bytes), kinds];
    const program = lab.client.start([process.execPath, file, ...words]);
    await waitUntil("the clients' first answer", 30_000, () => program.ended || program.lines.length > 0);
    return new Load(program);
  }

  async stop(): Promise<Attempt[]> {
    this.#program.signal("SIGTERM");
    await this.#program.exited;
    const said = await this.#program.stdout;
    if (said.startsWith("[")) return JSON.parse(said) as Attempt[];
    throw new Error(`the clients ended: ${this.#program.lines.slice(-5).join(" | ")}`);
  }
}

/** The longest time between two good answers, for each worker, ms. */
export function longestGaps(attempts: readonly Attempt[]): number[] {
  return [...new Set(attempts.map(({ worker }) => worker))].map((worker) => {
    const good = attempts.filter((one) => one.worker === worker && one.answer === 200);
    const times = good.map(({ at, ms }) => at + ms).sort((a, b) => a - b);
    return Math.max(0, ...times.map((time, i) => time - (times[i - 1] ?? time)));
  });
}
