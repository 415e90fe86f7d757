import type { GuardDeps } from "../../guard.ts";
import { isGuarded } from "../../of-role.ts";
import { driveCount, minioSpec, nodes, roleName } from "../layout.ts";
import { publishedBy, type Published } from "../published.ts";
import { onlineIn } from "./redundancy.ts";
import type { Fellow, StartedWith } from "./restart-step.ts";

export interface NamedFellow<S extends StartedWith> extends Fellow<S> {
  name: string;
  /** Its agent sees to its server. */
  isGuarded: boolean;
  /** Its server serves and has found all drives. */
  isWhole: boolean;
  /** It is known that they are not all there, as it sees it: an agent that has just started knows nothing yet. */
  lacksDrives: boolean;
}

/**
 * The other nodes of the store, but for those that have left.
 * @param stateOf what a node said of what is changed
 */
export function fellowsOf<S extends StartedWith>(
  { context, membership }: Pick<GuardDeps, "context" | "membership">,
  stateOf: (name: string, said: Published | null) => S | undefined,
): NamedFellow<S>[] {
  const present = nodes(membership.members()).filter(
    ({ name, state }) => name !== membership.self.name && state !== "left",
  );
  const drives = driveCount(minioSpec(context()));
  return present.map((member) => {
    const { name, index, state } = member;
    const said = publishedBy(member);
    return {
      name,
      index,
      isGuarded: isGuarded(member.phase[roleName]),
      alive: state !== "dead",
      isUp: said?.mirror?.up ?? said?.state === "serving",
      isWhole: said?.state === "serving" && said.attached,
      lacksDrives: said?.seen ? onlineIn(said.seen) < drives : false,
      state: stateOf(name, said),
    };
  });
}
