import type { MemberView, Phase } from "../../../src/cluster/types.ts";
import type { Published } from "../../../src/roles/influxdb/published.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { sampleFacts, sampleMember } from "../../samples.ts";

export interface Said extends Partial<Published> {
  phase?: Phase;
  liveness?: MemberView["state"];
  silent?: boolean;
}

/** One of the twins that serves, or what is different of it. */
export function twinNode(index: number, said: Said = {}): MemberView {
  const { phase = "ready", liveness = "alive", silent, ...own } = said;
  const published: Published = {
    state: "serving",
    joined: true,
    tls: false,
    read: false,
    eligible: true,
    gap: null,
    uncompared_before: null,
    binary: null,
    detail: null,
    remedy: null,
    ...own,
  };
  return {
    ...sampleMember({ name: `node${index}`, index, address: `10.0.0.${10 + index}` }),
    roles: ["influxdb"],
    phase: { influxdb: phase },
    roleState: silent ? {} : { influxdb: published },
    state: liveness,
    silentMs: 0,
    refused: null,
  };
}

/** The first of these nodes. */
export function twinContext(members: readonly MemberView[], toml = ""): RoleContext {
  const [self] = members;
  if (!self) throw new Error("a context is somebody's");
  return {
    spec: parseSpec(`[roles.influxdb]\nvip = "10.0.0.40"\n${toml}`, "cluster.toml"),
    cluster: { name: "chime", id: "1" },
    self,
    members,
    facts: sampleFacts,
    secrets: { influxdb: { token: "T".repeat(32), password: "P".repeat(32) } },
  };
}
