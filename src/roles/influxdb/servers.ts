import { connect } from "node:net";
import type { Member } from "../../cluster/types.ts";
import { clusterAuthority } from "../issued.ts";
import type { RoleContext } from "../types.ts";
import type { Server } from "./client.ts";
import { httpPort, influxdbSpec, nodes, roleName } from "./layout.ts";
import { publishedBy } from "./published.ts";

type Asking = Pick<RoleContext, "spec" | "secrets">;

/** A node's server, asked as the administrator; by TLS where it speaks that, by its agent's word, or else should. */
export function serverOf(node: Pick<Member, "address" | "roleState">, context: Asking): Server {
  return server(node.address, isTls(node, context), context);
}

/** Whichever is read from. */
export function vipServer(context: Asking & Pick<RoleContext, "members">): Server {
  return server(influxdbSpec(context).vip.address, isTls(readFrom(context), context), context);
}

/** Undefined where no node says that the VIP is there. Pure. */
export function readFrom({ members }: Pick<RoleContext, "members">): Member | undefined {
  return nodes(members).find((node) => publishedBy(node)?.read);
}

/** Whether a node's server speaks TLS: for a while after a change in cluster.toml not as that says. Pure. */
export function isTls(
  node: Pick<Member, "roleState"> | undefined,
  context: Pick<RoleContext, "spec">,
): boolean {
  return (node && publishedBy(node)?.tls) ?? influxdbSpec(context).tls;
}

/** This node's own, by what it answers; one that does not yet will speak as the spec says. */
export async function ownServer(context: Asking & Pick<RoleContext, "self">): Promise<Server> {
  const { address } = context.self;
  return server(address, (await speaksTls(address)) ?? influxdbSpec(context).tls, context);
}

function server(address: string, tls: boolean, { spec, secrets }: Asking): Server {
  const { org } = influxdbSpec({ spec });
  return {
    address,
    port: httpPort,
    ca: tls ? clusterAuthority() : undefined,
    org,
    token: secrets[roleName]?.["token"] ?? "",
  };
}

/** A server on the same machine answers at once, or hangs. */
const answerMs = 2_000;

/**
 * Whether a server speaks TLS. Asked in clear, Go's says that it does by a plain 400 of HTTP/1.0, whatever was asked.
 * Undefined where it does not answer.
 */
export function speaksTls(address: string, port: number = httpPort): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: answerMs });
    socket.once("timeout", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve(undefined));
    socket.once("connect", () =>
      socket.write("HEAD /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    socket.once("data", (data: Buffer) => {
      resolve(data.toString("latin1").startsWith("HTTP/1.0 400"));
      socket.destroy();
    });
  });
}
