import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { authority } from "../../core/authority.ts";
import {
  addressOf,
  bounded,
  direct,
  isGood,
  Limit,
  whole,
  type Answer,
  type Endpoint,
  type Limits,
  type Whose,
} from "../http.ts";
import { clientError } from "./client-error.ts";

/** Where a server answers, and as whom it is asked. */
export interface Server extends Endpoint {
  /** Undefined before the setup, and for what needs none. */
  token?: string | undefined;
  /** The organisation's name. Names are the same on both twins, IDs are not. */
  org: string;
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

/** Enough of a refusal for its first words. */
const maxRefusalBytes = 64 << 10;

/**
 * One request on a kept connection, never led elsewhere.
 * @throws ChimeError `influxdb.unreachable`, `influxdb.timeout`, `influxdb.answer`; what the server answers is the caller's to judge
 */
export async function ask(server: Server, asked: Asked, limits: Limits): Promise<Answer> {
  return await whole(whoseOf(server), limits, (limit) => send(server, asked, limit), asked.maxBytes);
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
  const limit = new Limit(whoseOf(server), limits);
  try {
    const response = await send(server, asked, limit);
    if (!isGood(response.status)) {
      const body = await bounded(whoseOf(server), response, maxRefusalBytes);
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

const whoseOf = (server: Server): Whose => ({ role: "influxdb", where: whereOf(server) });

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
  return fetch(`${addressOf(server)}${asked.path}${query && `?${query}`}`, {
    method: asked.method,
    headers: { ...(server.token && { authorization: `Token ${server.token}` }), ...asked.headers },
    ...(asked.body !== undefined && { body: asked.body }),
    keepalive,
    signal,
    ...direct(server),
  });
}
