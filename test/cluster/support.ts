import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import type { RoleLimit } from "../../src/cluster/admission.ts";
import { createCluster, newClusterId } from "../../src/cluster/create.ts";
import type { ClusterFiles } from "../../src/cluster/files.ts";
import { enterCluster } from "../../src/cluster/join.ts";
import { ChimeError } from "../../src/core/errors.ts";
import { openCluster, type OpenCluster } from "../../src/cluster/open.ts";
import { ClosedEarly, openTls } from "../../src/cluster/tls-transport.ts";
import { parseToken } from "../../src/cluster/token.ts";

/** Each test file has its own port, all nodes of a test their own loopback address. */
const limits: Record<string, number> = { mysql: 2, witness: 100, server: 100, store: 4, unconfigured: 0 };

export function roleLimit(role: string): RoleLimit | undefined {
  const max = limits[role];
  return max === undefined
    ? undefined
    : {
        max,
        reason: "a pair has two nodes",
        ...(role === "store" && { disks: 3 }),
      };
}

/** Stands for the schema of cluster.toml. */
export function checkSpec(toml: string): void {
  if (toml.startsWith("unreadable")) throw new ChimeError(2, "config.unreadable", "cannot be read");
}

export interface Lab {
  directory: string;
  files(node: string): ClusterFiles;
  init(node: string, address: string): Promise<OpenCluster>;
  open(node: string, address: string): Promise<OpenCluster>;
  /** Joins and starts the agent's part. */
  join(token: string, node: string, address: string, roles: string[]): Promise<OpenCluster>;
  /** Only asks to be let in. */
  enter(token: string, node: string, address: string, roles: string[]): Promise<unknown>;
  close(): Promise<void>;
}

export async function lab(port: number): Promise<Lab> {
  const directory = await mkdtemp(join(tmpdir(), "chime-cluster-"));
  const opened: OpenCluster[] = [];
  const files = (node: string): ClusterFiles => ({
    pki: join(directory, node, "pki"),
    secrets: join(directory, node, "secrets.toml"),
    state: join(directory, node, "cluster.json"),
  });
  const open = async (node: string, address: string) => {
    const cluster = await openCluster({
      files: files(node),
      binaryVersion: "0.1.0",
      roleLimit,
      checkSpec,
      services: () => Promise.resolve(),
      requireAble: () => undefined,
      host: address,
      port,
    });
    if (!cluster) throw new Error(`${node} is in no cluster`);
    cluster.authorityRotation.start();
    opened.push(cluster);
    return cluster;
  };
  const enter = (token: string, node: string, address: string, roles: string[]) =>
    enterCluster(files(node), {
      token: parseToken(token),
      node: { name: node, address },
      roles,
      binaryVersion: "0.1.0",
    });
  return {
    directory,
    files,
    open,
    enter,
    async init(node, address) {
      await createCluster(files(node), {
        id: newClusterId(),
        name: "chime",
        node: { name: node, address },
        toml: "[cluster]\n",
        roleSecrets: { mysql: ["administrator", "replication"] },
      });
      return await open(node, address);
    },
    async join(token, node, address, roles) {
      await enter(token, node, address, roles);
      return await open(node, address);
    },
    async close() {
      await Promise.all(opened.map((cluster) => cluster.stop()));
      await rm(directory, { recursive: true });
    },
  };
}

export async function invite(
  cluster: OpenCluster,
  wish: { ttlSeconds?: number; uses?: number; roles?: string[] } = {},
): Promise<{ token: string; id: string }> {
  return await cluster.membership.tokens.create({ ttlSeconds: 3600, uses: 0, roles: [], ...wish });
}

/** Waits for a condition, at most `limitMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await Bun.sleep(5);
  }
}

/** A stranger's connection, as soon as the member takes another one from this address (crowd.ts: 8 a second). */
export async function approach(
  port: number,
  options: { cert?: string; key?: string } = {},
  address = "127.0.0.1",
): Promise<TLSSocket> {
  for (;;) {
    try {
      return await openTls(address, port, { rejectUnauthorized: false, ...options }, 1000);
    } catch (error) {
      if (!(error instanceof ClosedEarly)) throw error;
      await Bun.sleep(20);
    }
  }
}

/** The stable code of the ChimeError that the promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "nothing was thrown";
}

/** Random numbers that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
