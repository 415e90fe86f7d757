import type { Product } from "../../host/catalog.ts";
import type { Check, Finding } from "../../host/checks.ts";
import type { Facts } from "../../host/facts.ts";
import type { MinioSpec } from "../../spec/types.ts";
import { portCheck } from "../port-check.ts";
import { checkProgram } from "../program-check.ts";
import { repositoryCheck } from "../repository.ts";
import type { LocalContext } from "../types.ts";
import { consolePort, layoutOf, s3Port } from "./layout.ts";
import { mayBeLost } from "./may-be-lost.ts";
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
function checkQuorum(spec: MinioSpec): Finding {
  const { line } = mayBeLost(spec);
  const { topology, nodes, disksPerNode } = spec;
  const found =
    topology === "mirror" ? mirrorWarning : quorumWarning(quorumOf({ nodes, drivesPerNode: disksPerNode }));
  if (!found) return { severity: "ok", message: line, remedy: "" };
  return { severity: "warning", message: `${found.message}; ${line}`, remedy: found.remedy };
}

async function checkBinary({ engine, binary }: MinioSpec): Promise<Finding | undefined> {
  if (binary === undefined) {
    if (engine !== "minio") return undefined;
    return {
      severity: "error",
      message: "MinIO itself is published as source only: nothing can be installed",
      remedy:
        'give your own program: binary = "PATH" in [roles.minio] of cluster.toml, then chime-node apply (with init: --set roles.minio.binary=PATH)',
    };
  }
  return checkProgram(binary);
}

function portChecks(binary: string | undefined): Check[] {
  // The balancer has checks of its own.
  return [s3Port, consolePort].map((port) => portCheck("minio", port, { binary, front: "haproxy" }));
}
