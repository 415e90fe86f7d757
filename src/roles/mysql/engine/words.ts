/** Both products do the same, each in its own words: what a product calls what both have. */
export interface Words {
  /** The two halves of replication, as columns and variables call them. */
  source: string;
  replica: string;
  /** Where a session sees all others, by `id`, `user`, `command` and `info`. */
  sessions: string;
  /** Closes the server for writes, for administrators too. */
  close: string;
}
