import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { cacheDirectory } from "../../scripts/cache.ts";
import { exec, type ExecResult } from "../../src/core/exec.ts";
import { createCgroup, inCgroup } from "./cgroup.ts";
import { ensureImage, ensurePrepared } from "./image.ts";
import { clientAddress, Network, subnet } from "./network.ts";
import { LabNode, type NodeOptions, type RunOptions } from "./node.ts";
import { ensurePrerequisites } from "./prerequisites.ts";
import { start, type Running } from "./process.ts";
import { register, sweep, tearDown } from "./state.ts";

export interface LabOptions {
  /** Names, or more of a node. They get .11, .12, … in this order. */
  nodes: readonly (string | NodeOptions)[];
  /** Default false: with the pair's packages installed already. */
  prepared?: boolean;
  /** Default true: all nodes are booted when `open` returns. */
  boot?: boolean;
  /** One line for each thing that takes a while. Default: stderr. */
  progress?: (line: string) => void;
}

/** A machine of its own on the lab's network that is no node: probes from outside, and runs the writers. */
export interface LabClient {
  readonly address: string;
  run(argv: readonly string[], options?: RunOptions): Promise<ExecResult>;
  sh(script: string, options?: RunOptions): Promise<ExecResult>;
  start(argv: readonly string[], options?: { stdin?: string; env?: Record<string, string> }): Running;
}

const open = new Set<Lab>();

/**
 * Real servers on one machine, gone without a trace when closed: by `close`, by SIGINT or SIGTERM, or by the next lab
 * when this process was killed. Several may be open at once.
 */
export class Lab {
  readonly id: string;
  readonly nodes: readonly LabNode[];
  readonly network: Network;
  readonly client: LabClient;
  readonly work: string;

  private constructor(id: string, work: string, network: Network, nodes: LabNode[], client: LabClient) {
    this.id = id;
    this.work = work;
    this.network = network;
    this.nodes = nodes;
    this.client = client;
  }

  /** @throws LabUnavailable with one sentence when this machine cannot run it */
  static async open(options: LabOptions): Promise<Lab> {
    const progress = options.progress ?? ((line: string) => console.error(line));
    await mkdir(cacheDirectory(), { recursive: true });
    await ensurePrerequisites(cacheDirectory(), progress);
    await sweep(progress);
    const bare = await ensureImage(progress);
    const image = options.prepared ? await ensurePrepared(bare, progress) : bare;

    if (interruption) throw new Error("interrupted: no lab is opened any more");
    const id = randomBytes(3).toString("hex");
    const work = await register(id);
    const network = new Network(id);
    const surroundings = { id, work, image, network };
    const nodes = options.nodes.map((given, i) => {
      const node = typeof given === "string" ? { name: given } : given;
      return new LabNode(surroundings, node, i + 1, `${subnet}.${11 + i}`);
    });
    const lab = new Lab(id, work, network, nodes, makeClient(network, await createCgroup(`${id}/client`)));
    handleSignals();
    open.add(lab);
    try {
      await network.create();
      await network.plug("client", 0, clientAddress, true);
      if (options.boot ?? true) await Promise.all(nodes.map((node) => node.boot()));
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  /** @throws Error when there is no such node */
  node(name: string): LabNode {
    const node = this.nodes.find((node) => node.name === name);
    if (!node) throw new Error(`the lab has no node ${name}`);
    return node;
  }

  async close(): Promise<void> {
    if (!open.delete(this)) return;
    await tearDown(this.id, this.work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function makeClient(network: Network, procs: readonly string[]): LabClient {
  const enter = (argv: readonly string[]) =>
    inCgroup(procs, ["ip", "netns", "exec", network.namespace("client"), ...argv]);
  const run = async (argv: readonly string[], options: RunOptions = {}) => {
    const { check = true, ...rest } = options;
    return exec(enter(argv), check ? rest : { ...rest, ok: "any" });
  };
  return {
    address: clientAddress,
    run,
    sh: (script, options) => run(["sh", "-ec", script], options),
    start: (argv, options) => start(enter(argv), options),
  };
}

let handling = false;
let interruption = false;

/** True once a signal takes the labs down: what fails from then on fails because of that. */
export function interrupted(): boolean {
  return interruption;
}

/** Ctrl-C takes the labs down before the process ends; a second one does not wait. */
function handleSignals(): void {
  if (handling) return;
  handling = true;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(signal, () => {
      interruption = true;
      const closing = [...open].map((lab) => lab.close());
      // eslint-disable-next-line unicorn/no-process-exit -- this is the end of the process
      void Promise.allSettled(closing).then(() => process.exit(code));
    });
  }
}
