import type { Member } from "../../../cluster/types.ts";
import type { Problem } from "../../guard.ts";
import { askPage } from "./health.ts";

/** As far apart as a join allows (cluster/admission.ts). Of two states of an object the later one by these clocks wins. */
const allowedMs = 60_000;
/** A server tells the second, and one that is busy tells it late. */
const answerMs = 2_000;

type Server = Parameters<typeof askPage>[0];
type Node = Pick<Member, "name" | "address">;

/**
 * Whether the clocks of the store's nodes agree: they did when each joined, and nothing has kept them together since.
 * Each server tells the time with every answer. Of two nodes the one with the smaller name speaks.
 */
export class Clocks {
  /** By node, ms ahead of this one's. */
  #ahead = new Map<string, number>();

  /** @param ca of the store's certificates; without, it speaks plain HTTP */
  async look(
    self: Node,
    nodes: readonly Node[],
    signal: AbortSignal,
    { port, ca }: { port?: number; ca?: string | undefined } = {},
  ): Promise<void> {
    const others = nodes.filter(({ name }) => name > self.name);
    const found = await Promise.all(
      others.map(
        async ({ name, address }) =>
          [name, await aheadOf({ address, ca, ...(port && { port }) }, signal)] as const,
      ),
    );
    this.#ahead = new Map(found.filter((one): one is [string, number] => one[1] !== null));
  }

  problems(self: string): Problem[] {
    const apart = [...this.#ahead].filter(([, ms]) => Math.abs(ms) > allowedMs);
    return apart.map(([name, ms]) => ({
      code: "minio.clock",
      severity: "error",
      node: `${self}, ${name}`,
      message: `the clock of ${name} is ${minutes(ms)} ${ms > 0 ? "ahead of" : "behind"} that of ${self}: of two states of an object the older one may win, and from 15 minutes on the servers refuse each other`,
      remedy: "set the clock that is wrong, best by running chrony or systemd-timesyncd on every node",
    }));
  }
}

/** Null where nobody says. */
async function aheadOf(server: Server, signal: AbortSignal): Promise<number | null> {
  const asked = Date.now();
  const response = await askPage(server, "live", AbortSignal.any([signal, AbortSignal.timeout(answerMs)]));
  const told = Date.parse(response?.headers.get("date") ?? "");
  return Number.isNaN(told) ? null : told - (asked + Date.now()) / 2;
}

const minutes = (ms: number): string => {
  const count = Math.round(Math.abs(ms) / 60_000);
  return count === 1 ? "a minute" : `${count} minutes`;
};
