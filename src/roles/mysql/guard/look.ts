import type { GuardDeps } from "../../guard.ts";
import type { Session } from "../client.ts";
import type { Engine, ServerState } from "../engine/types.ts";
import { isStalled } from "../../../host/tcp.ts";
import { mysqlPort, nodes, roleName } from "../layout.ts";
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
      await rememberRun(this.#current);
    }
    return this.#current;
  }
}

/** One look at the local server. Throws when it does not answer. */
export async function probe(engine: Engine, session: Session, lives: Lives): Promise<ServerState> {
  const state = await engine.probe(session);
  return { ...state, life: await lives.current() };
}

export function peerViews({ membership }: Pick<GuardDeps, "membership">): Promise<PeerView[]> {
  const { name: self } = membership.self;
  const others = nodes(membership.members()).filter((member) => member.name !== self);
  return Promise.all(
    others.map(async (member) => ({
      name: member.name,
      index: member.index,
      address: member.address,
      state: member.left ? "left" : member.state,
      silentMs: member.silentMs,
      // The replication's heartbeat passes every second: without a commit that waits, only this tells of a cut.
      stalled: member.state !== "alive" && (await isStalled(mysqlPort, member.address)),
      said: publishedBy(member),
    })),
  );
}

/** Members without the role, by rising index. */
export function bystanders({ membership }: Pick<GuardDeps, "membership">): View["bystanders"] {
  const { name: self } = membership.self;
  return membership
    .members()
    .filter((member) => member.name !== self && !member.roles.includes(roleName))
    .sort((a, b) => a.index - b.index)
    .map(({ name, left, state, silentMs }) => ({ name, state: left ? "left" : state, silentMs }));
}

/** Two looks further apart say nothing of the present: what came between them may have come long ago. */
const flowMs = 250;

/** How long commits have waited without one being acknowledged: two looks that see the same count. */
export class StuckWatch {
  #acknowledged = -1;
  #since = 0;
  #looked = Number.NEGATIVE_INFINITY;

  look(source: ServerState["source"] | undefined, now: number): { stuckMs: number; flowing: boolean } {
    const moved = source?.acknowledged !== this.#acknowledged;
    const flowing = source !== undefined && moved && now - this.#looked <= flowMs;
    if (!source || source.waiting === 0 || moved) {
      this.#acknowledged = source?.acknowledged ?? -1;
      this.#since = now;
    }
    this.#looked = now;
    return { stuckMs: now - this.#since, flowing };
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
    gateway: view.gateway.answers,
    out: term?.tie === "gateway" && term.in_sync.length > 1 ? view.gateway.out : null,
    lag: null,
  };
  if ("down" in server) return { ...said, state: "down", able: false, detail: null };
  if (!server.readOnly) {
    const { enabled, active, strict } = server.source;
    return {
      ...said,
      state: "writer",
      semi_sync: enabled && active,
      // Before a majority holds the term, the replica could not take over.
      protected: enabled && strict && view.granted && (term?.in_sync.length ?? 0) > 1,
      detail: null,
    };
  }
  // Nobody is to wait for what it will not acknowledge.
  if (view.leaving) return { ...said, state: "down", able: false, detail: null };
  if (view.full !== null) return { ...said, state: "broken", able: false, detail: view.full };
  const { replica } = server;
  const follows =
    replica.receiver === "running"
      ? (view.peers.find((peer) => peer.address === replica.from)?.name ?? null)
      : null;
  const isStopped = replica.from !== null && !replica.applier && term?.writer !== view.self;
  const trouble = view.failing ?? (isStopped ? replica.error : null);
  return {
    ...said,
    follows,
    state: quarantine !== null ? "quarantined" : trouble !== null ? "broken" : "replica",
    semi_sync: replica.semiSync,
    lag: follows ? roundLag(replica.lag) : null,
    detail: quarantine ?? trouble,
  };
}
