import type { Identity, MemberView, SpecDocument } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { paths } from "../core/paths.ts";
import type { Facts } from "../host/facts.ts";
import type { RoleContext } from "../roles/types.ts";
import { parseSpec } from "../spec/load.ts";
import type { Spec } from "../spec/types.ts";

/**
 * Everything that roles derive resources from.
 * @throws ChimeError `node.removed`; config errors when the spec was published by a newer version
 */
export function buildContext(input: {
  identity: Identity;
  secrets: RoleContext["secrets"];
  facts: Facts;
  members: readonly MemberView[];
  spec: SpecDocument;
}): RoleContext {
  const members = input.members.filter((member) => !member.left).sort((a, b) => a.index - b.index);
  const self = members.find((member) => member.name === input.identity.self.name);
  if (!self) throw refused("node.removed", "this node was removed from the cluster", "chime-node reset");
  return {
    spec: specOf(input.spec.toml),
    cluster: input.identity.cluster,
    self,
    members,
    facts: input.facts,
    secrets: input.secrets,
  };
}

let parsed: { toml: string; spec: Spec } | undefined;

/** The agent asks many times a second, and the text changes once a month. */
function specOf(toml: string): Spec {
  if (parsed?.toml !== toml) parsed = { toml, spec: parseSpec(toml, paths.clusterToml) };
  return parsed.spec;
}
