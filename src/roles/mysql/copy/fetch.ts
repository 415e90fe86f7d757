import { failed, type ChimeError } from "../../../core/errors.ts";
import { exec, lastLines, type Piped } from "../../../core/exec.ts";
import { mask } from "../../../core/mask.ts";
import type { CopyPlaces, Streaming } from "../engine/types.ts";
import { finishCopy, type Copied } from "./copied.ts";
import { copyDirectory, stagePath } from "./places.ts";
import { confined, endPrograms, pipeProgram } from "./program.ts";
import { serverShell } from "./shell.ts";
import { requireRoom } from "./space.ts";

/** The serving node, as its agent answers. */
export interface Source {
  name: string;
  open(): Promise<{ id: string; contents: string }>;
  read(id: string, offset: number): Promise<{ data: Buffer; ended: boolean; contents: string | null }>;
  close(id: string): Promise<void>;
}

export interface Fetching {
  source: Source;
  copy: Streaming;
  places: CopyPlaces;
  signal: AbortSignal;
  /** Called with each piece: bytes so far. */
  progress: (bytes: number) => void;
  /** Called once, when all is here and is being prepared. */
  complete: () => void;
}

/** A redo log of many GiB is applied at the speed of the disk. */
const prepareMs = 6 * 3_600_000;

/**
 * Brings all data of the serving node into the copy directory's stage `ready`, beside the old data. Begins anew
 * whatever it finds half done.
 * @throws ChimeError of the source, `mysql.copy_failed`, `exec.*`
 */
export async function fetchCopy(options: Fetching): Promise<Copied> {
  const { source, copy, places, signal, complete } = options;
  const { data, user } = places;
  await endPrograms("fetch");
  const part = stagePath(data, "part");
  await serverShell(user, 'rm -rf -- "$1"; mkdir -m 700 -- "$1" "$2"', [`${data}/${copyDirectory}`, part]);
  const { id, contents: before } = await source.open();
  let after: string;
  try {
    after = await unpack(options, id, part);
  } finally {
    await source.close(id).catch(() => undefined);
  }
  complete();
  const prepare = confined({ half: "fetch", user, argv: copy.prepare(places, part), writes: part });
  await exec(prepare.argv, { timeoutMs: prepareMs, signal });
  const copied = { source: source.name, ...endOf(copy, await readNote(user, part, copy), before, after) };
  signal.throwIfAborted();
  await finishCopy(user, data, copied, copy.notes);
  return copied;
}

/** @throws ChimeError `mysql.copy_failed` where the copy does not tell what it holds */
function endOf(copy: Streaming, note: string, before: string, after: string): Omit<Copied, "source"> {
  try {
    const position = copy.position(note);
    return { position, contents: copy.contents(before, position, after) };
  } catch (error) {
    throw failed("mysql.copy_failed", `nothing tells where the copy ends: ${(error as Error).message}`);
  }
}

/** How often the space that is left is looked at (bytes). */
const lookEvery = 16 << 20;

/** Returns the source's contents at the end of the copy. */
async function unpack(options: Fetching, id: string, part: string): Promise<string> {
  const { source, copy, places, signal, progress } = options;
  const { data: directory, user } = places;
  const child = pipeProgram({ half: "fetch", user, argv: copy.unpack(places, part), writes: part });
  const stop = () => child.kill();
  signal.addEventListener("abort", stop, { once: true });
  try {
    let offset = 0;
    let looked = 0;
    let next = source.read(id, offset);
    for (;;) {
      const { data, ended, contents } = await next;
      signal.throwIfAborted();
      if (ended) return await finishUnpacking(child, contents);
      offset += data.length;
      // The next piece travels while this one is written.
      next = source.read(id, offset);
      next.catch(() => undefined);
      await child.write(data).catch(async () => {
        throw await whyUnpackingFailed(child);
      });
      progress(offset);
      if (offset - looked < lookEvery) continue;
      looked = offset;
      await requireRoom(directory);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    child.kill();
  }
}

async function finishUnpacking(child: Piped, contents: string | null): Promise<string> {
  await child.end();
  const { code, stderr } = await child.ended;
  // mbstream ends with 0 although it could not create a file; it says nothing but errors (tried on 10.11).
  if (code !== 0 || stderr.trim() !== "" || contents === null) throw await whyUnpackingFailed(child);
  return contents;
}

async function whyUnpackingFailed(child: Piped): Promise<ChimeError> {
  const { code, stderr } = await child.ended;
  return failed("mysql.copy_failed", mask(`unpacking the copy failed (${code}): ${lastLines(stderr)}`));
}

function readNote(user: string, part: string, copy: Streaming): Promise<string> {
  const script =
    'cd "$1"; shift; for note; do if [ -f "$note" ]; then exec head -c 4096 -- "$note"; fi; done; exit 1';
  return serverShell(user, script, [part, ...copy.notes]);
}
