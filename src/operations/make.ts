import { callAgent } from "../agent/socket.ts";
import { openLedger, type Ledger } from "../plan/ledger.ts";
import { apply, type ApplyOptions, type Outcome } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { Io } from "./io.ts";

/** A guard that is asked something waits for an address to leave, and for another node's guard. */
const askMs = 30_000;

interface More extends Pick<ApplyOptions, "done" | "made" | "underWay" | "giveUp"> {
  /** Where another run has this node's ledger open. */
  ledger?: Ledger | undefined;
}

/** Applies resources with this node's ledger; failures are in the outcome. */
export async function make(
  resources: readonly Resource[],
  io: Io,
  { ledger, ...more }: More = {},
): Promise<Outcome> {
  const { signal, progress } = io;
  const ask = (role: string, method: string) =>
    callAgent("role.command", { role, method, params: {} }, { signal, timeoutMs: askMs });
  return apply(resources, ledger ?? (await openLedger()), { ...more, signal, progress, ask });
}

/** The same where everything after it rests on all of them. @throws ChimeError the first failure */
export async function makeOrThrow(resources: readonly Resource[], io: Io): Promise<void> {
  const [first] = (await make(resources, io)).failed;
  if (first) throw first.error;
}
