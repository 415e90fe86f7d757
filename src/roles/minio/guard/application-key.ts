import type { SecretState } from "../../../cluster/secret-store.ts";
import { ChimeError, failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import type { GuardDeps, Problem } from "../../guard.ts";
import type { Limits } from "../../http.ts";
import { ensureAccount, removeAccount } from "../account.ts";
import { applicationKeys, keyName } from "../keys.ts";
import { minioSpec, nodes, roleName } from "../layout.ts";
import { hasBucket } from "../s3.ts";
import type { Credentials } from "../signature.ts";
import { ownStore } from "../stores.ts";
import { nextKeyStep, type KeyFellow } from "./key-step.ts";

/** The node's own server, as far as keys of applications go. */
export interface KeyServer {
  /** @throws ChimeError `minio.*` where it cannot be asked */
  takes(key: Credentials): Promise<boolean>;
  make(key: Credentials): Promise<void>;
  /** Nothing happens where there is none. */
  remove(key: Credentials): Promise<void>;
}

/** What an operator's `secrets retire` asks of the guard. */
export const retireCommand = "retire";

/** How often it is looked whether the server still takes what applications had before. */
const keepEveryMs = 5_000;

/** Gives applications another key beside the one that they have, which is taken until an operator ends that. */
export class ApplicationKey {
  readonly #deps: GuardDeps;
  readonly #server: KeyServer;
  #keptAt = Number.NEGATIVE_INFINITY;
  #doing: Promise<void> = Promise.resolve();

  constructor(deps: GuardDeps, limits: Limits, server: KeyServer = serverOf(deps, limits)) {
    this.#deps = deps;
    this.#server = server;
  }

  /** To be called each second while the server can write. */
  advance(): Promise<void> {
    return this.#inTurn(() => this.#advance());
  }

  async #advance(): Promise<void> {
    const own = this.#deps.secret(keyName)?.own;
    if (!own) return;
    const step = nextKeyStep(own, this.#fellows());
    const { next } = applicationKeys(this.#deps.context());
    if (step === "make" && next) {
      if (!(await this.#server.takes(next))) await this.#server.make(next);
      // What it was just told it may not have taken yet.
      if (await this.#server.takes(next)) await this.#deps.proveSecret(keyName);
    } else if (step === "take") {
      await this.#deps.takeSecret(keyName);
      log.info("minio: applications are told of another key; the one before is taken until it is retired");
    } else if (step === "retire") await this.#retire();
    else await this.#keepOld(own);
  }

  /** An operator says that no application uses it any more. @throws ChimeError `minio.no_old_key`, `minio.*` */
  retire(): Promise<void> {
    return this.#inTurn(async () => {
      if (!applicationKeys(this.#deps.context()).old) {
        throw failed("minio.no_old_key", "there is no earlier key of applications to retire");
      }
      await this.#retire();
    });
  }

  /** One after the other: what is being retired would be made known again meanwhile. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#doing.then(work);
    this.#doing = done.catch(() => undefined);
    return done;
  }

  problems(): Problem[] {
    const context = this.#deps.context();
    const { old, current } = applicationKeys(context);
    // One node says it for all.
    if (!old || this.#fellows().some(({ alive, isFirst }) => alive && isFirst)) return [];
    return [
      {
        code: "minio.old_key",
        severity: "warning",
        node: context.self.name,
        message: `applications may use ${old.accessKey} beside ${current.accessKey}`,
        remedy: `give all of them the new one (chime-node secrets show --role ${roleName}), then chime-node secrets retire --role ${roleName}`,
      },
    ];
  }

  /** First refused, then forgotten: killed in between, it is done again. */
  async #retire(): Promise<void> {
    const { old } = applicationKeys(this.#deps.context());
    if (old) await this.#server.remove(old);
    await this.#deps.retireSecret(keyName);
    log.info("minio: what applications used before is refused from now on");
  }

  /** A server may forget an account: see `remindOfAccount`. Not where another node may have retired it unheard. */
  async #keepOld({ beside }: SecretState): Promise<void> {
    const now = this.#deps.clock.now();
    const { old } = applicationKeys(this.#deps.context());
    if (!old || now - this.#keptAt < keepEveryMs) return;
    const isAgreed = this.#fellows().every(({ alive, state }) => alive && state?.beside?.old === beside?.old);
    if (!isAgreed) return;
    this.#keptAt = now;
    if (await this.#server.takes(old)) return;
    await this.#server.make(old);
    log.warn("minio: the server had forgotten what applications used before: made known again");
  }

  #fellows(): KeyFellow[] {
    const { membership } = this.#deps;
    const states = this.#deps.secret(keyName)?.others();
    return nodes(membership.members())
      .filter(({ name, state }) => name !== membership.self.name && state !== "left")
      .map(({ name, index, state }) => ({
        alive: state !== "dead",
        isFirst: index < membership.self.index,
        state: states?.get(name),
      }));
  }
}

function serverOf(deps: Pick<GuardDeps, "context">, limits: Limits): KeyServer {
  const own = () => {
    const context = deps.context();
    return { store: ownStore(context), bucket: minioSpec(context).bucket };
  };
  return {
    async takes(credentials) {
      const { store, bucket } = own();
      try {
        return await hasBucket({ ...store, credentials }, bucket, limits);
      } catch (error) {
        if (error instanceof ChimeError && error.code === "minio.denied") return false;
        throw error;
      }
    },
    make(key) {
      const { store, bucket } = own();
      return ensureAccount(store, key, bucket, limits);
    },
    remove: ({ accessKey }) => removeAccount(own().store, accessKey, limits),
  };
}
