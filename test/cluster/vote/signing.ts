import { generateKey, signFields, verifyFields } from "../../../src/cluster/pki.ts";
import type { VoterMembership } from "../../../src/cluster/vote/voter.ts";

const witness = "w";
const keys = new Map(["a", "b", witness].map((name) => [name, generateKey()]));

/** What the members a and b and the witness w sign and check, each with a key of its own. */
export function signing(self: string): Pick<VoterMembership, "isWitness" | "sign" | "isSignedBy"> {
  const keyOf = (name: string) => keys.get(name) ?? { publicKey: "", privateKey: "" };
  return {
    isWitness: (name) => name === witness,
    sign: (purpose, fields) => signFields(keyOf(self).privateKey, [purpose, ...fields]),
    isSignedBy: (name, purpose, fields, signature) =>
      name !== witness && verifyFields(keyOf(name).publicKey, [purpose, ...fields], signature),
  };
}
