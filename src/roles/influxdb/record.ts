import * as v from "valibot";
import { paths } from "../../core/paths.ts";
import { makeParents, readText, writeAtomically } from "../../host/files.ts";
import { isAlike, merged, type Outage } from "./outages.ts";

const ms = v.pipe(v.number(), v.minValue(0));
const recordSchema = v.object({
  /** Its server was one of the twins at some time. */
  joined: v.boolean(),
  /** What its server held is gone, and it is being made the other one's copy. */
  copying: v.optional(v.boolean(), false),
  /** The run of the server (systemd's invocation) that was last seen well, and when. */
  run: v.string(),
  wellAt: ms,
  /** Nobody is beside it: what it lacks from then on nobody else took. */
  alone: v.optional(v.boolean(), false),
  /** What it may lack. */
  outages: v.array(
    v.object({
      from: ms,
      to: v.nullable(ms),
      sure: v.boolean(),
      hint: v.exactOptional(v.picklist(["routine", "slow", "old"])),
      bucket: v.exactOptional(v.string()),
    }),
  ),
});
type Kept = v.InferOutput<typeof recordSchema>;

const nothing: Kept = { joined: false, copying: false, run: "", wellAt: 0, alone: false, outages: [] };

/** That it is well is written down so often, ms: after a power cut the outage began at most so long before it did. */
const wellEveryMs = 30_000;

/** Looked at each second, a server that nobody has looked at for longer stood still, as a suspended machine does, ms. */
const stillMs = 5_000;

/** More of them are one of each kind. */
const mostOutages = 100;

/** What a node must remember of its server over restarts of its agent, its server and its machine. */
export class Record {
  readonly #path: string;
  #kept: Kept;
  /** Newer than what the disk says, as a rule. */
  #wellAt: number;
  /** Nobody has looked since the agent's start. */
  #isFresh = true;
  /** The disk has it, too. */
  #isSaved = true;
  #changing: Promise<void> = Promise.resolve();

  private constructor(path: string, kept: Kept) {
    this.#path = path;
    this.#kept = kept;
    this.#wellAt = kept.wellAt;
  }

