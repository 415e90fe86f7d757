/** What the history tells apart. Newer members may send others: readers take any short word. */
export type EventKind =
  | "promotion"
  | "demotion"
  | "switchover"
  | "failover"
  | "quarantine"
  | "rebuild"
  | "gap"
  | "maintenance"
  | "join"
  | "leave"
  | "remove"
  | "drill";

/** What somebody reports; the history adds when and where. */
export interface Happening {
  kind: EventKind;
  /** One sentence for people. */
  message: string;
  /** Null: it concerns the node, not one of its roles. */
  role?: string | null;
  /** How long the whole took. */
  seconds?: number | null;
  /** What was done, in order, ms each. */
  steps?: { do: string; ms: number }[];
}
