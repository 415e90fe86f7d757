import { constants } from "node:fs";
import { open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Problem } from "../../guard.ts";
import type { Clock } from "../../../core/clock.ts";
import { failed } from "../../../core/errors.ts";
import { lastLines, pipe } from "../../../core/exec.ts";
import { log } from "../../../core/log.ts";
import { mask } from "../../../core/mask.ts";
import { paths } from "../../../core/paths.ts";
import { productPath } from "../../../host/catalog.ts";
import { isMissing, makePrivateDirectory, syncPath } from "../../../host/files.ts";
import { freeBytes } from "../../../host/free-space.ts";
import { asServer } from "../copy/program.ts";
import type { Engine, Tail } from "../engine/types.ts";
import { Inert } from "./inert.ts";
import type { Layout } from "../layout.ts";

/** How long `status` tells of a file. The file stays. */
const toldMs = 24 * 3_600_000;

/** What the system needs of the disk more urgently than a file of rows (bytes). */
const floorBytes = 256 << 20;

/** How often the space that is left is looked at (bytes). */
const lookEvery = 16 << 20;

/**
 * What this node had and the node that serves did not, kept as SQL before it is cut off, replaced or put aside. In files
 * for root alone: they hold rows.
 */
export class SavedExtras {
  readonly #node: string;
  readonly #clock: Pick<Clock, "wall">;
  readonly #directory: string;
  #known: { file: string; at: number }[] = [];

  constructor(node: string, clock: Pick<Clock, "wall">, directory: string = paths.extras) {
    this.#node = node;
    this.#clock = clock;
    this.#directory = directory;
  }

  /** At the agent's start. */
  async load(): Promise<void> {
    const names = await readdir(this.#directory).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    const files = names.filter((name) => name.endsWith(".sql")).map((name) => join(this.#directory, name));
    this.#known = await Promise.all(files.map(async (file) => ({ file, at: (await stat(file)).mtimeMs })));
  }

  /**
   * Saves what is in this server's binary logs and not in `other.contents`. The server may run or be down. Once for the
   * same transactions, however often it is called.
   * @returns the file; undefined where there is nothing to save
   * @throws ChimeError `mysql.extras_unsaved`
   */
  async save(
    { engine, layout }: { engine: Engine; layout: Pick<Layout, "data" | "product"> },
    other: { name: string; contents: string },
  ): Promise<string | undefined> {
    const tail = await engine.tail.find(layout.data, other.contents);
    if (!tail) return undefined;
    const file = join(this.#directory, fileName(tail));
    if (this.#known.some((known) => known.file === file)) return file;
    await makePrivateDirectory(this.#directory);
    const argv = engine.tail.dump(productPath(layout.product, "binlog"), tail);
    const dump = { argv: asServer(layout.product.user, argv), inert: new Inert(engine.tail.inert) };
    await write(file, this.#heading(tail, other.name), dump);
    this.#known.push({ file, at: this.#clock.wall() });
    log.warn(`mysql: ${count(tail)} that ${other.name} does not have: saved in ${file}`);
    return file;
  }

  problems(): Problem[] {
    const now = this.#clock.wall();
    const recent = this.#known.filter(({ at }) => now - at < toldMs).sort((a, b) => b.at - a.at);
    const [newest] = recent;
    if (!newest) return [];
    const more = recent.length > 1 ? `; ${recent.length - 1} more beside it` : "";
    return [
      {
        code: "mysql.extras_saved",
        severity: "warning",
        node: this.#node,
        message: `transactions that ${this.#node} alone had were taken out of its data and saved there: ${newest.file}${more}`,
        remedy: "read it; what is wanted is put in again by hand. This line goes a day after it was saved",
      },
    ];
  }

  #heading(tail: Tail, other: string): string {
    const { gtids } = tail;
    const shown = gtids.length > 20 ? [...gtids.slice(0, 10), "…", ...gtids.slice(-10)] : gtids;
    return `-- ${count(tail)} that ${this.#node} had and ${other} did not: ${shown.join(", ")}
-- To be read, not to be run: changes of rows are told in comments (###), @1 is a table's first column.
`;
  }
}

function count({ gtids }: Tail): string {
  return gtids.length === 1 ? "1 transaction" : `${gtids.length} transactions`;
}

/** The first one's time makes it unique: numbers that were cut off are given again. */
function fileName({ at, gtids }: Tail): string {
  const time = new Date(at * 1000).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `mysql-${time}-${(gtids[0] ?? "").replace(":", "-")}-${gtids.length}.sql`;
}

interface Dump {
  argv: readonly string[];
  inert: Inert;
}

/** Whole or not at all. */
async function write(file: string, heading: string, dump: Dump): Promise<void> {
  const temporary = `${file}.new`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await handle.writeFile(heading);
    await fill(handle, temporary, dump);
    await handle.sync();
    await rename(temporary, file);
    await syncPath(join(file, ".."));
  } catch (error) {
    await rm(temporary, { force: true });
    throw failed("mysql.extras_unsaved", `own transactions cannot be saved: ${(error as Error).message}`, {
      remedy: `mend that (df -h ${file}), or move the server's binary logs away by hand`,
      cause: error,
    });
  } finally {
    await handle.close();
  }
}

async function fill(handle: FileHandle, path: string, { argv, inert }: Dump): Promise<void> {
  const child = pipe(argv);
  try {
    let unseen = lookEvery;
    for (let piece = await child.read(); piece; piece = await child.read()) {
      await handle.writeFile(inert.push(piece));
      unseen += piece.length;
      if (unseen < lookEvery) continue;
      unseen = 0;
      if ((await freeBytes(path)) < floorBytes) throw new Error("the disk has too little space for them");
    }
    await handle.writeFile(inert.end());
    const { code, stderr } = await child.ended;
    // A server that was killed leaves half an event at the end, and the program says so.
    const isWhole = code === 0 || /read_log_event|Could not read|truncated/i.test(stderr);
    if (!isWhole) throw new Error(mask(`reading the binary log ended with ${code}: ${lastLines(stderr)}`));
  } finally {
    child.kill();
  }
}
