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
  wanted: { directory: string; address: string; drives: number; credentials: Credentials },
): Promise<MinioServer> {
  const { directory, address, drives, credentials } = wanted;
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

/**
 * Addresses of the namespace. Two servers have no port in common but on addresses of their own: each takes its port on
 * the loopback address, too, whatever it was told, and shares it with whoever is there.
 */
export const addresses = ["10.77.9.1", "10.77.9.2"] as const;

/** Runs a file of tests in a network without a way out and with mounts of its own; whatever it starts ends with it. */
export async function testInNamespaces(file: string, env: Record<string, string>): Promise<string> {
  const alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const give = addresses.map((address) => `ip address add ${address}/32 dev lo`);
  const program = ["ip link set lo up", ...give, 'exec "$@"'].join(" && ");
  const argv = [...alone, "sh", "-c", program, "sh", process.execPath, "test", "--timeout=60000", file];
  const { code, stderr } = await exec(argv, { env, ok: "any", timeoutMs: 300_000 });
  return code === 0 ? "passed" : stderr;
}
