import { authority } from "../../core/authority.ts";
import {
  addressOf,
  direct,
  isGood,
  whole,
  type Answer,
  type Endpoint,
  type Limit,
  type Limits,
  type Whose,
} from "../http.ts";
import { encodeQuery, signed, type Credentials } from "./signature.ts";
import { storeError } from "./store-error.ts";

/** Where a store answers, and as whom it is asked. One without quorum does not answer at all. */
export interface Store extends Endpoint {
  credentials: Credentials;
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

/**
 * One signed request, never sent twice and never led elsewhere.
 * @throws ChimeError `minio.unreachable`, `minio.timeout`, `minio.answer`; what the store answers is the caller's to judge
 */
export async function ask(store: Store, asked: Asked, limits: Limits): Promise<Answer> {
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
  const whose: Whose = { role: "minio", where: whereOf(store) };
  const send = ({ signal }: Limit) =>
    fetch(`${addressOf(store)}${path}?${encodeQuery(query)}`, {
      method,
      headers: signed(request, store.credentials, Date.now()),
      ...(body && { body }),
      // One that was kept may be dead since a power cut, or be closed by the store at this very moment.
      keepalive: false,
      signal,
      ...direct(store),
      // Bun's own.
      ...({ decompress: false } as object),
    });
  return await whole(whose, limits, send, asked.maxBytes);
}

/** The same, with whatever is no success as an error. @throws ChimeError `minio.*` */
export async function askWell(store: Store, asked: Asked, limits: Limits): Promise<Answer> {
  const answer = await ask(store, asked, limits);
  if (isGood(answer.status)) return answer;
  throw storeError(whereOf(store), asked, answer);
}

export function textOf({ body }: Answer): string {
  return new TextDecoder().decode(body);
}

/** For messages. */
export function whereOf({ address, port }: Store): string {
  return `the store at ${authority(address, port)}`;
}
