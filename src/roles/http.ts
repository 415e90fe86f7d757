import type { RoleName } from "../cluster/types.ts";
import { authority } from "../core/authority.ts";
import { ChimeError, failed } from "../core/errors.ts";
import { mask } from "../core/mask.ts";

/** Where a role's server answers HTTP. */
export interface Endpoint {
  /** What is connected to: a node's address or the VIP. */
  address: string;
  port: number;
  /** What it is called in the request, and in its certificate; default: the address. */
  name?: string | undefined;
  /** The authority that its certificate has to come from, PEM; without, plain HTTP is spoken. */
  ca?: string | undefined;
}

export interface Limits {
  /** From the call to the last byte of the answer, ms; of a stream, until it begins and from piece to piece. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

/** Whose server it is, and what it is called in messages: its errors are `ROLE.timeout`, `ROLE.unreachable`, `ROLE.answer`. */
export interface Whose {
  role: RoleName;
  where: string;
}

export const isGood = (status: number): boolean => status >= 200 && status < 300;

/** `http://node1.chime.com:9000`: how others are told of it. */
export function originOf({ address, port, name, ca }: Endpoint): string {
  return `${scheme(ca)}://${authority(name ?? address, port)}`;
}

/** What is connected to. */
export function addressOf({ address, port, ca }: Endpoint): string {
  return `${scheme(ca)}://${authority(address, port)}`;
}

const scheme = (ca: string | undefined): string => (ca ? "https" : "http");

/**
 * Never led elsewhere: nothing of the environment comes between, and the certificate is the name's. How long it may take is the
 * caller's to say: Bun's own limit is six minutes [tried]. Partly Bun's own.
 */
export function direct({ address, name, ca }: Endpoint): RequestInit {
  return {
    redirect: "manual",
    ...({ proxy: false, timeout: false } as object),
    ...(ca && { tls: { ca, serverName: name ?? address } }),
  };
}

/** How long a request may still take. */
export class Limit {
  readonly #whose: Whose;
  readonly #limits: Limits;
  readonly #late = new AbortController();
  readonly signal: AbortSignal;
  #timer: Timer | undefined;

  constructor(whose: Whose, limits: Limits) {
    this.#whose = whose;
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
    const { role, where } = this.#whose;
    const details = { remedy: "chime-node status", cause: error };
    if (this.#late.signal.aborted) {
      const limit = `${Math.round(this.#limits.timeoutMs) / 1000} s`;
      return failed(`${role}.timeout`, `${where} did not answer within ${limit}`, details);
    }
    return failed(`${role}.unreachable`, mask(`${where} cannot be reached: ${whyNot(error)}`), details);
  }
}

/** The runtime's own words advise its programmer (Bun 1.4.5). */
const plain: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "it closed the connection",
};

function whyNot(error: unknown): string {
  const { code = "", message = String(error) } = error as Partial<NodeJS.ErrnoException>;
  return plain[code] ?? message;
}

/** An answer that is longer is none, where nothing else is said. */
const defaultMaxBytes = 4 << 20;

/**
 * The whole of the answer to what `send` asks within the limits; what it says is the caller's to judge.
 * @throws ChimeError `ROLE.unreachable`, `ROLE.timeout`, `ROLE.answer`
 */
export async function whole(
  whose: Whose,
  limits: Limits,
  send: (limit: Limit) => Promise<Response>,
  maxBytes = defaultMaxBytes,
): Promise<Answer> {
  const limit = new Limit(whose, limits);
  try {
    const response = await send(limit);
    const { status, headers } = response;
    return { status, headers, body: await bounded(whose, response, maxBytes) };
  } catch (error) {
    throw limit.explain(error);
  } finally {
    limit.end();
  }
}

/** The body of an answer. @throws ChimeError `ROLE.answer` where that is longer */
export async function bounded(
  { role, where }: Whose,
  response: Response,
  maxBytes: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > maxBytes)
      throw failed(`${role}.answer`, `${where} answers with more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

/** Of somebody else's text one short line. */
export function oneLine(text: string, most = 300): string {
  return text
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, most);
}
