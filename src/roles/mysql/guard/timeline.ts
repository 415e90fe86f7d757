import type { Clock } from "../../../core/clock.ts";
import type { Happening } from "../../happening.ts";
import type { VipState } from "../../../vip/fifo.ts";
import type { Step, View } from "./view.ts";

/** What the guard did, told as turns: a promotion with its steps, a demotion, a quarantine. Decides nothing. */
export class Timeline {
  readonly #clock: Pick<Clock, "now">;
  readonly #record: (happening: Happening) => void;
  #takeover: { since: number; steps: { do: string; ms: number }[]; before: string } | undefined;
  #vipAt: number | undefined;
  #quarantine: string | null = null;

  constructor(clock: Pick<Clock, "now">, record: (happening: Happening) => void) {
    this.#clock = clock;
    this.#record = record;
  }

  /** The VIP's arrival is when a promotion begins; its loss ends one that did not get through. */
  onVip(state: VipState): void {
    this.#vipAt = state === "MASTER" ? this.#clock.now() : undefined;
    this.#takeover = undefined;
  }

  /**
   * To be told of each step.
   * @param view what it was decided by
   * @param done false where it was merely tried
   */
  took(step: Step, view: View, done: boolean, startedAt: number, quarantine: string | null): void {
    const ms = Math.max(0, this.#clock.now() - startedAt);
    const { server } = view;
    if (quarantine === null) this.#quarantine = null;
    if (quarantine !== null && quarantine !== this.#quarantine) {
      this.#quarantine = quarantine;
      this.#record({ kind: "quarantine", message: `${view.self} stays out: only it holds ${quarantine}` });
    }
    if ("down" in server) return;
    if (!server.readOnly) {
      if (stops.includes(step.do) && done) {
        this.#takeover = undefined;
        this.#record({
          kind: "demotion",
          message: `${view.self} stopped writing${reason(view)}`,
          seconds: seconds(ms),
          steps: [{ do: step.do, ms: Math.round(ms) }],
        });
      }
      return;
    }
    if (view.vip !== "MASTER" || step.do === "follow") return;
    this.#takeover ??= { since: this.#vipAt ?? startedAt, steps: [], before: predecessor(view) };
    add(this.#takeover.steps, step.do, ms);
    if (step.do === "open" && done) this.#opened(view);
  }

  #opened({ self }: View): void {
    if (!this.#takeover) return;
    const { since, steps, before } = this.#takeover;
    this.#takeover = undefined;
    this.#record({
      kind: "promotion",
      message: `${self} writes${before}`,
      seconds: seconds(this.#clock.now() - since),
      steps: steps.map((step) => ({ do: step.do, ms: Math.round(step.ms) })),
    });
  }
}

const stops: readonly string[] = ["fence", "kill"];

/** A step that is tried until it is done is one step. */
function add(steps: { do: string; ms: number }[], name: string, ms: number): void {
  const last = steps.at(-1);
  if (last?.do === name) last.ms += ms;
  else steps.push({ do: name, ms });
}

/** What was known of the writer before, as the end of a sentence. */
function predecessor({ self, term, peers }: View): string {
  if (!term || (term.term === 1 && term.writer === self)) return ", the first of all";
  if (term.writer === self) return " again";
  const peer = peers.find(({ name }) => name === term.writer);
  if (!peer || peer.state === "left") return ` in place of ${term.writer}, which left`;
  if (peer.state !== "alive") return ` in place of ${term.writer}, which was silent`;
  if (peer.said?.state === "down") return ` in place of ${term.writer}, whose server was down`;
  return ` in place of ${term.writer}, which stepped back`;
}

function reason({ self, term, standDown, vip }: View): string {
  if (standDown) return ", as it was asked to";
  if (term && term.writer !== self) return `: ${term.writer} has a newer term`;
  return vip === "MASTER" ? "" : ": the VIP went away";
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
