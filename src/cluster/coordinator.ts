import * as v from "valibot";
import type { Clock } from "../core/clock.ts";
import { ChimeError, failed, refused } from "../core/errors.ts";
import {
  checkRoom,
  checkWitness,
  decide,
  isWitness,
  nextIndex,
  signAdmission,
  type RoleLimit,
} from "./admission.ts";
import type { Credentials } from "./identity.ts";
import { certifyNode, type Authority } from "./pki.ts";
import { joinRequest, roleList, specDocument, type Admission, type StateParts } from "./schema.ts";
import type { SharedState } from "./state.ts";
import { secretMatches } from "./token.ts";
import { signer } from "./trust.ts";
import { Turnstile } from "./turnstile.ts";
import type { Liveness } from "./types.ts";

/** What may be decided only once in a cluster at a time. */
export type Operation = "admit" | "takeRoles" | "publish" | "renew";

export interface CoordinatorOptions {
  credentials: () => Credentials;
  state: SharedState;
  clock: Clock;
  binaryVersion: string;
  roleLimit: (role: string) => RoleLimit | undefined;
  /** Throws while nobody is let in. */
  checkOpen: () => void;
  /** Throws where agents of this version could not work by this cluster.toml. */
  checkSpec: (toml: string) => void;
  liveness: (index: number) => Liveness;
  /** Asks another member to decide. */
  ask(member: Admission, operation: Operation, params: unknown, timeoutMs: number): Promise<unknown>;
  /** Makes it known: on this disk, and at those that rest on it soonest, `concerned` among them, before the answer goes out. */
  spread: (parts: Partial<StateParts>, concerned?: number) => Promise<void>;
}

const admitted = v.object({ index: v.number(), certificate: v.string() });
const renewed = v.object({ certificate: v.pipe(v.string(), v.maxLength(8192)) });
const retryMs = 150;
const askMs = 5_000;
/** The contract gives a join 30 s in all; a coordinator that died is replaced within a second or two. */
const decideMs = 10_000;

/**
 * Decisions that two members must not take at once (the last place of a role, a name, a token's last use, the next
 * version of the spec) are taken one after the other by the member with the lowest index that is alive and holds the
 * CA. There is no quorum in two nodes: while the network is cut, each side decides for itself, and SharedState's
 * merge has the last word.
 */
export class Coordinator {
  private readonly options: CoordinatorOptions;
  private readonly turnstile = new Turnstile();

  constructor(options: CoordinatorOptions) {
    this.options = options;
  }

  /**
   * A join at this member's door. Its token is looked at before another member is bothered: strangers could otherwise fill
   * the one connection to it. What is no right token here may be a new one there, and goes on by a narrow way.
   * @throws ChimeError `join.busy`, and what the member says that decides
   */
  async admit(request: v.InferOutput<typeof joinRequest>): Promise<v.InferOutput<typeof admitted>> {
    const token = this.options.state.token(request.token.id);
    const isProven = token !== undefined && secretMatches(request.token.secret, token.hash);
    const { self } = this.options.credentials().identity;
    return await this.turnstile.through(isProven ? "proven" : "unknown", self.name, async () => {
      try {
        return v.parse(admitted, await this.decideOnce("admit", request));
      } catch (error) {
        if (!(error instanceof ChimeError)) throw error;
        // Which member decides is nothing to a stranger.
        const { exit, code, message, remedy } = error;
        throw new ChimeError(exit, code, message, { remedy, cause: error });
      }
    });
  }

  async renew(): Promise<string> {
    return v.parse(renewed, await this.decideOnce("renew", {})).certificate;
  }

  async takeRoles(roles: readonly string[]): Promise<void> {
    await this.decideOnce("takeRoles", { roles });
  }

  async publish(document: v.InferOutput<typeof specDocument>): Promise<void> {
    await this.decideOnce("publish", document);
  }

  /** Waits out the moment in which members do not agree who decides (a member died, an agent just started). */
  private async decideOnce(operation: Operation, params: unknown): Promise<unknown> {
    const { clock, credentials } = this.options;
    const self = credentials().identity.self.index;
    const deadline = clock.now() + decideMs;
    let last: unknown;
    while (clock.now() < deadline) {
      const chosen = this.chosen();
      if (chosen === "none") throw noAuthority();
      if (chosen !== "unclear") {
        try {
          if (chosen.index === self) return await this.perform(operation, params, self);
          return await this.options.ask(chosen, operation, params, askMs);
        } catch (error) {
          if (!isPassing(error)) throw error;
          last = error;
        }
      }
      await clock.sleep(retryMs);
    }
    throw last ?? noAuthority();
  }

  private chosen(): Admission | "unclear" | "none" {
    const self = this.options.credentials().identity.self.index;
    for (const member of this.options.state.members()) {
      if (member.left || member.witness) continue;
      if (member.index === self) return member;
      const liveness = this.options.liveness(member.index);
      if (liveness === "alive") return member;
      if (liveness === "suspect") return "unclear";
    }
    return "none";
  }

