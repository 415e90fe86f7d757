import * as v from "valibot";
import { failed, refused } from "../core/errors.ts";
import type { Secrets } from "../spec/types.ts";
import { checkVersion, isWitness } from "./admission.ts";
import type { Coordinator } from "./coordinator.ts";
import type { Credentials } from "./identity.ts";
import { joinRequest, joinVersion, type JoinAnswer } from "./schema.ts";
import type { SharedState } from "./state.ts";

export interface DoorOptions {
  credentials: () => Credentials;
  secrets: () => Secrets;
  state: SharedState;
  coordinator: Coordinator;
  binaryVersion: string;
}

/**
 * What a stranger gets to hear: the answer to a request to join, or why not.
 * @throws ChimeError `join.*`, `token.*`
 */
export async function answerStranger(
  method: string,
  params: unknown,
  options: DoorOptions,
): Promise<JoinAnswer> {
  const { credentials, secrets, state, coordinator, binaryVersion } = options;
  const { identity, ca, caKey, gossipKey } = credentials();
  if (method !== "join") throw refused("join.bad_request", "a node that is no member can only ask to join");
  const version = v.safeParse(joinVersion, params);
  if (!version.success) throw refused("join.bad_request", "the request to join cannot be read");
  checkVersion(version.output, binaryVersion);
  const request = v.safeParse(joinRequest, params);
  if (!request.success) throw refused("join.bad_request", "the request to join cannot be read");
  if (!caKey) {
    // It must not even pass the answer on: the CA key is in it.
    throw failed("join.witness", `${identity.self.name} is a witness and can admit nobody`, {
      remedy: "use a token with the address of a member that is not a witness",
    });
  }
  const { index, certificate } = await coordinator.admit(request.output);
  const trusted = isWitness(request.output.roles) ? {} : { caKey, secrets: secretsCopy(secrets()) };
  return { cluster: identity.cluster, index, certificate, ca, gossipKey, ...trusted, state: state.parts() };
}

function secretsCopy(secrets: Secrets): Record<string, Record<string, string>> {
  return Object.fromEntries(Object.entries(secrets).map(([role, table]) => [role, { ...table }]));
}
