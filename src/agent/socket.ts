import { chmodSync, unlinkSync } from "node:fs";
import { ofetch } from "ofetch";
import * as v from "valibot";
import { ChimeError, errorJson, failed, type ErrorJson, type ExitCode } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { paths } from "../core/paths.ts";

/**
 * How the command line talks to the agent on the same node: one JSON call per HTTP request over a unix socket
 * that only root may open (0600), whose answer may be bytes. Never exposed to a network.
 */
export type Handlers = Readonly<Record<string, (params: unknown) => Promise<unknown>>>;

interface Reply {
  result?: unknown;
  error?: ErrorJson & { exit: ExitCode };
}

const maxRequestBytes = 1 << 20;
const bytesType = "application/octet-stream";

/** Listens at `path`. A stale socket file of a killed agent is replaced; the mode is set before anyone can know it. */
export function serveSocket(handlers: Handlers, path: string = paths.socket): { stop(): void } {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const server = Bun.serve({
    unix: path,
    maxRequestBodySize: maxRequestBytes,
    async fetch(request) {
      const reply = await answer(handlers, request);
      if (!(reply.result instanceof Uint8Array)) return Response.json(reply);
      return new Response(reply.result as Uint8Array<ArrayBuffer>, {
        headers: { "content-type": bytesType },
      });
    },
  });
  chmodSync(path, 0o600);
  return { stop: () => void server.stop(true) };
}

async function answer(handlers: Handlers, request: Request): Promise<Reply> {
  // Without a Host header the URL is a path alone.
  const method = URL.parse(request.url, "http://agent")?.pathname.slice(1) ?? "";
  try {
    const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
    if (!handler)
      throw failed("agent.unknown_method", `the agent does not know ${method.slice(0, 64)}: versions differ`);
    return { result: (await handler(await read(request))) ?? null };
  } catch (thrown) {
    const error = v.isValiError(thrown) ? misasked(method, thrown.message) : thrown;
    if (!(error instanceof ChimeError)) log.error(`socket ${method.slice(0, 64)}:`, error);
    return { error: { ...errorJson(error), exit: error instanceof ChimeError ? error.exit : 1 } };
  }
}

async function read(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    throw failed("agent.bad_request", "what the agent was asked is no JSON");
  }
}

function misasked(method: string, why: string): ChimeError {
  return failed("agent.bad_request", `the agent cannot read what it was asked (${method}: ${why})`, {
    remedy: "use the chime-node that the agent runs: /usr/local/bin/chime-node",
  });
}

interface CallOptions {
  timeoutMs?: number;
  path?: string;
  signal?: AbortSignal;
}

/**
 * Calls the agent of this node.
 * @throws the agent's own ChimeError, or `agent.not_running`
 */
export async function callAgent<T>(
  method: string,
  params: unknown = {},
  options: CallOptions = {},
): Promise<T> {
  const { _data } = await post(method, params, options, "json");
  return resultOf(_data as Reply) as T;
}

/** The same where the answer is bytes. @throws the agent's own ChimeError, or `agent.not_running` */
export async function readAgent(
  method: string,
  params: unknown,
  options: CallOptions = {},
): Promise<Uint8Array> {
  const { _data, headers } = await post(method, params, options, "arrayBuffer");
  const bytes = new Uint8Array(_data as ArrayBuffer);
  if (headers.get("content-type") === bytesType) return bytes;
  resultOf(JSON.parse(Buffer.from(bytes).toString("utf8")) as Reply);
  throw failed("agent.unknown_method", `the agent answers ${method} otherwise: versions differ`);
}

async function post(
  method: string,
  params: unknown,
  { timeoutMs = 10_000, path = paths.socket, signal }: CallOptions,
  responseType: "json" | "arrayBuffer",
) {
  try {
    // `unix` is Bun's own fetch option; ofetch passes it through.
    const request = { unix: path, proxy: false } as object;
    return await ofetch.raw<unknown, typeof responseType>(`http://agent/${method}`, {
      ...request,
      method: "POST",
      body: params as Record<string, unknown>,
      retry: 0,
      timeout: timeoutMs,
      responseType,
      ...(signal && { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw failed("agent.not_running", "the chime-node agent on this node does not answer", {
      remedy: "systemctl status chime-node; journalctl -u chime-node",
      cause,
    });
  }
}

function resultOf({ result, error }: Reply): unknown {
  if (!error) return result;
  const { exit, code, message, node, remedy } = error;
  throw new ChimeError(exit, code, message, { node: node ?? undefined, remedy: remedy ?? undefined });
}
