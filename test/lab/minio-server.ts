import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import type { Credentials } from "../../src/roles/minio/signature.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { start, type Running } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** A real server with disks in memory, in the network and mount namespace of whoever starts it. */
export interface MinioServer {
  readonly store: Store;
  readonly process: Running;
  /** Waits until a write would go through, as the server itself says. */
  ready(): Promise<void>;
}

/** On disks that are there already, what is on them is taken up. */
export async function startMinio(
  binary: string,
  wanted: {
    directory: string;
    address: string;
    drives: number;
    credentials: Credentials;
    env?: Record<string, string>;
  },
): Promise<MinioServer> {
  const { directory, address, drives, credentials, env } = wanted;
  for (let drive = 1; drive <= drives; drive++) {
    const path = join(directory, `disk${drive}`);
    await mkdir(path, { recursive: true });
    // A directory on the disk of the system would be refused.
    const { code } = await exec(["mountpoint", "-q", path], { ok: "any" });
    if (code !== 0) await exec(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", path]);
  }
  const port = 9000;
  const argv = [binary, "server", "--address", `${address}:${port}`, "--console-address", `${address}:9001`];
  const process = start([...argv, join(directory, `disk{1...${drives}}`)], {
    env: {
      MINIO_ROOT_USER: credentials.accessKey,
      MINIO_ROOT_PASSWORD: credentials.secretKey,
      HOME: directory,
      ...env,
    },
  });
  const health = `http://${address}:${port}/minio/health/cluster`;
  const isUp = () => fetch(health, { signal: AbortSignal.timeout(1_000) }).then((reply) => reply.ok);
  return {
    store: { address, port, credentials },
    process,
    ready: () => waitUntil(`MinIO at ${address}`, 30_000, () => isUp().catch(() => false)),
  };
}
