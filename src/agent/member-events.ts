import type { Membership, MemberView } from "../cluster/types.ts";
import type { Happening } from "../roles/happening.ts";

/**
 * Tells who came and who went, for the history. A node tells of its own joins; of a node that went only the first of
 * those that are left tells, so that it is told once. Returns the unsubscriber.
 */
export function watchMembers(
  membership: Pick<Membership, "self" | "members" | "onChange">,
  record: (happening: Happening) => void,
): () => void {
  let before = snapshot(membership);
  return membership.onChange(() => {
    const now = snapshot(membership);
    for (const happening of changes(membership.self.name, before, now)) record(happening);
    before = now;
  });
}

type Known = Pick<MemberView, "name" | "index" | "state" | "left" | "phase">;

function snapshot(membership: Pick<Membership, "members">): Known[] {
  return membership
    .members()
    .map(({ name, index, state, left, phase }) => ({ name, index, state, left, phase }));
}

/** Pure: what is worth a line between two looks of node `self`. */
export function changes(self: string, before: readonly Known[], now: readonly Known[]): Happening[] {
  const happenings: Happening[] = [];
  const first = now.filter((m) => !m.left && m.state !== "dead").sort((a, b) => a.index - b.index)[0];
  for (const member of now) {
    const old = before.find(({ index }) => index === member.index);
    if (member.name === self) {
      for (const [role, phase] of Object.entries(member.phase)) {
        if (phase !== "ready" || old?.phase[role] === "ready") continue;
        happenings.push({ kind: "join", role, message: `${self} is ready for ${role}` });
      }
    } else if (member.left && old && !old.left && first?.name === self) {
      // Only a silent node can be removed; one that leaves says so itself.
      const removed = old.state === "dead";
      happenings.push({
        kind: removed ? "remove" : "leave",
        message: removed ? `${member.name} was removed` : `${member.name} left`,
      });
    }
  }
  return happenings;
}
