import type { Agenda } from "./agenda.ts";

/** How a network treats datagrams; TCP suffers by delay alone. All times are ms. */
export interface Weather {
  /** Share that is lost, each way. */
  loss: number;
  /** Every datagram's least way, and what comes on top at random: it reorders them. */
  delayMs: number;
  jitterMs: number;
  /** Share that comes twice. */
  twice: number;
}

export const fair: Weather = { loss: 0, delayMs: 0.5, jitterMs: 0.5, twice: 0 };
/** Lost segments are sent again after this long, as TCP does. */
const againMs = 200;

/** Carries datagrams, and questions over TCP, between the nodes 1 to n. */
export class Network {
  weather: Weather = fair;
  private readonly agenda: Agenda;
  private readonly random: () => number;
  private readonly size: number;
  /** One-way cuts: from · size + to. */
  private readonly cuts: Uint8Array;
  private readonly noUdpFrom = new Set<number>();
  private readonly noUdpTo = new Set<number>();

  constructor(agenda: Agenda, random: () => number, nodes: number) {
    this.agenda = agenda;
    this.random = random;
    this.size = nodes + 1;
    this.cuts = new Uint8Array(this.size * this.size);
  }

  cut(from: number, to: number): void {
    this.cuts[from * this.size + to] = 1;
  }

  /** A firewall drops a node's datagrams: those that it sends, those to it, or both. */
  blockUdp(node: number, which: "inward" | "outward" | "both" = "both"): void {
    if (which !== "inward") this.noUdpFrom.add(node);
    if (which !== "outward") this.noUdpTo.add(node);
  }

  heal(): void {
    this.cuts.fill(0);
    this.noUdpFrom.clear();
    this.noUdpTo.clear();
  }

  open(from: number, to: number): boolean {
    return this.cuts[from * this.size + to] === 0;
  }

  datagram(from: number, to: number, arrive: () => void): void {
    const { loss, twice } = this.weather;
    if (!this.open(from, to) || this.noUdpFrom.has(from) || this.noUdpTo.has(to)) return;
    if (loss > 0 && this.random() < loss) return;
    this.agenda.after(this.wayMs(), arrive);
    if (twice > 0 && this.random() < twice) this.agenda.after(this.wayMs(), arrive);
  }

  /** One message over TCP. It needs both ways, as its acknowledgements go back. */
  stream(from: number, to: number, arrive: () => void): void {
    if (!this.open(from, to) || !this.open(to, from)) return;
    let ms = 2 * this.wayMs();
    while (this.random() < this.weather.loss) ms += againMs;
    this.agenda.after(ms, arrive);
  }

  private wayMs(): number {
    return this.weather.delayMs + this.weather.jitterMs * this.random();
  }
}
