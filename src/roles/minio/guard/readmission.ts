import type { Clock } from "../../../core/clock.ts";
import type { MemberView } from "../../../cluster/types.ts";
import { nodes } from "../layout.ts";
import { publishedBy } from "../published.ts";
import type { BackendView } from "../../../vip/balancer/types.ts";

/** A word may be so old when it arrives, ms: a guard looks at its server each second. */
const lateMs = 2_000;

/** Whether the servers of the nodes serve and have found all drives, as their guards say; none of one that says nothing. Pure. */
export function attachedBy(members: readonly MemberView[]): Map<string, boolean> {
  const alive = nodes(members).filter(({ state }) => state !== "dead" && state !== "left");
  return new Map(
    alive.flatMap((member): [string, boolean][] => {
      const said = publishedBy(member);
      return said ? [[member.name, said.state === "serving" && said.attached]] : [];
    }),
  );
}

/** Which may be used at once, where nobody can have been served before: a word that comes late says then what is so. Pure. */
export function admissible(
  view: readonly BackendView[],
  attached: ReadonlyMap<string, boolean>,
): BackendView[] {
  return view.filter(({ up, node }) => !up && attached.get(node) === true);
}

/**
 * Which servers the balancer may use again before their time (`backMs`). Its own check does not say whether a server has
 * found all drives, and so it waits for as long as that may take. The guard on the server's node knows it, and its word
 * counts where it is about this return: it has said since the server was taken out that not all drives were found.
 */
export class Readmission {
  readonly #clock: Pick<Clock, "now">;
  /** Of those that are out and have said so, by backend: since when all drives are found again, null until then. */
  readonly #returning = new Map<string, number | null>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * To be asked at each look.
   * @param attached what the guards say of their servers, by node
   */
  due(view: readonly BackendView[], attached: ReadonlyMap<string, boolean>): BackendView[] {
    return view.filter((backend) => this.#isDue(backend, attached.get(backend.node)));
  }

  #isDue(backend: BackendView, attached: boolean | undefined): boolean {
    const key = `${backend.service}.${backend.route} ${backend.node}`;
    if (backend.up) this.#returning.delete(key);
    else if (attached === false) this.#returning.set(key, null);
    const since = this.#returning.get(key);
    if (since === undefined || attached !== true || !backend.rising) return false;
    if (since === null) this.#returning.set(key, this.#clock.now());
    return since !== null && this.#clock.now() - since >= lateMs;
  }
}
