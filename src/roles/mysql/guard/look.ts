import type { GuardDeps } from "../../../agent/guard.ts";
import type { Session } from "../client.ts";
import type { Engine, ServerState } from "../engine/types.ts";
import { nodes } from "../layout.ts";
import { publishedBy, roundLag, type Published } from "../published.ts";
import { isAble } from "./decide.ts";
import { rememberRun, serverLife } from "./unit.ts";
import type { PeerView, View } from "./view.ts";

/** Tells one run of the local server from the next. Asked for once a run: its end is seen by the kept connection. */
export class Lives {
  readonly #pidFile: string;
  #current: string | undefined;

  constructor(pidFile: string) {
    this.#pidFile = pidFile;
  }

  ended(): void {
    this.#current = undefined;
  }

  async current(): Promise<string> {
    if (this.#current === undefined) {
      this.#current = await serverLife(this.#pidFile);
      await rememberRun();
    }
    return this.#current;
  }
}

/** One look at the local server. Throws when it does not answer. */
export async function probe(engine: Engine, session: Session, lives: Lives): Promise<ServerState> {
  const state = await engine.probe(session);
  return { ...state, life: await lives.current() };
}

export function peerViews({ membership }: Pick<GuardDeps, "membership">): PeerView[] {
  const { name: self } = membership.self;
  return nodes(membership.members())
    .filter((member) => member.name !== self)
    .map((member) => ({
      name: member.name,
      index: member.index,
      address: member.address,
      state: member.left ? "left" : member.state,
      silentMs: member.silentMs,
      said: publishedBy(member),
    }));
}

/** How long commits have waited without one being acknowledged: two looks that see the same count. */
export class StuckWatch {
  #acknowledged = -1;
  #since = 0;

  look(source: ServerState["source"] | undefined, now: number): number {
    if (!source || source.waiting === 0 || source.acknowledged !== this.#acknowledged) {
      this.#acknowledged = source?.acknowledged ?? -1;
      this.#since = now;
    }
    return now - this.#since;
  }
}

/** What the others are told. Pure. */
export function publishable(view: View): Published {
  const { server, term, quarantine } = view;
  const said = {
    term,
    life: "down" in server ? null : server.life,
    able: isAble(view) && !view.standDown,
    stands_down: view.standDown,
    follows: null,
    semi_sync: false,
    protected: false,
    lag: null,
  };
  if ("down" in server) return { ...said, state: "down", able: false, detail: null };
  if (!server.readOnly) {
    const { enabled, active, strict } = server.source;
    return {
      ...said,
      state: "writer",
      semi_sync: enabled && active,
      protected: enabled && strict && (term?.in_sync.length ?? 0) > 1,
      detail: null,
    };
  }
  const { replica } = server;
  const follows =
    replica.receiver === "running"
      ? (view.peers.find((peer) => peer.address === replica.from)?.name ?? null)
      : null;
  const isBroken =
    replica.from !== null && !replica.applier && replica.error !== null && term?.writer !== view.self;
  return {
    ...said,
    follows,
    state: quarantine !== null ? "quarantined" : isBroken ? "broken" : "replica",
    semi_sync: replica.semiSync,
    lag: follows ? roundLag(replica.lag) : null,
    detail: quarantine ?? (isBroken ? replica.error : null),
  };
}
