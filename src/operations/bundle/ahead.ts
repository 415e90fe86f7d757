import { bundleHandlers } from "../../agent/bundles.ts";
import { DirectMembers } from "../../cluster/direct.ts";
import { clusterFiles } from "../../cluster/files.ts";
import type { RoleName } from "../../cluster/types.ts";
import { paths } from "../../core/paths.ts";
import type { Facts } from "../../host/facts.ts";
import { parseSpec } from "../../spec/load.ts";
import type { Io } from "../io.ts";
import { agentGivers, pullBundle } from "./pull.ts";

/** A member that lets us wait longer is asked by the agent, which knows who lives. */
const listMs = 500;

/**
 * Packages from other members for a node that has just entered the cluster, while its agent is still being started. What
 * goes wrong is told by the pull that comes after it, which goes on where this one ended.
 */
export class PullAhead {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #agentIsUp = false;

  constructor(facts: Facts, names: readonly RoleName[], io: Io) {
    const signal = AbortSignal.any([io.signal, this.#stop.signal]);
    this.#done = this.#pull(facts, names, { ...io, signal, warn: () => undefined }).catch(() => undefined);
  }

  async #pull(facts: Facts, names: readonly RoleName[], io: Io): Promise<void> {
    const members = await DirectMembers.open(clusterFiles);
    if (!members?.spec) return;
    try {
      const spec = parseSpec(members.spec.toml, paths.clusterToml);
      const direct = bundleHandlers(members, listMs);
      await pullBundle({ spec, facts }, names, io, () => (this.#agentIsUp ? agentGivers(io.signal) : direct));
    } finally {
      members.close();
    }
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
