import { Exit, toChimeError } from "../core/errors.ts";
import { openLedger, type Ledger } from "../plan/ledger.ts";
import { undoAll } from "../plan/reset.ts";
import { kinds } from "../resources/index.ts";
import {
  packagesAlone,
  packagesOnTop,
  type PackageResource,
  unfinishedPackages,
} from "../resources/package.ts";
import type { Resource } from "../resources/types.ts";
import type { Io } from "./io.ts";
import { make } from "./make.ts";

/** What was begun of a node's resources before the rest may be. */
export interface Begun {
  ledger: Ledger;
  /** What each resource was made as, by its id. */
  made: Map<string, string>;
  underWay: ReadonlyMap<string, Promise<void>>;
}

/**
 * Packages of a node that has none of ours yet, installed while the network is still asked whether it is fit: that takes
 * longer than a second. They start nothing, and where it is not fit they are taken back.
 */
export class PackagesAhead {
  readonly begun: Begun;
  readonly #io: Io;
  /** What the ledger knew before. */
  readonly #known: ReadonlySet<string>;
  readonly #over: Promise<void>;
  readonly #giveUp = new AbortController();

  private constructor(packages: readonly PackageResource[], ledger: Ledger, io: Io) {
    this.#io = io;
    this.#known = new Set(ledger.ids());
    const ends = new Map(packages.map(({ id }) => [id, Promise.withResolvers<void>()]));
    // Whoever goes on with it hears of what went wrong.
    for (const { promise } of ends.values()) promise.catch(() => undefined);
    const made = new Map<string, string>();
    this.#over = install(packages, { ledger, made, giveUp: this.#giveUp.signal }, ends, io);
    this.#over.catch(() => undefined);
    const underWay = new Map([...ends].map(([id, { promise }]) => [id, promise]));
    this.begun = { ledger, made, underWay };
  }

  /**
   * @param resources what is to be installed on the node
   * @returns undefined where its packages need more than the package system has, where that is not at rest, or where they
   * could not be taken back without others
   */
  static async begin(
    resources: readonly Resource[],
    ledger: Ledger,
    io: Io,
  ): Promise<PackagesAhead | undefined> {
    // The package system takes back all that was ever brought at once.
    if (ledger.ids().some((id) => id.startsWith("package:"))) return undefined;
    const packages = await packagesAlone(resources);
    return packages && new PackagesAhead(packages, ledger, io);
  }

  /** @throws when interrupted: what goes on by itself, or the signal's reason */
  async requireOn(): Promise<void> {
    if (!this.#io.signal.aborted) return;
    await this.#over;
    this.#io.signal.throwIfAborted();
  }

  /** @param why the node is refused: told at once, for what dpkg has begun is finished first */
  async takeBack(why: unknown): Promise<void> {
    await takingBack(why, this.#io, async () => {
      this.#giveUp.abort(why);
      await this.#over;
      await undoAll(this.begun.ledger, kinds, this.#io, (id) => !this.#known.has(id));
    });
  }
}

/**
 * Does the work of a join. Where it is refused, packages that an earlier one has left go, which was cut off while it
 * installed them: exit 3 says that the machine is as it was. What they may be wanted for by now is told.
 */
export async function unlessRefused<T>(work: () => Promise<T>, io: Io): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (toChimeError(error).exit === Exit.refused) await takeBackLeft(error, await openLedger(), io);
    throw error;
  }
}

/** @param why this run is refused */
export async function takeBackLeft(why: unknown, ledger: Ledger, io: Io): Promise<void> {
  const top = packagesOnTop(ledger);
  if (top.length > 0) {
    return takingBack(why, io, () => undoAll(ledger, kinds, io, (id) => top.includes(id)));
  }
  const left = unfinishedPackages(ledger);
  if (left.length === 0) return;
  io.warn(
    `what an interrupted run has begun is still here (${left.join(", ")}): a join that is not refused finishes it, chime-node reset takes everything back`,
  );
}

async function takingBack(why: unknown, { note, warn }: Io, undo: () => Promise<void>): Promise<void> {
  note(`${toChimeError(why).message}; the packages that were begun are taken back`);
  try {
    await undo();
  } catch (error) {
    warn(`not all packages were taken back: ${toChimeError(error).message}; chime-node reset does it`);
  }
}

/** @throws when interrupted: what goes on by itself, or the signal's reason */
async function install(
  packages: readonly PackageResource[],
  begun: Pick<Begun, "ledger" | "made"> & { giveUp: AbortSignal },
  ends: ReadonlyMap<string, PromiseWithResolvers<void>>,
  io: Io,
): Promise<void> {
  try {
    const { failed } = await make(packages, io, { ...begun, done: (id) => ends.get(id)?.resolve() });
    for (const { resource, error } of failed) ends.get(resource)?.reject(error.cause);
  } catch (error) {
    for (const end of ends.values()) end.reject(error);
    throw error;
  }
}
