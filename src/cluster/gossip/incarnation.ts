import type { Statement } from "./types.ts";

/**
 * By how much an incarnation that others tell of may be above the one that is known. It grows by one a start and a
 * refutation; after a stolen node's word that a member is dead in the last one there is, it could never refute again.
 */
const longestJump = 1_000_000;

const rank: Readonly<Record<Statement["state"], number>> = { alive: 0, suspect: 1, dead: 2 };

/**
 * Which of two statements about a member holds (SWIM): that of the higher incarnation; with the same, the worse one. Since
 * only the member itself raises its incarnation, that is how it refutes, and the order in which statements come is of no
 * matter.
 */
export function outdoes(
  said: Pick<Statement, "state" | "incarnation">,
  known: Pick<Statement, "state" | "incarnation">,
): boolean {
  const higher = said.incarnation - known.incarnation;
  return higher === 0 ? rank[said.state] > rank[known.state] : higher > 0;
}

/** Whether others may say so of a member; what it says of itself is believed. */
export function credible(incarnation: number, known: number): boolean {
  return incarnation <= known + longestJump;
}

/**
 * With which incarnation a member answers that it is called suspect or dead; undefined: its word outdoes that already, or it
 * was never anywhere near such a number (its own lives are not a million): to raise itself to that would use the numbers up.
 */
export function refutation(said: Statement, own: number): number | undefined {
  if (said.incarnation < own || (said.state === "alive" && said.incarnation === own)) return undefined;
  return credible(said.incarnation, own) ? said.incarnation + 1 : undefined;
}
