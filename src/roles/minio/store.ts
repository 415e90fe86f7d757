import { ChimeError, failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";
import { encodeQuery, signed, type Credentials } from "./signature.ts";
import { storeError } from "./store-error.ts";

/** Where a store answers, and as whom it is asked. */
export interface Store {
  /** What is connected to: a node's address or the VIP. */
  address: string;
  port: number;
  /** What it is called in the request, and in its certificate; default: the address. */
  name?: string | undefined;
  /** The authority that its certificate has to come from, PEM; without, plain HTTP is spoken. */
  ca?: string | undefined;
  credentials: Credentials;
}

export interface Limits {
  /** From the call to the last byte of the answer, ms: a store without quorum does not answer at all. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Asked {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Encoded: see `encodePath`. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** An answer that is longer is none. Default 4 MiB. */
  maxBytes?: number;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

const defaultMaxBytes = 4 << 20;

/**
 * One signed request, never sent twice and never led elsewhere.
 * @throws ChimeError `minio.unreachable`, `minio.timeout`, `minio.answer`; what the store answers is the caller's to judge
 */
export async function ask(store: Store, asked: Asked, { timeoutMs, signal }: Limits): Promise<Answer> {
  const { method, path, query = {} } = asked;
  const host = authority(store.name ?? store.address, store.port);
  const body = typeof asked.body === "string" ? new TextEncoder().encode(asked.body) : asked.body;
  const request = {
    method,
    path,
    query,
    headers: { ...asked.headers, host },
    body: body ?? new Uint8Array(),
  };
  const url = `${store.ca ? "https" : "http"}://${authority(store.address, store.port)}${path}?${encodeQuery(query)}`;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    const response = await fetch(url, {
      method,
      headers: signed(request, store.credentials, Date.now()),
      ...(body && { body }),
      redirect: "manual",
      // One that was kept may be dead since a power cut, or be closed by the store at this very moment.
      keepalive: false,
      signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
      // Bun's own: nothing of the environment comes between, and the certificate is the name's.
      ...({ proxy: false, decompress: false } as object),
      ...(store.ca && { tls: { ca: store.ca, serverName: store.name ?? store.address } }),
    });
    const { status, headers } = response;
    return { status, headers, body: await bounded(store, response, asked.maxBytes ?? defaultMaxBytes) };
  } catch (cause) {
    signal?.throwIfAborted();
    if (limit.signal.aborted) {
      throw failed("minio.timeout", `${whereOf(store)} did not answer within ${timeoutMs / 1000} s`, {
        remedy: "chime-node status",
        cause,
      });
    }
    throw cause instanceof ChimeError ? cause : unreachable(store, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** The same, with whatever is no success as an error. @throws ChimeError `minio.*` */
export async function askWell(store: Store, asked: Asked, limits: Limits): Promise<Answer> {
  const answer = await ask(store, asked, limits);
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw storeError(whereOf(store), asked, answer);
}

/** `http://node1.chime.com:9000`: how others are told of it. */
export function originOf(store: Store): string {
  return `${store.ca ? "https" : "http"}://${authority(store.name ?? store.address, store.port)}`;
}

export function textOf({ body }: Answer): string {
  return new TextDecoder().decode(body);
}

/** For messages. */
export function whereOf({ address, port }: Store): string {
  return `the store at ${authority(address, port)}`;
}

function authority(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function unreachable(store: Store, cause: unknown): ChimeError {
  const { message = String(cause) } = cause as Partial<Error>;
  return failed("minio.unreachable", mask(`${whereOf(store)} cannot be reached: ${message}`), {
    remedy: "chime-node status",
    cause,
  });
}

async function bounded(store: Store, response: Response, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > maxBytes) {
      throw failed("minio.answer", `${whereOf(store)} answers with more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
