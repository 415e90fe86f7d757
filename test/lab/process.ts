import type { Subprocess } from "bun";

/** A program that goes on running while the test does other things. */
export interface Running {
  readonly pid: number;
  /** Lines of stdout and stderr as they come, in one list. */
  readonly lines: readonly string[];
  readonly stdout: Promise<string>;
  readonly exited: Promise<number>;
  readonly ended: boolean;
  /** To the whole process group, as a terminal does. */
  signal(name: NodeJS.Signals): void;
}

const environment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C.UTF-8",
  TERM: "dumb",
};

/** Starts a program with a fixed environment in a process group of its own; `exec` is for those one waits for. */
export function start(
  argv: readonly string[],
  options: { stdin?: string; env?: Record<string, string> } = {},
): Running {
  const child = Bun.spawn([...argv], {
    cwd: "/",
    env: { ...environment, ...options.env },
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const lines: string[] = [];
  const stdout = collect(child.stdout, lines);
  void collect(child.stderr, lines);
  return {
    pid: child.pid,
    lines,
    stdout,
    exited: child.exited,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    signal: (name) => signalGroup(child, name),
  };
}

async function collect(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let rest = "";
  for await (const chunk of stream) {
    const part = decoder.decode(chunk, { stream: true });
    text += part;
    const pieces = (rest + part).split("\n");
    rest = pieces.pop() ?? "";
    lines.push(...pieces);
  }
  if (rest) lines.push(rest);
  return text;
}

function signalGroup(child: Subprocess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid, name);
  } catch {
    // ESRCH: it has ended already.
  }
}
