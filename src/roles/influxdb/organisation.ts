import * as v from "valibot";
import type { Limits } from "../http.ts";
import { askJson, type Server } from "./client.ts";

const schema = v.object({ orgs: v.array(v.object({ id: v.string(), name: v.string() })) });

/**
 * Made by the setup and copied to the other one with all else that it knows: two servers that have the same one were set up
 * as twins, whatever somebody did to their buckets since. Null: it has none of that name.
 * @throws ChimeError `influxdb.missing` (the server's own word for none), `influxdb.*`
 */
export async function organisationId(server: Server, limits: Limits): Promise<string | null> {
  const asked = { method: "GET", path: "/api/v2/orgs", query: { org: server.org } } as const;
  const { orgs } = await askJson(server, asked, schema, limits);
  return orgs.find(({ name }) => name === server.org)?.id ?? null;
}

/** Whether it has one organisation alone. @throws ChimeError `influxdb.*` */
export async function hasNoOther(server: Server, limits: Limits): Promise<boolean> {
  const { orgs } = await askJson(server, { method: "GET", path: "/api/v2/orgs" }, schema, limits);
  return orgs.length === 1;
}
