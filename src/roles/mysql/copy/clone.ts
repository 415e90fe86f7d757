import { ChimeError, failed } from "../../../core/errors.ts";
import { exec, lastLines, type Piped } from "../../../core/exec.ts";
import { mask } from "../../../core/mask.ts";
import { meanwhile } from "../../../core/meanwhile.ts";
import { Session } from "../client.ts";
import type { ClonePlaces, Cloning, SourceAddress, SourceSettings } from "../engine/types.ts";
import { finishCopy, type Copied } from "./copied.ts";
import { copyDirectory, stagePath, workshop } from "./places.ts";
import { confined, endPrograms, pipeProgram } from "./program.ts";
import { serverShell } from "./shell.ts";
import { requireRoom, requireSpace } from "./space.ts";

export interface CloneOptions {
  copy: Cloning;
  source: { name: string; address: SourceAddress; settings: SourceSettings; bytes: number };
  /** The server's program, the node's data directory, and who the server runs as. */
  server: string;
  data: string;
  user: string;
  signal: AbortSignal;
  /** @throws ChimeError where the source is not the writer any more */
  requireSource: () => void;
  /** Called twice a second: bytes so far. */
  progress: (bytes: number) => void;
  /** Called once, when all is here and is being prepared. */
  complete: () => void;
}

const initializeMs = 300_000;
/** A server on an empty data directory is there within seconds; a copy's redo log is applied at the speed of the disk. */
const startMs = 120_000;
const prepareMs = 6 * 3_600_000;
/** A week: what is not here by then never will be. */
const fetchMs = 7 * 24 * 3_600_000;
const lookMs = 500;
const againMs = 100;
const answerMs = 10_000;

/**
 * Has the serving node's server send all its data into the copy directory's stage `ready`, beside the old data. Begins
 * anew whatever it finds half done.
 * @throws ChimeError `mysql.copy_failed`, `rebuild.no_space`, `exec.*`
 */
export async function fetchClone(options: CloneOptions): Promise<Copied> {
  const { copy, source, server, data, user, signal, complete } = options;
  const root = `${data}/${copyDirectory}`;
  const work = `${root}/${workshop}`;
  const places: ClonePlaces = {
    server,
    empty: `${work}/empty`,
    socket: `${work}/sock`,
    directory: stagePath(data, "part"),
  };
  await endPrograms("fetch");
  await serverShell(user, 'rm -rf -- "$1"; mkdir -m 700 -- "$1" "$2" "$3"', [root, work, places.empty]);
  // A server that finds the disk full ends, and makes room with that: looked for before each attempt.
  await requireSpace(data, source.bytes + copy.aside, source.name);
  const program = { half: "fetch", user, writes: root } as const;
  const initialize = confined({ ...program, argv: copy.initialize(places, source.settings) });
  const { code, stderr, timedOut } = await exec(initialize.argv, {
    timeoutMs: initializeMs,
    signal,
    ok: "any",
  });
  if (code !== 0 || timedOut) throw ended("a server for the copy", code, stderr);
  const fetcher = copy.fetcher(places, source.settings, source.address);
  await serving({ ...program, argv: fetcher, network: true }, options, places, startMs, (session) =>
    fetch(session, options, places),
  );
  complete();
  const finisher = { ...program, argv: copy.finisher(places, source.settings) };
  const position = await serving(finisher, options, places, prepareMs, async (session, child) => {
    const held = await copy.finish(session);
    // Its answer may be lost with the connection: the exit code tells.
    await session.run(["SHUTDOWN"], answerMs).catch(() => undefined);
    const { code, stderr } = await child.ended;
    if (code !== 0) throw ended("the server on the copy", code, stderr);
    return held;
  });
  const copied = { source: source.name, position, contents: position };
  await serverShell(user, 'rm -rf -- "$1"', [work]);
  signal.throwIfAborted();
  await finishCopy(user, data, copied, []);
  return copied;
}

async function fetch(session: Session, options: CloneOptions, places: ClonePlaces): Promise<void> {
  const { copy, source, data, signal, requireSource, progress } = options;
  const looking = new Session({ socket: places.socket, unit: "chime-node.service", timeoutMs: answerMs });
  try {
    await meanwhile(copy.fetch(session, places, source.address), lookMs, async () => {
      signal.throwIfAborted();
      requireSource();
      await requireRoom(data);
      progress(await copy.progress(looking));
    });
    requireSource();
  } finally {
    looking.close();
  }
}

/** Runs a server for as long as the work takes, and no longer. */
async function serving<T>(
  program: Parameters<typeof pipeProgram>[0],
  { signal }: CloneOptions,
  { socket }: ClonePlaces,
  withinMs: number,
  work: (session: Session, child: Piped) => Promise<T>,
): Promise<T> {
  const child = pipeProgram(program);
  const stop = () => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  const session = new Session({ socket, unit: "chime-node.service", timeoutMs: fetchMs });
  try {
    await answers(session, child, withinMs);
    return await work(session, child);
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof ChimeError ? error.code : "";
    if (code !== "mysql.statement" && code !== "mysql.down") throw error;
    child.kill();
    const { stderr } = await child.ended;
    const said = lastLines(stderr);
    throw failed("mysql.copy_failed", mask(`${(error as Error).message}${said && `: ${said}`}`));
  } finally {
    signal.removeEventListener("abort", stop);
    session.close();
    child.kill();
    await child.ended;
  }
}

/** @throws ChimeError `mysql.copy_failed` where it ends, or is not there in time */
async function answers(session: Session, child: Piped, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      await session.rows("SELECT 1", answerMs);
      return;
    } catch (error) {
      const isStarting = error instanceof ChimeError && error.code === "mysql.down";
      if (!isStarting || performance.now() > end) throw error;
    }
    const over = await Promise.race([child.ended, Bun.sleep(againMs)]);
    if (over) throw ended("a server for the copy", over.code, over.stderr);
  }
}

function ended(who: string, code: number, stderr: string): ChimeError {
  return failed("mysql.copy_failed", mask(`${who} ended with ${code}: ${lastLines(stderr)}`));
}
