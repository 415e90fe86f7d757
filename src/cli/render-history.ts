import type { HistoryEvent } from "../agent/event.ts";
import type { Style } from "./style.ts";
import { table } from "./table.ts";

/** Turns for people, a line each, oldest first; below one that took steps, what they were. */
export function renderHistory(events: readonly HistoryEvent[], style: Style): string {
  const lines = table(
    events.map((event) => [
      style.dim(event.at.replace("T", " ").replace(/\.\d+Z$/, "Z")),
      event.node,
      event.role ?? "-",
      event.kind,
      `${event.message}${event.seconds === null ? "" : ` (${event.seconds} s)`}`,
    ]),
  ).split("\n");
  return events
    .flatMap((event, i) => {
      const line = lines[i] ?? "";
      return event.steps.length > 1 ? [line, style.dim(`  ${renderSteps(event)}`)] : [line];
    })
    .join("\n");
}

/** `stop-receiver 2 ms, ask-votes 9 ms, open 1 ms`. */
function renderSteps({ steps }: HistoryEvent): string {
  return steps.map((step) => `${step.do} ${step.ms} ms`).join(", ");
}
