/** What one of two stores that copy to each other says of itself. */
export interface Standing {
  /** Its contents are what counts: clients may be sent to it. Over with every end of its server. */
  current: boolean;
  /** Since when it takes what the other one may lack, ISO 8601; null: the other one follows. */
  alone: string | null;
  /** The other's `alone` up to which this one has all that the other has. */
  levelled: string | null;
  /** The other's `levelled` that this one has taken note of: from then on it is not alone any more. */
  agreed: string | null;
  /** Clients wrote to it when it was last current. */
  active: boolean;
}

export const newStanding: Standing = {
  current: false,
  alone: null,
  levelled: null,
  agreed: null,
  active: false,
};

/** What the end of its server ends: what it had not sent yet is forgotten until the two are compared. */
export const ended = { current: false, levelled: null, agreed: null } satisfies Partial<Standing>;

/** What this node knows of the other one. */
export interface Mate {
  /** Its agent is heard. */
  alive: boolean;
  /** Its store was configured, so that it may have served. */
  isSetUp: boolean;
  /** It joined before this node. */
  isFirst: boolean;
  /** What it last said; null where that is not known. */
  said: Standing | null;
}

/**
 * `serves`: clients may come. `behind`: it has to have all that the other one has before they may. `waits`: only the other
 * one knows whether this one is behind, or comes first.
 */
export type Verdict = "serves" | "behind" | "waits";

/**
 * Whether clients may be sent to this node's store. Pure. What its server does is not asked here.
 * One that is alone knows that the other one may not serve before the two have agreed that it has everything: so it may go on
 * by itself after any outage of its own. Two that were cut from each other have both gone on: then the one that joined first
 * does so, the other one is filled up (and fills it up: nothing is thrown away, and of one object the later state wins).
 */
export function judge(own: Standing, mate: Mate | undefined): Verdict {
  if (!mate) return "serves";
  const { alive, said, isFirst, isSetUp } = mate;
  const isBehind = alive && said !== null && said.alone !== null && said.alone !== own.levelled;
  if (own.alone !== null) return isBehind && isFirst && said.current ? "behind" : "serves";
  if (isBehind) return "behind";
  if (own.current) return "serves";
  if (!isSetUp) return isFirst && alive ? "waits" : "serves";
  if (!alive || said === null) return "waits";
  if (said.current) return own.levelled !== null && said.agreed === own.levelled ? "serves" : "behind";
  // Both have just come back, and neither had gone on without the other.
  if (own.active !== said.active) return own.active ? "serves" : "waits";
  return isFirst ? "waits" : "serves";
}

/** What the standing follows from, each second. */
export interface Situation {
  /** Its server answers. */
  isUp: boolean;
  /** Clients are sent here. */
  hasVip: boolean;
  mate: Mate | undefined;
  /** The stores reach each other, as far as they say. */
  isLinked: boolean;
  /** ISO 8601, another one each time. */
  now: string;
}

/** What it says of itself from now on. Pure. That it has levelled is for whoever has compared the two to say. */
export function settle(own: Standing, { isUp, hasVip, mate, isLinked, now }: Situation): Standing {
  if (!isUp) return { ...own, ...ended };
  if (judge(own, mate) !== "serves") {
    // What the other one takes while it is out of sight may come or not.
    const follows = mate?.alive && isLinked;
    return { ...own, current: false, levelled: follows ? own.levelled : null };
  }
  const settled = { ...own, current: true, active: hasVip };
  if (!mate) return { ...settled, alone: null };
  const { alive, said, isSetUp } = mate;
  if (own.alone !== null) {
    // What its server had not sent when it ended is forgotten: a comparison of before says nothing any more.
    if (!own.current) return { ...settled, alone: now, agreed: null };
    const isLevelled = alive && isLinked && said?.levelled === own.alone;
    return isLevelled ? { ...settled, alone: null, agreed: own.alone } : settled;
  }
  const isLevel = said?.current === true || (own.agreed !== null && said?.levelled === own.agreed);
  if (alive && isLinked && isLevel) return settled;
  // A store that nobody writes to is ahead of none, but for one that says itself that it does not follow.
  const isAlone = isSetUp && (hasVip || (alive && said !== null && !isLevel));
  return isAlone ? { ...settled, alone: now, agreed: null } : settled;
}
