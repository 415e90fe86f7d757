import type { Finding } from "../host/checks.ts";

/** A program that serves one thing on a node, by one configuration file. */
interface Configured {
  /** The program, as a sentence begins with it. */
  name: string;
  path: string;
  /** How the first line begins where we wrote it: our own name for the cluster follows. */
  marker: string;
}

/**
 * Whether its configuration is somebody else's, or that of another cluster. Pure.
 * @param text of its configuration; undefined where there is none
 * @param clusterId empty before `init`
 */
export function foreignConfig(
  { name, path, marker }: Configured,
  text: string | undefined,
  clusterId: string,
): Finding | undefined {
  const first = (text ?? "").trimStart().split("\n", 1)[0] ?? "";
  if (first === "") return undefined;
  if (!first.startsWith(marker)) {
    return {
      severity: "error",
      message: `${name} serves something else on this node already (${path} is not ours)`,
      remedy: `move that service to another node, or remove ${path}`,
    };
  }
  const owner = first.slice(marker.length).match(/^ for cluster ([\w-]+);/)?.[1];
  if (owner === undefined || clusterId === "" || owner === clusterId) return undefined;
  return {
    severity: "error",
    message: `${name} is still set up for another chime-node cluster (${owner})`,
    remedy: `run chime-node reset, or remove ${path}`,
  };
}
