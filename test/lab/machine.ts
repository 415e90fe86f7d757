import { join } from "node:path";
import type { Verdict } from "../../src/host/disks/types.ts";
import { exec, type ExecResult } from "../../src/core/exec.ts";
import type { Lab } from "./lab.ts";
import { waitUntil } from "./wait.ts";

/** What disk-program.ts found. */
interface Look {
  /** Of the look alone, without the start of its program. */
  ms: number;
  verdicts: Map<string, Verdict>;
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
    const running = lab.client.start([...unshare, "bash", "-c", "echo up; while :; do sleep 1; done"]);
    await waitUntil("the machine to start", 10_000, () => running.lines.includes("up"));
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
    await waitUntil("the other process", 10_000, () => {
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

  /** The verdicts on these devices, nobody else's being touched; `before` changes something in a namespace for it alone. */
  async look(paths: readonly string[], before = ""): Promise<Look> {
    const program = `${process.execPath} ${join(import.meta.dir, "disk-program.ts")} ${paths.join(" ")}`;
    const inner = `${before}\nexec ${program}`;
    const argv = this.#enter(`exec unshare --mount --propagation private sh -ec "$0"`);
    const { stdout } = await this.#lab.client.run([...argv, inner]);
    const { ms, verdicts } = JSON.parse(stdout) as { ms: number; verdicts: [string, Verdict][] };
    return { ms, verdicts: new Map(verdicts) };
  }
}
