import { bundleHandlers } from "../agent/bundles.ts";
import { desired } from "../agent/desired.ts";
import { DirectMembers } from "../cluster/direct.ts";
import { clusterFiles } from "../cluster/files.ts";
import type { Identity, RoleName } from "../cluster/types.ts";
import { paths } from "../core/paths.ts";
import type { Facts } from "../host/facts.ts";
import { preparePackages } from "../resources/package.ts";
import type { RoleContext } from "../roles/types.ts";
import { parseSpec } from "../spec/load.ts";
import type { Spec } from "../spec/types.ts";
import { agentGivers, pullBundle } from "./bundle/pull.ts";
import type { Io } from "./io.ts";
import { provisionalContext } from "./local.ts";

/** A member that lets us wait longer is asked by the agent, which knows who lives. */
const listMs = 500;

/** What has to be done before packages can be installed, and changes nothing (`PackageManager.prepare`). */
export async function getPackages(context: RoleContext, io: Pick<Io, "signal" | "progress">): Promise<void> {
  await preparePackages(desired(context).installed, `${paths.run}/download.log`, io);
}

/** What this node's files say of the cluster that it has just entered. */
export interface Newcomer {
  identity: Identity;
  facts: Facts;
  spec: Spec;
  members: DirectMembers;
}

/** Undefined where they do not say it: why is told by who needs it. */
export async function readNewcomer(identity: Identity, facts: Facts): Promise<Newcomer | undefined> {
  const members = await DirectMembers.open(clusterFiles).catch(() => undefined);
  try {
    if (members?.spec)
      return { identity, facts, spec: parseSpec(members.spec.toml, paths.clusterToml), members };
  } catch {
    // Written by a newer version.
  }
  members?.close();
  return undefined;
}

/**
 * What a node that has just entered the cluster can do for its packages while its agent is still being started: it brings
 * them from other members, and prepares their installation. What goes wrong is told by those who do the same after it,
 * and go on where this one ended.
 */
export class PackagesAhead {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #agentIsUp = false;

  constructor(node: Newcomer, names: readonly RoleName[], io: Io) {
    const signal = AbortSignal.any([io.signal, this.#stop.signal]);
    this.#done = this.#get(node, names, { ...io, signal, warn: () => undefined }).catch(() => undefined);
  }

  async #get(
    { identity: { cluster, self }, facts, spec, members }: Newcomer,
    names: readonly RoleName[],
    io: Io,
  ): Promise<void> {
    try {
      const direct = bundleHandlers(members, listMs);
      await pullBundle({ spec, facts }, names, io, () => (this.#agentIsUp ? agentGivers(io.signal) : direct));
    } finally {
      members.close();
    }
    await getPackages(provisionalContext({ spec, cluster, ...self, roles: names, facts }), io);
  }

  /** Who else has something by now is known to the agent alone. */
  agentIsUp(): void {
    this.#agentIsUp = true;
  }

  /** Resolves when it has ended, which the signal has it do. */
  async ended(signal: AbortSignal): Promise<void> {
    const stop = () => this.#stop.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await this.#done.finally(() => signal.removeEventListener("abort", stop));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}
