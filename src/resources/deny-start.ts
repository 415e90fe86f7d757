import type { Ledger } from "../plan/ledger.ts";
import { startPolicy, startPolicyPath } from "../host/packages/start-policy.ts";
import { remember, runnable } from "./before.ts";
import { file, fileKind } from "./file.ts";
import type { ApplyContext } from "./types.ts";

const id = `file:${startPolicyPath}`;

/** Whether it is what keeps services down while their packages are installed. */
export function isStartDenial(resource: string): boolean {
  return resource === id;
}

/** Whether that is there, or was left. */
export function isStartDenied(ledger: Pick<Ledger, "noted">): boolean {
  return ledger.noted(id) !== undefined;
}

/** Keeps services down that packages would start as they are installed: we start them with our own configuration. */
export async function denyStart(units: readonly string[], context: ApplyContext): Promise<void> {
  const { ledger } = context;
  if (!isStartDenied(ledger)) await ledger.before(id, await remember(startPolicyPath, ledger.backups));
  const earlier = await runnable(startPolicyPath, ledger.noted(id));
  const policy = file({ path: startPolicyPath, content: startPolicy(units, earlier), mode: 0o755 });
  const change = await policy.inspect({ ledger, pending: () => false });
  await change?.apply(context);
}

export async function allowStart(context: ApplyContext): Promise<void> {
  const { ledger } = context;
  if (!isStartDenied(ledger)) return;
  await fileKind.undo(id, ledger.noted(id), context);
  await ledger.forget(id);
}
