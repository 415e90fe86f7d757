import { open } from "node:fs/promises";
import type { Product } from "../../host/catalog.ts";
import type { Check, Finding } from "../../host/checks.ts";
import type { Facts } from "../../host/facts.ts";
import { isMissing } from "../../host/files.ts";
import { listenerOn } from "../../host/listeners.ts";
import type { MinioSpec } from "../../spec/types.ts";
import { repositoryCheck } from "../repository.ts";
import type { LocalContext } from "../types.ts";
import { consolePort, layoutOf, s3Port } from "./layout.ts";
import { mirrorWarning } from "./mirror/status.ts";
import { quorumOf, quorumWarning } from "./quorum.ts";

/** What may not be in the way of a node of the store. They only look. */
export function checks({ spec, facts }: LocalContext): Check[] {
  const minio = spec?.roles.minio;
  if (!minio) return portChecks(undefined);
  const { product, binary } = layoutOf(minio, facts.os);
  return [
    { name: "minio.topology", isOfSpec: true, run: () => Promise.resolve(checkTopology(minio)) },
    { name: "minio.system", run: () => Promise.resolve(checkSystem(product, minio, facts.os)) },
    { name: "minio.quorum", run: () => Promise.resolve(checkQuorum(minio)) },
    { name: "minio.binary", isOfSpec: true, run: () => checkBinary(minio) },
    ...(minio.binary === undefined ? [repositoryCheck("minio", product, facts.os, spec)] : []),
    ...portChecks(binary),
  ];
}

function checkTopology({ topology, nodes }: MinioSpec): Finding | undefined {
  if (topology === "pool" || nodes === 2) return undefined;
  return {
    severity: "error",
    message: `the MinIO topology mirror is two stores, and roles.minio.nodes is ${nodes}`,
    remedy: 'set roles.minio.nodes = 2, or roles.minio.topology = "pool", in cluster.toml',
  };
}

function checkSystem({ untried }: Product, { engine }: MinioSpec, os: Facts["os"]): Finding | undefined {
  if (!untried) return undefined;
  return {
    severity: "warning",
    message: `${engine} was never tried on ${os.name}: where it keeps its things is known from its vendor alone`,
    remedy: "rehearse every failure before you rely on it",
  };
}

/** What the layout can stand, before anything is formatted. */
function checkQuorum({ topology, nodes, disksPerNode }: MinioSpec): Finding | undefined {
  if (topology === "mirror") return { severity: "warning", ...mirrorWarning };
  const found = quorumWarning(quorumOf({ nodes, drivesPerNode: disksPerNode }));
  return found && { severity: "warning", ...found };
}

/** The ELF magic: what is no program is told before anything is begun, not by a unit that fails. */
const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

async function checkBinary({ engine, binary }: MinioSpec): Promise<Finding | undefined> {
  if (binary === undefined) {
    if (engine !== "minio") return undefined;
    return {
      severity: "error",
      message: "MinIO itself is published as source only: nothing can be installed",
      remedy: "give your own program: --set roles.minio.binary=PATH; or --set roles.minio.engine=silo",
    };
  }
  const remedy = `copy the server's program to ${binary} on each node`;
  try {
    const handle = await open(binary, "r");
    try {
      const { buffer } = await handle.read(Buffer.alloc(elf.length), 0, elf.length, 0);
      if (buffer.equals(elf)) return undefined;
    } finally {
      await handle.close();
    }
    return { severity: "error", message: `${binary} is not a program`, remedy };
  } catch (error) {
    const message = isMissing(error) ? `there is no ${binary}` : `${binary}: ${(error as Error).message}`;
    return { severity: "error", message, remedy };
  }
}

function portChecks(own: string | undefined): Check[] {
  return [s3Port, consolePort].map((port) => ({
    name: "minio.port",
    run: async () => checkPort(port, await listenerOn(port), own),
  }));
}

/**
 * Pure.
 * @param own the server's program, which may run already; the balancer has checks of its own
 */
export function checkPort(
  port: number,
  holder: Awaited<ReturnType<typeof listenerOn>>,
  own: string | undefined,
): Finding | undefined {
  if (holder === undefined) return undefined;
  if (holder !== "unknown" && (holder.binary === own || holder.program === "haproxy")) return undefined;
  const who =
    holder === "unknown" ? "a program of another container" : `${holder.program} (pid ${holder.pid})`;
  return {
    severity: "error",
    message: `port ${port} is taken by ${who}`,
    remedy: `stop ${holder === "unknown" ? "it" : holder.program}, or give it another port`,
  };
}
