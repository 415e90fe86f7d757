import type { RoleName } from "../cluster/types.ts";

/** What a failover of one role to one node would mean, found without touching anything. */
export interface FailoverReport {
  role: RoleName;
  to: string;
  /** Who writes by the newest record that answers; null: nobody was ever named. */
  from: string | null;
  /**
   * `none`: it serves already. `handover`: the writer lives and gives the role over, nothing is lost. `word`: only an
   * operator can say it.
   */
  way: "none" | "handover" | "word";
  /** What would be lost, a sentence each; empty: nothing. */
  may_lose: string[];
  /** Nodes that cannot be reached and may still acknowledge writes: they must be powered off first. */
  power_off: string[];
  /** Voters that cannot be told: until they are, they could make an overruled node the writer again. */
  untold: string[];
}

/** What it came to. */
export interface FailoverResult extends FailoverReport {
  seconds: number;
  /** What a reachable old writer holds and the new one does not; null: it could not be asked. */
  lost: string[] | null;
}
