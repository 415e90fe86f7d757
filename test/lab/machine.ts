import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { DiskIdentity } from "../../src/host/disks/identity.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import type { Verdict } from "../../src/host/disks/types.ts";
import { exec, type ExecResult } from "../../src/core/exec.ts";
import type { Done, Job } from "./disk-apply-program.ts";
import type { Lab } from "./lab.ts";
import { waitUntil } from "./wait.ts";

/** A disk as disk-program.ts found it. */
interface Found {
  verdict: Verdict;
  identity: DiskIdentity;
}

interface Look {
  /** Of the look alone, without the start of its program. */
  ms: number;
  found: Map<string, Found>;
}

/** A disk given to the role `store`, as it is recorded before anything is written to it. */
export function given(identity: DiskIdentity, slot = 1): GivenDisk {
  return { label: `store-disk${slot}`, uuid: randomUUID(), at: `/store/disk${slot}`, identity };
}

/**
 * A machine for looking at disks: this one's files, with mounts and processes of its own. What is mounted in it is
 * gone with its first process, and that one is gone with the lab.
 */
export class DiskMachine {
  readonly #lab: Lab;
  readonly #init: number;

  private constructor(lab: Lab, init: number) {
    this.#lab = lab;
    this.#init = init;
  }

  static async start(lab: Lab): Promise<DiskMachine> {
    const unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"];
    // Its locks are nobody else's.
    const script = "mount -t tmpfs tmpfs /run && echo up; while :; do sleep 1; done";
    const running = lab.client.start([...unshare, "bash", "-c", script]);
    await waitUntil("the machine to start", 30_000, () => running.lines.includes("up"));
    const { stdout } = await exec(["ps", "--no-headers", "-o", "pid", "--ppid", String(running.pid)]);
    return new DiskMachine(lab, Number(stdout.trim().split("\n")[0]));
  }

  #enter(script: string): string[] {
    return ["nsenter", "-t", String(this.#init), "--mount", "--pid", "--", "sh", "-ec", script];
  }

  sh(script: string): Promise<ExecResult> {
    return this.#lab.client.run(this.#enter(script));
  }

  /** A process that says `done` when it has done its thing, and stays until it is disposed of. */
  async meanwhile(script: string): Promise<AsyncDisposable> {
    const running = this.#lab.client.start(this.#enter(script));
    await waitUntil("the other process", 30_000, () => {
      if (running.ended) throw new Error(running.lines.join(" | "));
      return running.lines.includes("done");
    });
    return {
      async [Symbol.asyncDispose]() {
        running.signal("SIGKILL");
        await running.exited;
      },
    };
  }

  /** What is said about these devices, nobody else's being touched; `before` changes something in a namespace for it alone. */
  async look(paths: readonly string[], before = ""): Promise<Look> {
    const { ms, found } = JSON.parse(await this.#program("disk-program.ts", paths, before)) as {
      ms: number;
      found: [string, Found][];
    };
    return { ms, found: new Map(found) };
  }

  /** Does what a role would with disks that were given to it. */
  async apply(job: Job, before = ""): Promise<Done> {
    return JSON.parse(await this.#program("disk-apply-program.ts", [JSON.stringify(job)], before)) as Done;
  }

  async #program(name: string, words: readonly string[], before: string): Promise<string> {
    return (await this.#lab.client.run(this.#argv(name, words, before))).stdout;
  }

  #argv(name: string, words: readonly string[], before: string): string[] {
    const inner = `${before}\nexec ${process.execPath} ${join(import.meta.dir, name)} "$0" "$@"`;
    return [...this.#enter(`exec unshare --mount --propagation private sh -ec "$0" "$@"`), inner, ...words];
  }
}
