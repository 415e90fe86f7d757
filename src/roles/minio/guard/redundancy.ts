import type { Clock } from "../../../core/clock.ts";
import { paths } from "../../../core/paths.ts";
import { heal } from "../heal.ts";
import type { MemberView } from "../../../cluster/types.ts";
import { nodes } from "../layout.ts";
import { publishedBy, type Published } from "../published.ts";
import { putObject } from "../s3.ts";
import type { Limits } from "../../http.ts";
import type { Store } from "../store.ts";
import { Debt } from "./debt.ts";

/** What another node's guard says, as far as it matters here. */
type Said = Pick<Published, "state" | "slot" | "seen" | "attached" | "owes" | "healed">;
/** `silent`: its agent has just started and has said nothing yet, which says nothing of its server. */
export type Others = readonly (Said | "dead" | "silent")[];

/** Pure. Of a node that has left the cluster nothing is expected any more. */
export function othersOf(self: string, members: readonly MemberView[]): Others {
  const others = nodes(members).filter(({ name, state }) => name !== self && state !== "left");
  return others.map((member) => (member.state === "dead" ? "dead" : (publishedBy(member) ?? "silent")));
}

/** Pure: how many drives are there, as one server sees it. */
export function onlineIn(seen: NonNullable<Published["seen"]>): number {
  return seen.nodes.reduce((sum, { drives }) => sum + drives.online, 0);
}

const saidBy = (others: Others): Said[] => others.filter((one) => one !== "dead" && one !== "silent");

const folder = ".chime-node/drives";

/** What could not be completed will not be a moment later, and looking at everything costs: so many times as long is waited. */
const restFactor = 4;

/**
 * Whether each object is on all drives that it should be on. What is written while drives are away is on the others
 * alone, and so is what goes through a server that has not found all drives yet (it looks every 15 s); the engine itself
 * notices in days. The next loss would then take acknowledged objects with it. So it is remembered that drives were away,
 * and once all are back, and every server uses them, one node has everything looked at and completed.
 */
export class Redundancy {
  /** Its own server has stored something on every drive since it started. */
  attached = false;
  /** When this node last completed everything, ISO 8601. */
  healed: string | null = null;
  readonly #debt: Debt;
  #whole = false;
  /** How often something was away: what was begun before is not done by then. */
  #losses = 0;
  /** How often its own server was. */
  #downs = 0;
  /** What the others had completed when all drives were there again. */
  #known: string | null = null;
  /** Until when (of its clock) nothing is tried again, if nothing was away since then. */
  #rest = { losses: 0, until: Number.NEGATIVE_INFINITY };
  readonly #clock: Pick<Clock, "now">;

  constructor(clock: Pick<Clock, "now">, path: string = paths.minioOwes) {
    this.#clock = clock;
    this.#debt = new Debt(path);
  }

  /** Something may not be everywhere. */
  get owes(): boolean {
    return this.#debt.isOwed;
  }

  owe(): Promise<void> {
    return this.#debt.owe();
  }

  /**
   * To be told each second, since an outage may be short, also while `advance` is under way.
   * @param online how many drives are there for its own server; null: nobody knows
   */
  async note(online: number | null, total: number, others: Others): Promise<void> {
    const said = saidBy(others);
    const away = others.includes("dead") || said.some(({ state }) => state !== "serving");
    if (!away && online === null) return;
    const seen = said.flatMap((one) => (one.seen ? [onlineIn(one.seen)] : []));
    const lost = away || Math.min(online ?? 0, ...seen) < total;
    if (lost || said.some(({ attached }) => !attached)) this.#losses++;
    if (lost) await this.owe();
    const whole = !lost && !others.includes("silent");
    if (whole && !this.#whole) this.#known = newest(others);
    this.#whole = whole;
    if (whole && (newest(others) ?? "") > (this.#known ?? "")) await this.#debt.settle();
    await this.#debt.keep();
  }

  /** Its own server is down: it will have to find all drives again, and the others write without its own. */
  async down(): Promise<void> {
    this.attached = false;
    this.#downs++;
    this.#losses++;
    await this.owe();
  }

  /** One of its drives is another one: it may have been away for less time than lies between two looks. */
  async changed(): Promise<void> {
    this.#whole = false;
    this.#losses++;
    await this.owe();
  }

  /**
   * One step towards it, where it is this node's turn.
   * @param own this node's place
   * @throws ChimeError `minio.*`
   */
  async advance(store: Store, bucket: string, own: number, others: Others, limits: Limits): Promise<void> {
    if (!this.#whole) return;
    const losses = this.#losses;
    if (!this.attached) {
      const downs = this.#downs;
      const prefix = `${folder}/${own}`;
      await putObject(store, bucket, prefix, new Uint8Array(32), limits);
      const { partial } = await heal(store, limits, { bucket, prefix });
      this.attached = partial === 0 && downs === this.#downs;
    }
    if (!isDue(own, this, others)) return;
    if (losses === this.#rest.losses && this.#clock.now() < this.#rest.until) return;
    if (!(await this.#completes(store, limits)) || losses !== this.#losses) return;
    await this.#debt.settle();
    this.healed = new Date().toISOString();
  }

  /** Whether nothing is left to do. */
  async #completes(store: Store, limits: Limits): Promise<boolean> {
    const losses = this.#losses;
    const start = this.#clock.now();
    let isWhole = false;
    try {
      isWhole = (await heal(store, limits)).partial === 0;
      return isWhole;
    } finally {
      const now = this.#clock.now();
      if (!isWhole) this.#rest = { losses, until: now + restFactor * (now - start) };
    }
  }
}

/** Pure: the serving node with the lowest place does it, once every serving server uses all drives. */
export function isDue(own: number, mine: { attached: boolean; owes: boolean }, others: Others): boolean {
  const serving = saidBy(others).filter(({ state }) => state === "serving");
  if (!mine.attached || serving.some(({ attached }) => !attached)) return false;
  if (serving.some(({ slot }) => slot !== null && slot < own)) return false;
  return mine.owes || serving.some(({ owes }) => owes);
}

function newest(others: Others): string | null {
  const times = saidBy(others).flatMap(({ healed }) => healed ?? []);
  return times.toSorted().at(-1) ?? null;
}
