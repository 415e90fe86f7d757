import * as v from "valibot";
import { type Heard, type HeardRouter, listenVrrp, VrrpListener } from "../host/vrrp.ts";

/** What was heard on each interface, by its name. */
export type HeardBy = Readonly<Record<string, Heard>>;

const router = v.object({
  virtualRouterId: v.number(),
  sender: v.string(),
  version: v.picklist([2, 3]),
  priority: v.number(),
});
/** The same as another process tells it. */
export const heardBySchema = v.record(v.string(), v.object({ ms: v.number(), routers: v.array(router) }));

/** The kernel's buffer is not full within it, unless somebody floods the network. */
const lookEveryMs = 250;

/** Listens for other VRRP routers wherever a VIP may come to live, until it is closed. */
export class Listening {
  readonly #listeners = new Map<string, VrrpListener>();
  readonly #failures = new Map<string, unknown>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(
    interfaces: readonly { name: string }[],
    open: (interfaceName: string) => VrrpListener = (name) => new VrrpListener(name),
  ) {
    for (const { name } of interfaces) {
      try {
        this.#listeners.set(name, open(name));
      } catch (error) {
        // Whoever asks hears of it.
        this.#failures.set(name, error);
      }
    }
    this.#timer = setInterval(() => {
      for (const listener of this.#listeners.values()) listener.look();
    }, lookEveryMs);
    this.#timer.unref();
  }

  /** What was heard in the last `ms`. */
  heard(ms: number): HeardBy {
    return Object.fromEntries([...this.#listeners].map(([name, listener]) => [name, listener.heard(ms)]));
  }

  /** What another process of this node heard, which has listened until after this one began: it need not be waited for again. */
  add(heard: HeardBy): void {
    for (const [name, what] of Object.entries(heard)) this.#listeners.get(name)?.add(what);
  }

  /** Resolves once it was listened on the interface for `ms`. @throws ChimeError `net.raw_socket`; the signal's reason */
  async until(name: string, ms: number, signal?: AbortSignal): Promise<HeardRouter[]> {
    if (this.#failures.has(name)) throw this.#failures.get(name);
    return this.#listeners.get(name)?.until(ms, signal) ?? listenVrrp(name, ms, signal);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }
}
