import * as v from "valibot";
import type { Limits } from "../http.ts";
import { askJson, type Server } from "./client.ts";

export interface Permission {
  action: "read" | "write";
  resource: { type: string; id?: string; orgID?: string };
}

const authorizationSchema = v.object({
  id: v.string(),
  description: v.optional(v.string(), ""),
  status: v.optional(v.string(), "active"),
  token: v.optional(v.string(), ""),
});

export interface Authorization {
  id: string;
  description: string;
  active: boolean;
  /** A server that keeps only hashes (2.9 and on) tells it once, when it is made. */
  token: string;
}

/** @throws ChimeError `influxdb.*` */
export async function listAuthorizations(server: Server, limits: Limits): Promise<Authorization[]> {
  const schema = v.object({ authorizations: v.array(authorizationSchema) });
  const query = { org: server.org };
  const asked = { method: "GET", path: "/api/v2/authorizations", query } as const;
  return (await askJson(server, asked, schema, limits)).authorizations.map(toAuthorization);
}

/** The server makes the token; one that is given is ignored. @throws ChimeError `influxdb.*` */
export async function createAuthorization(
  server: Server,
  wanted: { orgId: string; description: string; permissions: readonly Permission[] },
  limits: Limits,
): Promise<Authorization> {
  const { orgId: orgID, ...rest } = wanted;
  const body = JSON.stringify({ orgID, ...rest });
  const asked = { method: "POST", path: "/api/v2/authorizations", body, once: true } as const;
  return toAuthorization(await askJson(server, asked, authorizationSchema, limits));
}

function toAuthorization({ id, description, status, token }: v.InferOutput<typeof authorizationSchema>) {
  return { id, description, active: status === "active", token };
}