  /** Another member chose this one. @throws ChimeError `cluster.not_coordinator`, to be asked again in a moment */
  async asked(operation: Operation, params: unknown, from: number): Promise<unknown> {
    const chosen = this.chosen();
    const self = this.options.credentials().identity.self;
    if (typeof chosen === "string" || chosen.index !== self.index) {
      throw failed("cluster.not_coordinator", `${self.name} does not decide at the moment`);
    }
    return await this.perform(operation, params, from);
  }

  /** Each operation looks, decides and merges without an `await` in between: that is what makes it one at a time. */
  private async perform(operation: Operation, params: unknown, from: number): Promise<unknown> {
    switch (operation) {
      case "admit":
        return await this.doAdmit(v.parse(joinRequest, params), from);
      case "takeRoles":
        return await this.doTakeRoles(v.parse(v.object({ roles: roleList }), params).roles, from);
      case "publish":
        return await this.doPublish(v.parse(specDocument, params));
      default:
        return { certificate: this.certificate(this.admission(from)) };
    }
  }

  /** @param door the member that asks for the joiner: its answer carries the state with the admission */
  private async doAdmit(
    request: v.InferOutput<typeof joinRequest>,
    door: number,
  ): Promise<v.InferOutput<typeof admitted>> {
    const { state, clock, binaryVersion, roleLimit, spread } = this.options;
    const { identity } = this.options.credentials();
    const admissions = state.allAdmissions();
    const verdict = decide(request, {
      cluster: identity.cluster,
      admissions,
      tokens: state.allTokens(),
      now: clock.wall(),
      binaryVersion,
      roleLimit,
    });
    this.options.checkOpen();
    if (verdict.kind === "again") {
      const admission = {
        ...verdict.admission,
        roles: [...new Set([...verdict.admission.roles, ...request.roles])],
      };
      await spread({ admissions: [admission] }, door);
      return { index: admission.index, certificate: this.certificate(admission) };
    }
    const admission = signAdmission(this.authority().key, identity.cluster.id, {
      index: nextIndex(admissions),
      name: request.name,
      address: request.address,
      publicKey: request.publicKey,
      witness: isWitness(request.roles),
      roles: request.roles,
      left: false,
    });
    const token = { ...verdict.token, usedBy: [...verdict.token.usedBy, admission.index] };
    const superseded = verdict.superseded ? [{ ...verdict.superseded, left: true }] : [];
    await spread({ admissions: [...superseded, admission], tokens: [token] }, door);
    return { index: admission.index, certificate: this.certificate(admission) };
  }

  private certificate(admission: Admission): string {
    const { identity } = this.options.credentials();
    return certifyNode(this.authority(), identity.cluster, admission, this.options.clock.wall());
  }

  /** @throws ChimeError `cluster.no_authority` where another one is to decide, or this one in a moment */
  private authority(): Authority {
    const authority = signer(this.options.credentials());
    if (!authority) throw noAuthority();
    return authority;
  }

  private admission(index: number): Admission {
    const admission = this.options.state.admission(index);
    if (!admission) throw refused("member.unknown", `there is no member with index ${index}`);
    return admission;
  }

  private async doTakeRoles(roles: readonly string[], from: number): Promise<null> {
    const admission = this.admission(from);
    if (admission.witness && !isWitness(roles)) {
      throw refused(
        "role.witness",
        `${admission.name} joined as a witness, which holds no secrets: it can take no other role`,
        `run \`chime-node leave\` there, then join with --role ${roles.join(",")}`,
      );
    }
    const { state, roleLimit, spread } = this.options;
    const all = [...new Set([...admission.roles, ...roles])];
    checkWitness(all);
    checkRoom(roles, { admissions: state.allAdmissions(), roleLimit }, from);
    await spread({ admissions: [{ ...admission, roles: all }] }, from);
    return null;
  }

  private async doPublish(document: v.InferOutput<typeof specDocument>): Promise<null> {
    const current = this.options.state.spec();
    // The same again: the publisher did not hear the answer.
    if (current?.signature === document.signature) return null;
    const version = current?.version ?? 0;
    if (document.version !== version + 1)
      throw specConflict(document.version - 1, version, current?.publisher);
    // Every agent works by it, and one that starts needs it: what cannot be read would stop them all.
    this.options.checkSpec(document.toml);
    await this.options.spread({ spec: document });
    if (this.options.state.spec()?.signature !== document.signature) {
      throw refused("spec.not_genuine", `the spec is not signed by ${document.publisher}`);
    }
    return null;
  }
}

export function specConflict(basedOn: number, current: number, publisher: string | undefined): ChimeError {
  return refused(
    "spec.conflict",
    `your cluster.toml is based on version ${basedOn} of the spec, but ${publisher ?? "another member"} ` +
      `published version ${current} meanwhile`,
    "take over the changes shown above into /etc/chime-node/cluster.toml, then: chime-node apply",
  );
}

function noAuthority(): ChimeError {
  return failed(
    "cluster.no_authority",
    "no member that holds the cluster's CA can be reached, so nothing can be decided",
    "bring one of the members that are not witnesses back",
  );
}

/** Worth another try: nobody said no, the one asked is just not there or not in charge. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof ChimeError &&
    ["cluster.not_coordinator", "cluster.no_authority", "peer.unreachable", "peer.timeout"].includes(
      error.code,
    )
  );
}
