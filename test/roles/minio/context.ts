import type { MemberView, Phase } from "../../../src/cluster/types.ts";
import { newStanding } from "../../../src/roles/minio/mirror/standing.ts";
import type { Published } from "../../../src/roles/minio/published.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { sampleFacts, sampleMember } from "../../samples.ts";

export interface Said extends Partial<Published> {
  /** Default: `nodeINDEX`. */
  name?: string;
  phase?: Phase;
  liveness?: MemberView["state"];
  silent?: boolean;
}

const whole = { total: 3, online: 3, healing: 0 };

/** What every node of three sees while nothing is wrong. */
export const allSeen: NonNullable<Published["seen"]> = {
  nodes: [1, 2, 3].map((slot) => ({ slot, drives: whole })),
  capacity: { total: 9e12, free: 8e12 },
};

export type Mirror = NonNullable<Published["mirror"]>;

/** What a store of a mirror says while nothing is wrong. */
export const mirrorWell: Mirror = {
  ...newStanding,
  current: true,
  up: true,
  enabled: true,
  reached: true,
  trouble: null,
};

/** A node of the store that serves, or what is different of it. */
export function storeNode(index: number, said: Said = {}): MemberView {
  const { name = `node${index}`, phase = "ready", liveness = "alive", silent, ...own } = said;
  const published: Published = {
    slot: index,
    state: "serving",
    writable: true,
    seen: allSeen,
    slow: [],
    full: [],
    attached: true,
    owes: false,
    healed: null,
    binary: null,
    detail: null,
    ...own,
  };
  return {
    ...sampleMember({ name, index, address: `10.0.0.${10 + index}` }),
    roles: ["minio"],
    phase: { minio: phase },
    roleState: silent ? {} : { minio: published },
    state: liveness,
    silentMs: 0,
    refused: null,
  };
}

/** The first of these nodes, with a spec of so many. */
export function storeContext(members: readonly MemberView[], toml = "nodes = 3"): RoleContext {
  const [self] = members;
  if (!self) throw new Error("a context is somebody's");
  return {
    spec: parseSpec(`[roles.minio]\nvip = "10.0.0.50"\n${toml}`, "cluster.toml"),
    cluster: { name: "chime", id: "1" },
    self,
    members,
    facts: sampleFacts,
    secrets: { minio: { root_password: "R".repeat(32), secret_key: "S".repeat(32) } },
  };
}
