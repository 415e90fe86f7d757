import { phases, type MemberView } from "../../../cluster/types.ts";
import { whyNotTo } from "../../turn.ts";
import type { RoleContext } from "../../types.ts";
import { nodes, roleName } from "../layout.ts";
import { publishedBy } from "../published.ts";
import { storeOf } from "../stores.ts";
import type { Site } from "./replication.ts";
import type { Mate } from "./standing.ts";

/** The other node of a mirror, with what is known of it. */
export interface Other extends Mate {
  member: MemberView;
  /** Its server answers, by its own word. */
  isUp: boolean;
}

/** Undefined while there is none. Pure. */
export function otherNode({ name, index }: RoleContext["self"], members: readonly MemberView[]) {
  const present = members.filter(({ state }) => state !== "left");
  const member = nodes(present).find((node) => node.name !== name);
  if (!member) return undefined;
  const said = publishedBy(member)?.mirror ?? null;
  const alive = member.state !== "dead";
  const phase = member.phase[roleName] ?? "joined";
  const isSetUp = phases.indexOf(phase) >= phases.indexOf("configured");
  const other: Other = {
    member,
    alive,
    isSetUp,
    isFirst: member.index < index,
    isUp: alive && (said?.up ?? false),
    said,
  };
  return other;
}

/**
 * Why clients cannot be left to it alone, as it goes on after its name; undefined: they can. What it does not follow it lacks.
 * Pure.
 */
export function lacking({ alive, isUp, said, member }: Other): string | undefined {
  const hasAll = isUp && said?.current === true;
  return whyNotTo({ alive, hasAll }, publishedBy(member)?.detail);
}

/** This node's store and the other one's, which know each other by their nodes' addresses. */
export function sitesOf(context: RoleContext, { member }: Other): [own: Site, other: Site] {
  const site = (node: Pick<MemberView, "name" | "address">) => ({
    name: node.name,
    store: storeOf(node, context),
  });
  return [site(context.self), site(member)];
}
