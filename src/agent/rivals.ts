import type { Clock } from "../core/clock.ts";
import type { Member, MemberView, RoleName } from "../cluster/types.ts";
import { heardOthers, isGuarded } from "../roles/of-role.ts";
import { reportOf } from "./report.ts";

/**
 * Nodes of a role that are up and whose keepalived does not know this node yet. It would hear none of their adverts,
 * nor they its own: were it eligible, it would become a second master.
 */
export function deafPeers(
  self: Pick<Member, "name" | "address">,
  members: readonly MemberView[],
  role: RoleName,
): string[] {
  return heardOthers(role, self, members)
    .filter((member) => isGuarded(member.phase[role]))
    .filter((member) => !reportOf(member).vips[role]?.peers.includes(self.address))
    .map((member) => member.name);
}

/** keepalived gives an address up within milliseconds; one that has it this long after its gate closed hangs. */
const graceMs = 1_000;

/** VIPs that stay on this node while it is not eligible, and since when. */
export class Leftovers {
  readonly #clock: Pick<Clock, "now">;
  readonly #since = new Map<RoleName, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** To be told at each look whether the VIP is wrong here; true once it has been so for long enough. */
  isDue(role: RoleName, isWrong: boolean): boolean {
    if (!isWrong) {
      this.#since.delete(role);
      return false;
    }
    const now = this.#clock.now();
    const since = this.#since.get(role) ?? now;
    this.#since.set(role, since);
    return now - since >= graceMs;
  }
}
