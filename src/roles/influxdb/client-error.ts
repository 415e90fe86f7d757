import * as v from "valibot";
import { failed, type ChimeError } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";
import { oneLine } from "../http.ts";

const status = "chime-node status";
const apply = "chime-node apply --role influxdb";

/** By the status: ours, and what to do. What is not here is `influxdb.refused`. */
const known: Record<number, [code: string, remedy: string]> = {
  401: ["influxdb.denied", "chime-node secrets show --role influxdb"],
  403: ["influxdb.denied", "chime-node secrets show --role influxdb"],
  404: ["influxdb.missing", apply],
  413: ["influxdb.too_large", "write less at once"],
  // Of a write: the good lines were stored.
  422: ["influxdb.partial", status],
  429: ["influxdb.busy", status],
  500: ["influxdb.broken", status],
  503: ["influxdb.starting", status],
};

/** Words of a server whose engine stays closed until a restart: its disk is or was full, or nothing can be written to it [tried]. */
const stuck = [
  [
    /read-only/i,
    "influxdb.read_only",
    "journalctl --dmesg on that node says why; it has to be mounted writable",
  ],
  [/no space left|engine is closed/i, "influxdb.full", "make room on the disk: df -h"],
] as const;

const refusalSchema = v.object({ code: v.optional(v.string(), ""), message: v.optional(v.string(), "") });
const queryRefusalSchema = v.object({ error: v.string() });

/** What was asked and why it was not done, without a secret in it. */
export function clientError(
  where: string,
  asked: { method: string; path: string },
  answer: { status: number; body: Uint8Array },
): ChimeError {
  const why = refusalOf(answer.body);
  const [, code, remedy] = stuck.find(([words]) => words.test(why)) ?? [
    why,
    ...(known[answer.status] ?? ["influxdb.refused", status]),
  ];
  const reason = why || `status ${answer.status}`;
  return failed(code, mask(`${where} refuses ${asked.method} ${asked.path}: ${reason}`), remedy);
}

/** What the server says of why not: somebody else's text, so one short line of it. */
function refusalOf(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 16_384));
  const parse = (schema: typeof refusalSchema | typeof queryRefusalSchema) =>
    v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  const query = parse(queryRefusalSchema);
  if (query.success && "error" in query.output) return oneLine(query.output.error);
  const refusal = parse(refusalSchema);
  if (!refusal.success || !("message" in refusal.output)) return oneLine(text);
  const { code, message } = refusal.output;
  return oneLine(code && message ? `${code}: ${message}` : code || message);
}
