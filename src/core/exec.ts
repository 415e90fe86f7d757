import { failed } from "./errors.ts";
import { mask } from "./mask.ts";

export interface ExecOptions {
  stdin?: string | undefined;
  /** Kills the whole process group after this many ms. Default 60 000. */
  timeoutMs?: number | undefined;
  /** Added to the fixed environment below; nothing is inherited from the operator's shell. */
  env?: Record<string, string> | undefined;
  cwd?: string | undefined;
  signal?: AbortSignal | undefined;
  /** What an abort does to the child: end its process group, or leave it to finish by itself. Default "kill". */
  onAbort?: "kill" | "leave" | undefined;
  /** Ends it in any case. */
  kill?: AbortSignal | undefined;
  /** Exit codes that are an answer, not a failure. Default [0]; "any" never throws on a code. */
  ok?: readonly number[] | "any" | undefined;
}

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

/** What every child sees: a fixed locale (we parse output), a fixed PATH, and no variable that could change trust. */
const baseEnv: Record<string, string> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C.UTF-8",
  TERM: "dumb",
};

/** Whether there is such a program, by its name or its path. */
export function isInstalled(program: string): boolean {
  return Bun.which(program, { PATH: baseEnv["PATH"] as string }) !== null;
}

/**
 * Runs a program and collects its output: the only place that spawns.
 * The child leads its own process group, so that a timeout or an abort ends its children too
 * (a grandchild that holds stdout would keep us reading for ever).
 * @throws ChimeError `exec.missing`, `exec.timeout`, `exec.failed`
 */
export async function exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [program = ""] = argv;
  if (!isInstalled(program)) {
    if (options.ok === "any")
      return { code: 127, stdout: "", stderr: `${program}: not found`, timedOut: false };
    throw failed("exec.missing", `${program} is not installed`);
  }
  options.signal?.throwIfAborted();
  options.kill?.throwIfAborted();
  const child = Bun.spawn([...argv], {
    env: { ...baseEnv, ...options.env },
    cwd: options.cwd ?? "/",
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const killGroup = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // ESRCH: it ended by itself between the timer and here.
    }
  };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, options.timeoutMs ?? 60_000);
  const left = Promise.withResolvers<never>();
  const onAbort = () => {
    if (options.onAbort !== "leave") return killGroup();
    child.unref();
    left.reject(options.signal?.reason);
  };
  options.signal?.addEventListener("abort", onAbort, { once: true });
  options.kill?.addEventListener("abort", killGroup, { once: true });
  try {
    const [stdout, stderr, code] = await Promise.race([
      Promise.all([child.stdout.text(), child.stderr.text(), child.exited]),
      left.promise,
    ]);
    options.signal?.throwIfAborted();
    options.kill?.throwIfAborted();
    const result = { code, stdout, stderr, timedOut };
    if (options.ok === "any") return result;
    if (timedOut) {
      throw failed(
        "exec.timeout",
        `${program} did not finish within ${(options.timeoutMs ?? 60_000) / 1000} s`,
      );
    }
    if (!(options.ok ?? [0]).includes(code)) {
      const why = lastLines(stderr || stdout);
      throw failed("exec.failed", mask(`${argv.slice(0, 3).join(" ")} exited ${code}${why && `: ${why}`}`));
    }
    return result;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    options.kill?.removeEventListener("abort", killGroup);
  }
}

/** Starts a program that goes on by itself: nobody waits for it, not even the end of this process. */
export function leave(argv: readonly string[]): void {
  Bun.spawn([...argv], {
    env: baseEnv,
    cwd: "/",
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  }).unref();
}

/** A running child that is fed or read bit by bit: what does not fit into memory goes through here. */
export interface Piped {
  /** Resolves when the child has taken it, so that nothing piles up. @throws ChimeError `exec.ended` */
  write(chunk: Uint8Array): Promise<void>;
  /** No more input. */
  end(): Promise<void>;
  /** The next piece of output; undefined at its end. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves with the exit code and the end of what it said on stderr. */
  ended: Promise<{ code: number; stderr: string }>;
  /** Ends it and its children at once. */
  kill(): void;
}

/** Enough of a long log for its last words. */
const stderrKept = 16_384;

/** Starts a program whose input and output are streams. @throws ChimeError `exec.missing` */
export function pipe(argv: readonly string[]): Piped {
  const [program = ""] = argv;
  if (!isInstalled(program)) {
    throw failed("exec.missing", `${program} is not installed`);
  }
  const child = Bun.spawn([...argv], {
    env: baseEnv,
    cwd: "/",
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const output = child.stdout.getReader();
  const tail = async () => {
    let kept = "";
    const decoder = new TextDecoder();
    for await (const piece of child.stderr) {
      kept = (kept + decoder.decode(piece, { stream: true })).slice(-stderrKept);
    }
    return kept;
  };
  const ended = Promise.all([child.exited, tail()]).then(([code, stderr]) => ({ code, stderr }));
  return {
    async write(chunk) {
      await child.stdin.write(chunk);
      await child.stdin.flush();
      // Bun's sink says nothing of a reader that is gone.
      if (child.exitCode === null && child.signalCode === null) return;
      throw failed("exec.ended", `${program} ended before its input did`);
    },
    async end() {
      await child.stdin.end();
    },
    async read() {
      const { value, done } = await output.read();
      return done ? undefined : value;
    },
    ended,
    kill() {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // ESRCH: it has ended by itself.
      }
    },
  };
}

/** The last words of a program's log, as one line. */
export function lastLines(output: string): string {
  return output
    .trim()
    .split("\n")
    .slice(-3)
    .map((line) => line.trim())
    .filter(Boolean)
    .join(" | ");
}
