import { refused } from "../../core/errors.ts";
import type { Server } from "../../roles/influxdb/client.ts";
import { deletePoints } from "../../roles/influxdb/delete.ts";
import { queryJson } from "../../roles/influxdb/influxql.ts";
import { influxdbSpec, nodes, roleName } from "../../roles/influxdb/layout.ts";
import { serverOf, vipServer } from "../../roles/influxdb/servers.ts";
import type { RoleContext } from "../../roles/types.ts";
import { deleteByAgent } from "../influxdb-deletion.ts";
import { missingByNode, type Load } from "./load.ts";
import { PointClients } from "./points.ts";

/** Nobody else's points are in it; those that are there belong to a drill that was killed. */
const measurement = "chime-node-drill";

/** A thousand points a second, and enough reads to see an outage to some hundredths of a second. */
const pace = { readers: 4, batch: 20, pauseMs: 20 };

/** A connection to a server that has vanished is given up after it, ms: the next one finds the VIP where it is by then. */
const requestMs = 500;
const limits = { timeoutMs: 10_000 };
/** Also what a drill that is interrupted leaves is deleted. */
const untold = { signal: new AbortController().signal, progress: () => {}, note: () => {} };

/**
 * What a client of a busy machine gave up and nobody noticed is looked for each minute, up to a quarter of a minute ago, and
 * is filled beside the clients. Each look reads all points.
 */
const finding = { withinMs: 150_000, everyMs: 2_000 };

/** Who is at work writes something within that time. */
const apartMs = 2_000;

/** Writes points to both servers, and reads through the VIP. */
export function pointLoad(context: RoleContext): Load {
  const { bucket } = influxdbSpec(context);
  const twins = nodes(context.members);
  const real = twins.map((node) => serverOf(node, context));
  const settings = { real, vip: vipServer(context), bucket, measurement, requestMs, ...pace };
  const clients = new PointClients(settings);
  const count = async (server: Server) => {
    const statement = `SELECT count(i) FROM "${measurement}"`;
    const [tables = []] = await queryJson(server, { db: bucket, rp: "autogen" }, [statement], limits);
    return Number(tables[0]?.values[0]?.[1] ?? 0);
  };
  const remove = async () => {
    const all = {
      bucket,
      start: "1970-01-01T00:00:00Z",
      stop: new Date(Date.now() + 60_000).toISOString(),
      predicate: `_measurement="${measurement}"`,
    };
    if (context.self.roles.includes(roleName)) {
      // As an operator's: what a filling has read is not given back, and a server that is away does it before it is filled.
      await deleteByAgent(all, untold);
      return;
    }
    // No agent here does that: what a filling under way gives back, the next drill removes.
    for (const server of real) await deletePoints(server, all, limits);
  };
  return {
    what: "points",
    clients,
    async prepare() {
      const found = await count(settings.vip);
      if (found === 0) return;
      await Bun.sleep(apartMs);
      if ((await count(settings.vip)) !== found) {
        throw refused("drill.running", "another drill is under way in this cluster");
      }
      await remove();
    },
    compare: async () => ({
      missing: await missingByNode(
        twins,
        (address) => clients.missingOn({ ...settings.vip, address }),
        finding,
      ),
      misread: clients.misread,
      conceded: null,
    }),
    remove,
  };
}
