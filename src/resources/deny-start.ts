import { startPolicy, startPolicyPath, startPreset, startPresetPath } from "../host/packages/start-policy.ts";
import type { Ledger } from "../plan/ledger.ts";
import { remember, runnable } from "./before.ts";
import { file, fileKind } from "./file.ts";
import type { ApplyContext } from "./types.ts";

const policyId = `file:${startPolicyPath}`;
const ids = [policyId, `file:${startPresetPath}`];

/** Whether it is of what keeps services down while their packages are installed. */
export function isStartDenial(resource: string): boolean {
  return ids.includes(resource);
}

/** Whether that is there, or was left. */
export function isStartDenied(ledger: Pick<Ledger, "noted">): boolean {
  return ids.some((id) => ledger.noted(id) !== undefined);
}

/**
 * Keeps services down that packages would start as they are installed, or have started at the next boot: we start them with
 * our own configuration.
 */
export async function denyStart(units: readonly string[], context: ApplyContext): Promise<void> {
  const { ledger } = context;
  if (ledger.noted(policyId) === undefined)
    await ledger.before(policyId, await remember(startPolicyPath, ledger.backups));
  const earlier = await runnable(startPolicyPath, ledger.noted(policyId));
  const files = [
    file({ path: startPolicyPath, content: startPolicy(units, earlier), mode: 0o755 }),
    file({ path: startPresetPath, content: startPreset(units) }),
  ];
  for (const one of files) {
    const change = await one.inspect({ ledger, pending: () => false });
    await change?.apply(context);
  }
}

export async function allowStart(context: ApplyContext): Promise<void> {
  const { ledger } = context;
  for (const id of ids) {
    if (ledger.noted(id) === undefined) continue;
    await fileKind.undo(id, ledger.noted(id), context);
    await ledger.forget(id);
  }
}
