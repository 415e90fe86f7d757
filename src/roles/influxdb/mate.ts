import { phases, type MemberView } from "../../cluster/types.ts";
import { isGuarded } from "../of-role.ts";
import type { RoleContext } from "../types.ts";
import { whyNotTo } from "../turn.ts";
import { nodes, roleName } from "./layout.ts";
import type { Importance } from "./outages.ts";
import { publishedBy, type Published } from "./published.ts";
import type { Mate, Standing } from "./standing.ts";

/** The other one of the twins, with what is known of it. */
export interface Twin extends Mate {
  member: MemberView;
  /** What it published; null where that is not known, or old. */
  published: Published | null;
  /** Its server was one of the twins at some time. */
  wasJoined: boolean;
}

/** Undefined while there is none. Pure. */
export function twinOf(
  { name, index }: RoleContext["self"],
  members: readonly MemberView[],
): Twin | undefined {
  const present = members.filter(({ state }) => state !== "left");
  const member = nodes(present).find((node) => node.name !== name);
  if (!member) return undefined;
  const alive = member.state !== "dead";
  const published = alive ? publishedBy(member) : null;
  const phase = member.phase[roleName] ?? "joined";
  return {
    member,
    alive,
    published,
    isFirst: member.index < index,
    wasJoined: published?.joined === true || phases.indexOf(phase) >= phases.indexOf("ready"),
    said: published && standingOf(published),
  };
}

export function standingOf({ state, joined, gap }: Published): Standing {
  return { serving: joined && state === "serving", away: gap?.away ?? 0 };
}

/**
 * For how long its server was not there since it last had everything of every bucket that can be filled, s. One that is held
 * up may wait for the other one's restart itself. Pure.
 */
export function overallAway({ gap }: Pick<Published, "gap">): number {
  return gap?.overall ?? gap?.away ?? 0;
}

/** The same, where clients may be led to it: one that is being set up may serve already, and has no way to the VIP. Pure. */
export function inUse(twin: Twin | undefined): Twin | undefined {
  return twin && isGuarded(twin.member.phase[roleName]) ? twin : undefined;
}

/** Why clients cannot be left to it alone, as it goes on after its name; undefined: they can. Pure. */
export function lacking({ alive, published, said }: Twin): string | undefined {
  const hasAll = published !== null && said?.serving === true && overallAway(published) === 0;
  return whyNotTo({ alive, hasAll }, published?.detail ?? published?.gap?.trouble);
}

/** Whether a time may be compared now: what is more important on either goes before, and of two alike that of the first one. Pure. */
export function mayCompare(mine: Importance, twin: Twin): boolean {
  const theirs = comparing(twin) ?? -1;
  return mine > theirs || (mine === theirs && !twin.isFirst);
}

/** How important what the other one compares or fills is; undefined: it does not. Pure. */
export function comparing({ published }: Pick<Twin, "published">): Importance | undefined {
  if (!published?.gap?.busy) return undefined;
  return overallAway(published) > 0 ? 2 : 1;
}

/** The VIP may go to it for good. What nobody is sure of is looked at each minute. Pure. */
export function isWhole({ published }: Pick<Twin, "published">): boolean {
  return published?.eligible === true && (published.gap?.away ?? 0) === 0;
}
