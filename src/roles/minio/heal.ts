import * as v from "valibot";
import { systemClock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import { askJson } from "./admin.ts";
import type { Limits } from "../http.ts";
import { whereOf, type Store } from "./store.ts";

const drives = v.optional(
  v.object({ drives: v.nullish(v.array(v.object({ state: v.optional(v.string(), "unknown") })), []) }),
  { drives: [] },
);

const startSchema = v.object({ clientToken: v.string() });
const statusSchema = v.object({
  /** `not started`, `running`, `stopped` or `finished`. */
  Summary: v.string(),
  Detail: v.optional(v.string(), ""),
  Items: v.nullish(v.array(v.object({ object: v.optional(v.string(), ""), after: drives })), []),
});

/** What a heal found and left behind. */
export interface Healed {
  /** Looked at: objects, and what the store keeps for itself. */
  items: number;
  /** Of these, the ones of which some drive still lacks its part. */
  partial: number;
}

/** The engine holds so many results until somebody fetches them. */
const pollMs = 200;

/**
 * Has every object (or those of a bucket whose keys begin with `prefix`) looked at on every drive that the asked server
 * uses, and parts that a drive lacks made anew. Lasts until all were looked at; nothing else notices soon what was
 * written while a drive was away. `limits` hold for each request.
 * @throws ChimeError `minio.*`
 */
export async function heal(
  store: Store,
  limits: Limits,
  part?: { bucket: string; prefix: string },
): Promise<Healed> {
  const call = part ? `heal/${part.bucket}/${part.prefix}` : "heal/";
  const settings = { recursive: true, dryRun: false, remove: false, recreate: false, scanMode: 1 };
  const begin = { method: "POST" as const, query: { forceStart: "true" }, body: JSON.stringify(settings) };
  const { clientToken } = await askJson(store, call, startSchema, begin, limits);
  const healed: Healed = { items: 0, partial: 0 };
  for (;;) {
    const asked = { method: "POST" as const, query: { clientToken } };
    const status = await askJson(store, call, statusSchema, asked, limits);
    for (const { after } of status.Items ?? []) {
      healed.items++;
      if ((after.drives ?? []).some(({ state }) => state !== "ok")) healed.partial++;
    }
    if (status.Summary === "finished") return healed;
    if (status.Summary === "stopped") {
      throw failed("minio.heal", `${whereOf(store)} stopped healing: ${status.Detail}`, "chime-node status");
    }
    await systemClock.sleep(pollMs, limits.signal);
  }
}
