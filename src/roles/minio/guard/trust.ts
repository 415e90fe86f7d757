import { log } from "../../../core/log.ts";
import { changedAt } from "../../../resources/stamp.ts";
import type { GuardDeps } from "../../guard.ts";
import { shownAt, type Shown } from "../../shown-certificate.ts";
import { layout, minioSpec, s3Port } from "../layout.ts";
import { reread, serverFiles } from "../tls.ts";
import type { PublishedStart } from "../published.ts";
import { noteTrust, trustThere } from "../trusted.ts";
import { fellowsOf, type NamedFellow } from "./fellows.ts";
import { isSettled } from "./health.ts";
import type { Cause, HeldRestart } from "./held-restart.ts";
import { awaited, restartStep, type StartedWith } from "./restart-step.ts";

/**
 * The same files have the balancers reloaded. What their processes of before still answer can be neither held nor seen: it has
 * so long to end, ms.
 */
const reloadedMs = 10_000;

/** This node's server and its files, as far as the certificates go that it trusts and shows. */
export interface TrustServer {
  /** When the CA file came to be as it is, ms since the epoch; 0: there is none. */
  caChangedAt(): Promise<number>;
  /** Of the CA file; undefined: there is none. */
  ca(): Promise<string | undefined>;
  /** It runs, and was started before that. */
  isOld(): Promise<boolean>;
  /** It does not run, or answers. */
  isSettled(): Promise<boolean>;
  /** The same of its own certificate and key. */
  pairChangedAt(): Promise<number>;
  shown(): Promise<Shown>;
  reread(): Promise<void>;
}

/**
 * Has this node's server go by the certificates that are there: the CAs that it trusts it reads when it starts, and never
 * again; its own certificate when it is told to.
 */
export class TrustChange implements Cause {
  readonly name = "trust";
  readonly while = "servers are restarted for the CAs that they trust";
  readonly #deps: GuardDeps;
  readonly #restarts: HeldRestart;
  readonly #server: TrustServer;
  #own: PublishedStart | undefined;
  /** The file of this time the server was started with, or later: asking systemd each second would cost more. */
  #reachedAt = 0;
  /** The pair of this time it was seen to show. */
  #shownAt = 0;
  /** Since when nobody is waited for any more, on the monotonic clock. */
  #dueSince: number | undefined;

  constructor(
    deps: GuardDeps,
    restarts: HeldRestart,
    signal: AbortSignal,
    server: TrustServer = serverOf(deps, signal),
  ) {
    this.#deps = deps;
    this.#restarts = restarts;
    this.#server = server;
    restarts.serve(this);
  }

  /** As it is published. */
  own(): PublishedStart | undefined {
    return this.#own;
  }

  others(): NamedFellow<StartedWith>[] {
    const fellows = fellowsOf(this.#deps, (_, said) => said?.trust);
    return fellows.filter((fellow) => fellow.isGuarded);
  }

  isOld(): Promise<boolean> {
    return this.#server.isOld();
  }

  /** To be called each second. */
  async advance(): Promise<void> {
    if (!minioSpec(this.#deps.context()).tls) return;
    const changed = await this.#server.caChangedAt();
    if (changed === this.#reachedAt) return;
    const current = await this.#server.ca();
    if (current === undefined) return;
    const isOld = await this.#server.isOld();
    // Asked after that: one that was seen to answer before may have been the old one.
    const isReached = !isOld && (await this.#server.isSettled());
    const own = { current, used: isReached ? current : null, old: isOld };
    this.#own = own;
    if (isReached) {
      this.#reachedAt = changed;
      this.#restarts.reached();
    }
    if (isOld) await this.#restart(own);
    else this.#dueSince = undefined;
  }

  async #restart(own: StartedWith): Promise<void> {
    const context = this.#deps.context();
    const now = this.#deps.clock.now();
    const situation = {
      topology: minioSpec(context).topology,
      index: context.self.index,
      own,
      others: this.others(),
      hasVip: this.#deps.hasVip(),
    };
    const step = restartStep(situation);
    this.#own = { ...own, awaits: awaited(situation).map(({ name }) => name) };
    if (step === "wait") {
      this.#dueSince = undefined;
      return;
    }
    const { awaiting } = this.#restarts;
    if (awaiting !== undefined) this.#own.awaiting = awaiting.slice(0, 400);
    this.#dueSince ??= now;
    if (now - this.#dueSince >= reloadedMs) await this.#restarts.begin(step, this);
  }

  /** To be called now and then. Who wrote the files tells the server; but it may have been killed before it did. */
  async keepShown(): Promise<void> {
    if (!minioSpec(this.#deps.context()).tls) return;
    const changed = await this.#server.pairChangedAt();
    if (changed === this.#shownAt) return;
    const shown = await this.#server.shown();
    if (shown === "shown") this.#shownAt = changed;
    else if (shown === "other") {
      log.info("minio: the server is told to read its certificate");
      await this.#server.reread();
    }
  }
}

function serverOf(deps: Pick<GuardDeps, "context">, signal: AbortSignal): TrustServer {
  const unit = () => layout(deps.context()).product.unit;
  return {
    caChangedAt: () => changedAt([serverFiles.ca]),
    ca: () => trustThere(),
    isOld: () => noteTrust(unit()),
    isSettled: () => isSettled(deps.context(), signal),
    pairChangedAt: () => changedAt([serverFiles.cert, serverFiles.key]),
    shown: () => shownAt(deps.context().self.address, s3Port, serverFiles),
    reread: () => reread(unit()),
  };
}
