import { failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { askGuard } from "./ask.ts";
import type { MysqlGuard } from "./guard.ts";
import { startUnit } from "./unit.ts";
import type { View } from "./view.ts";

/** Longer than a writer needs to open after a take-over. */
const tellMs = 10_000;

/**
 * Starts the server of a node that returns. What it flushed as the writer of a protected pair and the new writer never
 * received was acknowledged to nobody: it goes with this start (`truncate`), and is saved before. A node that wrote alone
 * keeps everything: clients may have been told of it. Returns false where it cannot be known yet what is to be saved.
 */
export async function startServer(guard: MysqlGuard, view: View, truncate: boolean): Promise<boolean> {
  const { product, startOptions } = guard.layout;
  const rewinds = truncate && guard.starts === 0 && guard.memory.outrun === "protected";
  const options = rewinds ? await rewind(guard, view) : "";
  if (options === undefined) return false;
  guard.starts += 1;
  log.info(`mysql: starting ${product.unit}${rewinds ? ", without what nobody acknowledged" : ""}`);
  await startUnit(product.unit, startOptions, options);
  return true;
}

/** The options of that start; undefined: not yet. */
async function rewind(guard: MysqlGuard, view: View): Promise<string | undefined> {
  const { engine, extras, layout, deps } = guard;
  try {
    const contents = await writersContents(guard, view);
    await extras.save(guard, { name: view.term?.writer ?? "?", contents });
    return await engine.rewind(layout.data, contents);
  } catch (error) {
    // It may start with all it has: comparing the contents shows it later, and the node can be filled anew.
    guard.askingSince ??= deps.clock.now();
    if (deps.clock.now() - guard.askingSince < tellMs) return undefined;
    log.warn(`mysql: the server starts with all it has: ${(error as Error).message}`);
    return "";
  }
}

/** What the writer holds since it is open: then all that it received is applied. @throws ChimeError `mysql.writer_not_open` */
async function writersContents(guard: MysqlGuard, { peers, term }: View): Promise<string> {
  const writer = peers.find(({ name }) => name === term?.writer);
  if (writer?.said?.state !== "writer" || writer.said.term?.term !== term?.term) {
    throw failed("mysql.writer_not_open", `${term?.writer} does not accept writes yet`);
  }
  return (await askGuard(guard, writer.name, "contents", {})).contents;
}

/** Keeps as SQL what this node has and `peer` has not. @throws ChimeError of the peer, `mysql.extras_unsaved` */
export async function saveExtras(guard: MysqlGuard, peer: string): Promise<void> {
  const { contents } = await askGuard(guard, peer, "contents", {});
  await guard.extras.save(guard, { name: peer, contents });
}

/** How this node's transactions differ from the writer's. */
export interface Difference {
  writer: string;
  /** What the writer holds (`Engine.contents`). */
  contents: string;
  /** What only this node has, as text. */
  extra: readonly string[];
  /** The writer has some that this node has not. */
  lacks: boolean;
}

/** @throws as `askGuard` does */
export async function compare(guard: MysqlGuard, writer: string): Promise<Difference> {
  const { engine, work } = guard;
  // The own contents first: what the writer adds meanwhile cannot look like something extra here.
  const own = await engine.contents(work);
  const { contents } = await askGuard(guard, writer, "contents", {});
  const lacks = engine.extras(contents, own).length > 0;
  return { writer, contents, extra: engine.extras(own, contents), lacks };
}

/** Out of everything until somebody decides, or, where nobody can have been told of it, until it is rebuilt. */
export async function putAside(guard: MysqlGuard, { writer, contents, extra }: Difference): Promise<void> {
  const where = await guard.extras.save(guard, { name: writer, contents }).then(
    (file) => (file === undefined ? "" : `; saved in ${file}`),
    (error: Error) => {
      log.error("mysql: own transactions cannot be saved:", error);
      return `; not saved: ${error.message.slice(0, 80)}`;
    },
  );
  guard.quarantine = `${extra.join(", ").slice(0, 200)}${where}`;
  log.error(`mysql: quarantined: ${writer} does not have ${guard.quarantine}`);
}
