import type { Role } from "../types.ts";

/** A member that runs nothing but the agent: a third voice for the pairs of others. */
export const witness: Role = {
  name: "witness",
  secretNames: [],
  products: () => [],
  limit: () => ({ max: Number.POSITIVE_INFINITY, reason: "" }),
  checks: () => [],
  plan: () => ({ installed: [], configured: [], ready: [] }),
  vip: () => undefined,
  connection: () => ({}),
  status: () => undefined,
};
