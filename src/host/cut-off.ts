import * as v from "valibot";
import { exec } from "../core/exec.ts";

/** Ours are those of this priority: after the kernel's own table (0), before all others (32766). */
const priority = "8820";
const timeoutMs = 5_000;

/** A TCP port of another machine. */
export interface Endpoint {
  address: string;
  port: number;
}

/**
 * Tells this machine's programs that another machine's port is gone: connections to and from it end at once with an
 * error (sock_diag(7), SOCK_DESTROY), and new ones fail without waiting. A machine that has lost its power says neither,
 * and a program that knows no better waits for it, often for a minute. Doing it twice is no error; one that fails has
 * changed nothing.
 * @throws ChimeError `exec.failed`
 */
export async function cutOff(endpoint: Endpoint): Promise<void> {
  const { address, port } = endpoint;
  // 2: it is there already.
  await exec(["ip", "rule", "add", ...selector(endpoint), "unreachable"], { ok: [0, 2], timeoutMs });
  const at = ["dst", address, "and", "(", "dport", "=", `:${port}`, "or", "sport", "=", `:${port}`, ")"];
  try {
    await exec(["ss", "-K", "-Htn", ...at], { timeoutMs });
  } catch (error) {
    await letThrough(endpoint);
    throw error;
  }
}

/** Lets new connections go there again. Doing it twice is no error. @throws ChimeError `exec.failed` */
export async function letThrough(endpoint: Endpoint): Promise<void> {
  await exec(["ip", "rule", "del", ...selector(endpoint)], { ok: [0, 2], timeoutMs });
}

/** The protocol by its number: a minimal system knows no names of protocols. */
function selector({ address, port }: Endpoint): string[] {
  return ["priority", priority, "to", `${address}/32`, "ipproto", "6", "dport", String(port)];
}

const rules = v.array(
  v.object({
    dst: v.optional(v.string()),
    dport: v.optional(v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))])),
  }),
);

/** What is cut off now, by whichever run of this program. @throws ChimeError `exec.failed` */
export async function cutOffNow(): Promise<Endpoint[]> {
  const { stdout } = await exec(["ip", "-j", "rule", "show", "priority", priority], { timeoutMs });
  return parseRules(stdout);
}

/** Where nobody watches any more. @throws ChimeError `exec.failed` */
export async function letAllThrough(): Promise<void> {
  for (const endpoint of await cutOffNow()) await letThrough(endpoint);
}

/** Pure: `ip -j rule show`. */
export function parseRules(json: string): Endpoint[] {
  return v
    .parse(rules, JSON.parse(json.trim() || "[]"))
    .flatMap(({ dst, dport }) =>
      dst !== undefined && dport !== undefined ? [{ address: dst, port: dport }] : [],
    );
}
