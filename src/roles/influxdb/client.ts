import * as v from "valibot";
import { ChimeError, failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";
import { clientError } from "./client-error.ts";

/** Where a server answers, and as whom it is asked. */
export interface Server {
  /** What is connected to: a node's address or the VIP. */
  address: string;
  port: number;
  /** What its certificate calls it; default: the address. */
  name?: string | undefined;
  /** The authority that its certificate has to come from, PEM; without, plain HTTP is spoken. */
  ca?: string | undefined;
  /** Undefined before the setup, and for what needs none. */
  token?: string | undefined;
  /** The organisation's name. Names are the same on both twins, IDs are not. */
  org: string;
}

export interface Limits {
  /** From the call to the last byte of the answer, ms; of a stream, until it begins and from piece to piece. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Asked {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** An answer that is longer is none. Default 4 MiB. */
  maxBytes?: number;
  /** Doing it twice is doing something else: it gets a connection of its own and is never sent again. */
  once?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

const defaultMaxBytes = 4 << 20;
/** Enough of a refusal for its first words. */
const maxRefusalBytes = 64 << 10;

/**
 * One request on a kept connection, never led elsewhere.
 * @throws ChimeError `influxdb.unreachable`, `influxdb.timeout`, `influxdb.answer`; what the server answers is the caller's to judge
 */
export async function ask(server: Server, asked: Asked, limits: Limits): Promise<Answer> {
  const limit = new Limit(server, limits);
  try {
    const response = await send(server, asked, limit);
    const { status, headers } = response;
    return { status, headers, body: await bounded(server, response, asked.maxBytes ?? defaultMaxBytes) };
  } catch (error) {
    throw limit.explain(error);
  } finally {
    limit.end();
  }
}

/** The same, with whatever is no success as an error. @throws ChimeError `influxdb.*` */
export async function askWell(server: Server, asked: Asked, limits: Limits): Promise<Answer> {
  const answer = await ask(server, asked, limits);
  if (isGood(answer.status)) return answer;
  throw clientError(whereOf(server), asked, answer);
}

/** The same, for what it answers, in the form that is expected. @throws ChimeError `influxdb.*` */
export async function askJson<T>(
  server: Server,
  asked: Asked,
  schema: v.GenericSchema<unknown, T>,
  limits: Limits,
): Promise<T> {
  const { body } = await askWell(server, asked, limits);
  try {
    return v.parse(schema, JSON.parse(new TextDecoder().decode(body)));
  } catch (cause) {
    throw failed(
      "influxdb.answer",
      `${whereOf(server)} answers ${asked.method} ${asked.path} in a form that is not known`,
      { remedy: "use a version of InfluxDB that docs/systems.md names", cause },
    );
  }
}

/**
 * An answer of any length, piece by piece: what is not read yet waits at the server. Whoever stops reading ends it.
 * @throws ChimeError `influxdb.*`, also in the middle
 */
export async function* stream(
  server: Server,
  asked: Asked,
  limits: Limits,
): AsyncGenerator<Uint8Array, void> {
  const limit = new Limit(server, limits);
  try {
    const response = await send(server, asked, limit);
    if (!isGood(response.status)) {
      const body = await bounded(server, response, maxRefusalBytes);
      throw clientError(whereOf(server), asked, { status: response.status, body });
    }
    for await (const piece of response.body ?? []) {
      limit.pause();
      yield piece;
      limit.restart();
    }
  } catch (error) {
    throw limit.explain(error);
  } finally {
    limit.end();
  }
}

/** For messages. */
export function whereOf({ address, port }: Server): string {
  return `the server at ${authority(address, port)}`;
}

/** `http://192.168.231.11:8086`: how clients are told of it. */
export function originOf({ address, port, name, ca }: Omit<Server, "org">): string {
  return `${ca ? "https" : "http"}://${authority(name ?? address, port)}`;
}

function authority(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function isGood(status: number): boolean {
  return status >= 200 && status < 300;
}

/**
 * A server may close a kept connection at this very moment. The runtime knows that of GET alone; all of ours may be sent
 * again, but for those that say so.
 */
async function send(server: Server, asked: Asked, limit: Limit): Promise<Response> {
  try {
    return await sendOnce(server, asked, limit, !asked.once);
  } catch (error) {
    const wasClosed = closed.has((error as { code?: string }).code ?? "");
    if (!wasClosed || asked.once || limit.signal.aborted) throw error;
    return sendOnce(server, asked, limit, false);
  }
}

const closed = new Set(["ECONNRESET", "ConnectionClosed", "EPIPE"]);

async function sendOnce(
  server: Server,
  asked: Asked,
  { signal }: Limit,
  keepalive: boolean,
): Promise<Response> {
  const query = new URLSearchParams(asked.query ?? {}).toString();
  const origin = `${server.ca ? "https" : "http"}://${authority(server.address, server.port)}`;
  return fetch(`${origin}${asked.path}${query && `?${query}`}`, {
    method: asked.method,
    headers: { ...(server.token && { authorization: `Token ${server.token}` }), ...asked.headers },
    ...(asked.body !== undefined && { body: asked.body }),
    redirect: "manual",
    keepalive,
    signal,
    // Bun's own: nothing of the environment comes between, and the certificate is the name's.
    ...({ proxy: false } as object),
    ...(server.ca && { tls: { ca: server.ca, serverName: server.name ?? server.address } }),
  });
}

/** How long a request may still take. */
class Limit {
  readonly #server: Server;
  readonly #limits: Limits;
  readonly #late = new AbortController();
  readonly signal: AbortSignal;
  #timer: Timer | undefined;

  constructor(server: Server, limits: Limits) {
    this.#server = server;
    this.#limits = limits;
    this.signal = limits.signal ? AbortSignal.any([limits.signal, this.#late.signal]) : this.#late.signal;
    this.restart();
  }

  restart(): void {
    this.#timer = setTimeout(() => this.#late.abort(), this.#limits.timeoutMs);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Whatever was not read is let go. */
  end(): void {
    this.pause();
    this.#late.abort();
  }

  /** @throws the reason of the caller's own signal */
  explain(error: unknown): unknown {
    this.#limits.signal?.throwIfAborted();
    if (error instanceof ChimeError) return error;
    const where = whereOf(this.#server);
    const details = { remedy: "chime-node status", cause: error };
    if (this.#late.signal.aborted) {
      const limit = `${this.#limits.timeoutMs / 1000} s`;
      return failed("influxdb.timeout", `${where} did not answer within ${limit}`, details);
    }
    const { message = String(error) } = error as Partial<Error>;
    return failed("influxdb.unreachable", mask(`${where} cannot be reached: ${message}`), details);
  }
}

async function bounded(server: Server, response: Response, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > maxBytes) {
      throw failed("influxdb.answer", `${whereOf(server)} answers with more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}
