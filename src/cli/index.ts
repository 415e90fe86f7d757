import type { VerbTable } from "./command.ts";

/** Every verb, in the order of `--help`. A new verb is one module and one line here. */
export const verbs: VerbTable = {
  init: async () => (await import("./commands/init.ts")).init,
  join: async () => (await import("./commands/join.ts")).join,
  status: async () => (await import("./commands/status.ts")).status,
  plan: async () => (await import("./commands/plan.ts")).plan,
  apply: async () => (await import("./commands/apply.ts")).apply,
  preflight: async () => (await import("./commands/preflight.ts")).preflight,
  disks: async () => (await import("./commands/disks.ts")).disks,
  disk: async () => (await import("./commands/disk.ts")).disk,
  secrets: async () => (await import("./commands/secrets.ts")).secrets,
  token: async () => (await import("./commands/token.ts")).token,
  keys: async () => (await import("./commands/keys.ts")).keys,
  switchover: async () => (await import("./commands/switchover.ts")).switchover,
  failover: async () => (await import("./commands/failover.ts")).failover,
  history: async () => (await import("./commands/history.ts")).history,
  maintenance: async () => (await import("./commands/maintenance.ts")).maintenance,
  drill: async () => (await import("./commands/drill.ts")).drill,
  influxdb: async () => (await import("./commands/influxdb.ts")).influxdb,
  bundle: async () => (await import("./commands/bundle.ts")).bundle,
  leave: async () => (await import("./commands/leave.ts")).leave,
  remove: async () => (await import("./commands/remove.ts")).remove,
  reset: async () => (await import("./commands/reset.ts")).reset,
  agent: async () => (await import("./commands/agent.ts")).agent,
  version: async () => (await import("./commands/version.ts")).version,
  completion: async () => (await import("./commands/completion.ts")).completion,
};