  /** A file that is not understood is nothing: the server is compared with the other one then. */
  static async load(path: string = paths.influxdbGap): Promise<Record> {
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), await readText(path));
    return new Record(path, parsed.success ? parsed.output : nothing);
  }

  /** Its server was one of the twins at some time. */
  get wasJoined(): boolean {
    return this.#kept.joined;
  }

  /** Its server was being made the other one's copy when that was cut off, and holds nothing of what it held. */
  get isCopying(): boolean {
    return this.#kept.copying;
  }

  /** The oldest first. */
  get outages(): readonly Outage[] {
    return this.#kept.outages;
  }

  /** When its server was last seen well; 0: never. */
  get wellAt(): number {
    return this.#wellAt;
  }

  /** Nobody was beside it when it was last looked, and what it lacked then is forgotten. */
  get isAlone(): boolean {
    return this.#kept.alone;
  }

  /** @throws ChimeError `host.*` */
  async noteAlone(alone: boolean): Promise<void> {
    if (alone !== this.#kept.alone) await this.#change(() => ({ alone }));
  }

  /**
   * It takes and gives points: what it was not there for ends. The first time after the agent's start nobody knows how it was
   * meanwhile; another run of it was surely not there all the time, and neither was a machine that stood still. A clock that
   * was set back turns none of it round.
   * @throws ChimeError `host.*`
   */
  async well(now: number, run: string): Promise<void> {
    const { run: before, wellAt: from } = this.#kept;
    const isOpen = this.#kept.outages.some(({ to, sure }) => to === null && sure);
    const unseen: Outage[] = [];
    if (before !== "" && run !== before) unseen.push(between(from, now, true));
    else if (before !== "" && this.#isFresh) unseen.push(between(from, now, false));
    else if (before !== "" && !isOpen && now - this.#wellAt > stillMs)
      unseen.push(between(this.#wellAt, now, true));
    this.#wellAt = now;
    if (!isOpen && unseen.length === 0 && run === before && Math.abs(now - from) < wellEveryMs) return;
    await this.#change(({ outages }) => ({
      run,
      wellAt: now,
      outages: merged([...ended(outages, now, true), ...unseen]),
    }));
    this.#isFresh = false;
  }

  /** It is not there, or may not be, since it was last seen well; on the disk before it counts. @throws ChimeError `host.*` */
  away(at: number, sure: boolean): Promise<void> {
    // Clocks have fractions; queries have none.
    const from = Math.floor(at);
    return this.#change(({ outages }) => {
      const isKnown = outages.some((one) => one.to === null && one.from <= from && (one.sure || !sure));
      return isKnown ? {} : { wellAt: this.#wellAt, outages: merged([...outages, { from, to: null, sure }]) };
    });
  }

  /** What was not sure ends. @throws ChimeError `host.*` */
  heard(now: number): Promise<void> {
    return this.#change(({ outages }) => ({ outages: ended(outages, now, false) }));
  }

  /** Its points are gone, and it is made the other one's copy, until it joins; on the disk before that begins. @throws ChimeError `host.*` */
  copy(): Promise<void> {
    return this.#change(() => ({ copying: true }));
  }

  /** The server is one of the twins from now on, and may lack what `outages` says. @throws ChimeError `host.*` */
  join(now: number, outages: readonly Outage[]): Promise<void> {
    this.#wellAt = now;
    return this.#change((kept) => ({
      joined: true,
      copying: false,
      wellAt: now,
      outages: merged([...kept.outages, ...outages]),
    }));
  }

  /** One more that this node did not notice. @throws ChimeError `host.*` */
  add(outage: Outage): Promise<void> {
    return this.#change(({ outages }) => ({ outages: merged([...outages, outage]) }));
  }

  /**
   * These are filled, up to the ends that they had, but for `more`: both at once, so that a power cut forgets none of it.
   * @throws ChimeError `host.*`
   */
  filled(done: readonly Outage[], more: readonly Outage[] = []): Promise<void> {
    return this.#change(({ outages }) => {
      const left = outages.flatMap((one) => {
        const found = done.find(
          (over) => over.to !== null && isAlike(over, one) && over.from <= one.from && over.to >= one.from,
        );
        if (!found?.to) return [one];
        return one.to !== null && one.to <= found.to ? [] : [{ ...one, from: found.to }];
      });
      return { outages: more.length === 0 ? left : merged([...left, ...more]) };
    });
  }

  /** One after the other, each from what the one before has left. */
  #change(by: (kept: Kept) => Partial<Kept>): Promise<void> {
    const changed = this.#changing.then(() => this.#changeNow(by));
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  async #changeNow(by: (kept: Kept) => Partial<Kept>): Promise<void> {
    const next = { ...this.#kept, ...by(this.#kept) };
    if (next.outages.length > mostOutages) next.outages = fewer(next.outages);
    if (this.#isSaved && Bun.deepEquals(next, this.#kept)) return;
    // On a full disk it counts as long as the agent runs.
    this.#kept = next;
    this.#isSaved = false;
    await makeParents(this.#path);
    await writeAtomically(this.#path, JSON.stringify(next), { mode: 0o600, uid: 0, gid: 0 });
    this.#isSaved = true;
  }
}

const between = (one: number, other: number, sure: boolean): Outage => ({
  from: Math.min(one, other),
  to: Math.max(one, other),
  sure,
});

function ended(outages: readonly Outage[], now: number, sure: boolean): Outage[] {
  return merged(
    outages.map((one) =>
      one.to === null && one.sure === sure ? { ...one, to: Math.max(now, one.from) } : one,
    ),
  );
}

function fewer(outages: readonly Outage[]): Outage[] {
  const kinds = Map.groupBy(outages, ({ sure, hint, bucket }) => JSON.stringify([sure, hint, bucket]));
  return kinds.size > mostOutages ? oneOf(outages) : [...kinds.values()].flatMap(oneOf);
}

function oneOf(outages: readonly Outage[]): Outage[] {
  const [first, ...rest] = outages;
  if (!first) return [];
  const isOpen = outages.some(({ to }) => to === null);
  const to = isOpen ? null : Math.max(...outages.map((one) => one.to ?? 0));
  const isOfOneKind = rest.every((one) => isAlike(one, first));
  return [{ ...(isOfOneKind && first), from: first.from, to, sure: outages.some(({ sure }) => sure) }];
}
