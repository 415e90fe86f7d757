import { errorJson, type ErrorJson } from "../core/errors.ts";
import { mask } from "../core/mask.ts";
import type { Action } from "../resources/types.ts";
import type { Outcome, PlannedChange } from "./run.ts";

export type Summary = Record<Action | "unchanged", number>;

/** `plan --json` of the contract. */
export interface PlanJson {
  changes: readonly PlannedChange[];
  summary: Summary;
}

/** `apply --json` of the contract. */
export interface OutcomeJson extends PlanJson {
  applied: number;
  /** Failed ones and those that could not be tried because of them. */
  failed: number;
  seconds: number;
  errors: ({ resource: string } & ErrorJson)[];
}

/** `total` is the number of resources that were looked at. */
function summarize(changes: readonly PlannedChange[], total: number): Summary {
  const summary: Summary = { create: 0, update: 0, delete: 0, unchanged: total - changes.length };
  for (const change of changes) summary[change.action]++;
  return summary;
}

export function planJson(changes: readonly PlannedChange[], total: number): PlanJson {
  return { changes, summary: summarize(changes, total) };
}

export function outcomeJson(outcome: Outcome, total: number): OutcomeJson {
  return {
    ...planJson(outcome.changes, total),
    applied: outcome.applied.length,
    failed: outcome.failed.length + outcome.blocked.length,
    seconds: outcome.seconds,
    errors: outcome.failed.map(({ resource, error }) => ({ resource, ...errorJson(error) })),
  };
}

const signs: Record<Action, string> = { create: "+", update: "~", delete: "-" };

/** For people: one line a change with its impact, the diff below it, and a closing count. */
export function renderPlan(changes: readonly PlannedChange[], total: number): string {
  const blocks = changes.map((change) => {
    const notes = [
      ...(change.impact === "none" ? [] : [change.impact]),
      ...(change.cause === "drift" ? ["changed by hand"] : []),
    ];
    const title = `${signs[change.action]} ${change.resource}${notes.length > 0 ? `  (${notes.join(", ")})` : ""}`;
    const diff = change.diff.split("\n").filter(Boolean);
    return [title, ...diff.map((line) => `    ${line}`)].join("\n");
  });
  const { create, update, delete: gone, unchanged } = summarize(changes, total);
  const counts = `${create} to create, ${update} to update, ${gone} to delete, ${unchanged} unchanged`;
  return mask([...blocks, counts].join("\n"));
}

/** For people, after `apply`: what was done, and each failure with what to do about it. */
export function renderOutcome(outcome: Outcome, total: number): string {
  const done = outcome.changes.filter((change) => outcome.applied.includes(change.resource));
  const lines = [
    ...done.map((change) => `${signs[change.action]} ${change.resource}`),
    ...outcome.failed.flatMap(({ error }) => [
      `! ${error.message}`,
      ...(error.remedy === undefined ? [] : [`    → ${error.remedy}`]),
    ]),
    ...outcome.blocked.map((resource) => `! ${resource} was not tried: what it needs failed`),
    `${outcome.applied.length} changed, ${total - outcome.changes.length} unchanged, ` +
      `${outcome.failed.length + outcome.blocked.length} failed, in ${outcome.seconds} s`,
  ];
  return mask(lines.join("\n"));
}
