import * as v from "valibot";
import { ChimeError, failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";
import { oneLine } from "../http.ts";

/** What a store says of why not. Errors of S3 come as XML, those of the admin API as JSON. */
interface Refusal {
  code: string;
  message: string;
}

/** By the store's own code: ours, and what to do. What is not here is `minio.refused`. */
const known = new Map(
  Object.entries<readonly [code: string, remedy: string]>({
    NoSuchBucket: ["minio.no_bucket", "chime-node apply --role minio"],
    NoSuchKey: ["minio.no_object", "ask for another object"],
    NoSuchLifecycleConfiguration: ["minio.no_rules", "give the bucket lifecycle rules"],
    AccessDenied: ["minio.denied", "chime-node secrets show --role minio"],
    InvalidAccessKeyId: ["minio.denied", "chime-node secrets show --role minio"],
    SignatureDoesNotMatch: ["minio.denied", "chime-node secrets show --role minio"],
    XMinioInvalidIAMCredentials: ["minio.no_account", "chime-node apply --role minio"],
    RequestTimeTooSkewed: ["minio.clock", "set this node's clock: timedatectl"],
    SlowDownRead: ["minio.no_quorum", "chime-node status"],
    SlowDownWrite: ["minio.no_quorum", "chime-node status"],
    XMinioServerNotInitialized: ["minio.starting", "chime-node status"],
    XMinioStorageFull: ["minio.full", "make room, or add disks: chime-node status"],
  }),
);

/** It cannot be asked now, and what is in it stays as it is. */
const silent = new Set(["minio.unreachable", "minio.timeout", "minio.starting", "minio.no_quorum"]);

export function isSilence(error: unknown): boolean {
  return error instanceof ChimeError && silent.has(error.code);
}

/** Enough of an answer for its first words. */
const looked = 16_384;

/** What was asked and why it was not done, without a secret in it. */
export function storeError(
  where: string,
  asked: { method: string; path: string },
  answer: { status: number; body: Uint8Array },
): ChimeError {
  const refusal = refusalOf(answer.body);
  const why = refusal ? `${refusal.code}: ${refusal.message}` : `status ${answer.status}`;
  const [code, remedy] = known.get(refusal?.code ?? "") ?? byStatus(asked.method, answer.status, refusal);
  return failed(code, mask(`${where} refuses ${asked.method} ${asked.path}: ${why}`), remedy);
}

/** HEAD is answered without a body, and a proxy in front has none of the store's codes. */
function byStatus(
  method: string,
  status: number,
  refusal: Refusal | undefined,
): [code: string, remedy: string] {
  if (status === 403) return ["minio.denied", "chime-node secrets show --role minio"];
  if (status === 404 && method === "HEAD") return ["minio.no_object", "ask for another object"];
  return [status === 503 && !refusal ? "minio.no_quorum" : "minio.refused", "chime-node status"];
}

const refusalSchema = v.object({ Code: v.string(), Message: v.string() });

/** The store's code and message; undefined where it says neither. The text is somebody else's: one short line of it. */
export function refusalOf(body: Uint8Array): Refusal | undefined {
  const text = new TextDecoder().decode(body.subarray(0, looked)).trim();
  if (text.startsWith("<")) {
    const code = xmlText(text, "Code");
    return code === undefined ? undefined : refusal(code, xmlText(text, "Message") ?? "");
  }
  try {
    const { Code, Message } = v.parse(refusalSchema, JSON.parse(text));
    return refusal(Code, Message);
  } catch {
    return undefined;
  }
}

function refusal(code: string, message: string): Refusal {
  return { code: oneLine(code, 64), message: oneLine(message) };
}

const entities = new Map(Object.entries({ lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" }));

/** The text of the first element of that name that has no elements in it. */
export function xmlText(xml: string, name: string): string | undefined {
  return xmlTexts(xml, name)[0];
}

/** The same of all of them. What a store lists is flat, so that this is all the XML there is to know. */
export function xmlTexts(xml: string, name: string): string[] {
  const found = xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"));
  return Array.from(found, ([, text = ""]) => text.replace(/&(?:(\w+)|#(\d+)|#x([\da-f]+));/gi, unescaped));
}

function unescaped(whole: string, name?: string, decimal?: string, hex?: string): string {
  if (name !== undefined) return entities.get(name) ?? whole;
  const code = Number.parseInt(decimal ?? hex ?? "", decimal === undefined ? 16 : 10);
  return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
}
