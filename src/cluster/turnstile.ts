import { failed, type ChimeError } from "../core/errors.ts";

/**
 * Joins that are worked on at once, each for as long as the member that decides takes (10 s where it just died). Their
 * own places, so that who knocks with a token that nobody knows takes none from those that have a right one.
 */
const most = { proven: 16, unknown: 2 } as const;

/** Of the token: whether this member knows it, and it is right. */
export type Standing = keyof typeof most;

/** Lets so many joins in at a time, and tells the others so at once. */
export class Turnstile {
  readonly #inside: Record<Standing, number> = { proven: 0, unknown: 0 };

  /** @throws ChimeError `join.busy` (exit 1), which a joiner answers by asking again */
  async through<T>(standing: Standing, self: string, work: () => Promise<T>): Promise<T> {
    if (this.#inside[standing] >= most[standing]) throw busy(`${self} has as many joins at once as it takes`);
    this.#inside[standing]++;
    try {
      return await work();
    } finally {
      this.#inside[standing]--;
    }
  }
}

export function busy(why: string): ChimeError {
  return failed("join.busy", `too many want to join just now: ${why}`, {
    remedy: "run this again in a minute; journalctl -u chime-node on a member tells who keeps it busy",
  });
}
