import { systemClock } from "../core/clock.ts";
import { agentPort } from "../core/paths.ts";
import { peerUnreachable } from "./channel.ts";
import type { ClusterFiles } from "./files.ts";
import { loadCredentials } from "./identity.ts";
import { OccasionalLinks } from "./occasional.ts";
import type { Admission } from "./schema.ts";
import { SharedState } from "./state.ts";
import { fileStore } from "./store.ts";
import { TlsTransport } from "./tls-transport.ts";
import { trustIn } from "./trust.ts";
import type { SpecDocument } from "./types.ts";

/**
 * The other members as this node's files know them, asked over connections of this process's own: for a node that has
 * just entered and whose agent is not up yet. Nobody knows here who lives.
 */
export class DirectMembers {
  readonly self: { name: string };
  readonly spec: SpecDocument | undefined;
  readonly #others: readonly Admission[];
  readonly #links: OccasionalLinks;

  private constructor(
    self: { name: string },
    state: SharedState,
    others: readonly Admission[],
    links: OccasionalLinks,
  ) {
    this.self = self;
    this.spec = state.spec();
    this.#others = others;
    this.#links = links;
  }

  /** Undefined where this node is in no cluster. @throws ChimeError `identity.damaged`, `state.damaged` */
  static async open(files: ClusterFiles, port: number = agentPort): Promise<DirectMembers | undefined> {
    const [credentials, stored] = await Promise.all([
      loadCredentials(files.pki),
      fileStore(files.state).load(),
    ]);
    if (!credentials || !stored) return undefined;
    const { cluster, self } = credentials.identity;
    const state = new SharedState(cluster.id, trustIn(credentials));
    state.merge(stored.state);
    const others = state.members().filter(({ index, left }) => index !== self.index && !left);
    const transport = new TlsTransport(() => credentials, undefined, port);
    return new DirectMembers(self, state, others, new OccasionalLinks(transport, systemClock));
  }

  members(): { name: string; state: "alive" }[] {
    return this.#others.map(({ name }) => ({ name, state: "alive" }));
  }

  isWitness(name: string): boolean {
    return this.#others.some((other) => other.name === name && other.witness);
  }

  /** @throws ChimeError the member's own, or `peer.*` */
  async call(name: string, method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const target = this.#others.find((other) => other.name === name);
    if (!target) throw peerUnreachable(name, "it is not a member");
    const link = await this.#links.link(target, timeoutMs);
    return await link.request(`call.${method}`, params, timeoutMs);
  }

  close(): void {
    this.#links.stop();
  }
}
