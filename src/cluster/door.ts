import * as v from "valibot";
import { failed, refused } from "../core/errors.ts";
import type { Secrets } from "../spec/types.ts";
import type { Clock } from "../core/clock.ts";
import { checkClock, checkVersion, isWitness, removed, renewalFields } from "./admission.ts";
import type { Coordinator } from "./coordinator.ts";
import { sealingKey } from "./gossip/keyring.ts";
import type { Credentials } from "./identity.ts";
import { certifyNode, verifyFields } from "./pki.ts";
import { joinRequest, joinVersion, renewRequest, type JoinAnswer, type RenewAnswer } from "./schema.ts";
import type { SharedState } from "./state.ts";
import { signer, signingCa } from "./trust.ts";

export interface DoorOptions {
  credentials: () => Credentials;
  secrets: () => Secrets;
  state: SharedState;
  coordinator: Coordinator;
  binaryVersion: string;
  clock: Clock;
  /** A member is refused for as long as this stays so. */
  refused: (index: number, why: string) => void;
}

/**
 * What a stranger gets to hear: the answer to a request to join, or why not; a member whose certificate is out of its
 * time knocks as one, too.
 * @throws ChimeError `join.*`, `token.*`, `renew.*`, `member.*`
 */
export async function answerStranger(
  method: string,
  params: unknown,
  options: DoorOptions,
): Promise<JoinAnswer | RenewAnswer> {
  if (method === "renew") return renew(params, options);
  const { credentials, secrets, state, coordinator, binaryVersion } = options;
  const { identity } = credentials();
  if (method !== "join") throw refused("join.bad_request", "a node that is no member can only ask to join");
  const version = v.safeParse(joinVersion, params);
  if (!version.success) throw refused("join.bad_request", "the request to join cannot be read");
  checkVersion(version.output, binaryVersion);
  const request = v.safeParse(joinRequest, params);
  if (!request.success) throw refused("join.bad_request", "the request to join cannot be read");
  if (!signer(credentials())) {
    // It must not even pass the answer on: the CA key is in it.
    throw failed("join.witness", `${identity.self.name} does not hold the CA and can admit nobody`, {
      remedy: "use a token with the address of a member that is not a witness",
    });
  }
  const { index, certificate } = await coordinator.admit(request.output);
  // Read only now: a rotation may have gone on meanwhile.
  const { keyRing, rollover } = credentials();
  const authority = signer(credentials());
  const trusted = isWitness(request.output.roles)
    ? {}
    : { caKey: authority?.key, secrets: secretsCopy(secrets()) };
  const given = {
    cluster: identity.cluster,
    index,
    certificate,
    ca: signingCa(credentials()),
    rollover,
    gossipKey: sealingKey(keyRing).secret.toString("base64"),
    keyRing,
  };
  return { ...given, ...trusted, state: state.forJoiner() };
}

/**
 * A certificate names an admission that still holds, and the key is the admitted one: whoever has that is the member, and
 * only the dates are new.
 */
function renew(params: unknown, { credentials, state, clock, refused: tell }: DoorOptions): RenewAnswer {
  const { identity, rollover } = credentials();
  const authority = signer(credentials());
  const request = v.safeParse(renewRequest, params);
  const admission = request.success ? state.admission(request.output.index) : undefined;
  if (!request.success || !admission)
    throw refused("renew.bad_request", "this certificate cannot be renewed");
  const { index, wall, possession } = request.output;
  if (!verifyFields(admission.publicKey, renewalFields(identity.cluster.id, index, wall), possession)) {
    throw refused("renew.bad_request", "the request is not signed by that member's key");
  }
  if (admission.left) throw removed(admission.name);
  try {
    checkClock(admission.name, wall, clock.wall());
  } catch (error) {
    tell(index, (error as Error).message);
    throw error;
  }
  if (!authority) {
    throw failed("renew.witness", `${identity.self.name} does not hold the CA and can sign no certificate`);
  }
  return { certificate: certifyNode(authority, identity.cluster, admission, clock.wall()), rollover };
}

function secretsCopy(secrets: Secrets): Record<string, Record<string, string>> {
  return Object.fromEntries(Object.entries(secrets).map(([role, table]) => [role, { ...table }]));
}
