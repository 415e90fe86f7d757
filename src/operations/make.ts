import { openLedger } from "../plan/ledger.ts";
import { apply, type Outcome } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { Io } from "./io.ts";

/** Applies resources with this node's ledger; failures are in the outcome. */
export async function make(resources: readonly Resource[], io: Io): Promise<Outcome> {
  return apply(resources, await openLedger(), { signal: io.signal, progress: io.progress });
}

/** The same where everything after it rests on all of them. @throws ChimeError the first failure */
export async function makeOrThrow(resources: readonly Resource[], io: Io): Promise<void> {
  const [first] = (await make(resources, io)).failed;
  if (first) throw first.error;
}
