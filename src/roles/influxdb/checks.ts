import { readdir } from "node:fs/promises";
import type { Product } from "../../host/catalog.ts";
import type { Check, Finding } from "../../host/checks.ts";
import type { Facts } from "../../host/facts.ts";
import { readMarker } from "../marker.ts";
import { portCheck } from "../port-check.ts";
import { checkProgram } from "../program-check.ts";
import { repositoryCheck } from "../repository.ts";
import type { LocalContext } from "../types.ts";
import { httpPort, layoutOf, roleName } from "./layout.ts";

/** What may not be in the way of one of the twins. They only look. */
export function checks(local: LocalContext): Check[] {
  const { spec, facts } = local;
  const influxdb = spec?.roles.influxdb;
  if (!influxdb) return [portCheck(roleName, httpPort, { binary: undefined })];
  const { product, binary, data } = layoutOf(influxdb, facts.os);
  const { binary: own } = influxdb;
  return [
    { name: "influxdb.system", run: () => Promise.resolve(checkSystem(product, facts.os)) },
    own === undefined
      ? repositoryCheck(roleName, product, facts.os, spec)
      : { name: "influxdb.binary", isOfSpec: true, run: () => checkProgram(own) },
    { name: "influxdb.foreign_data", run: () => checkData(local, data) },
    portCheck(roleName, httpPort, { binary }),
  ];
}

function checkSystem({ untried }: Product, os: Facts["os"]): Finding | undefined {
  if (!untried) return undefined;
  return {
    severity: "warning",
    message: `InfluxDB was never tried on ${os.name} this way: where it keeps its things is known from its vendor alone`,
    remedy: "rehearse every failure before you rely on it",
  };
}

/** An empty directory, or data that this very node of this cluster kept. */
export async function checkData(
  { node, clusterId }: LocalContext,
  data: string,
): Promise<Finding | undefined> {
  const marker = await readMarker(data);
  if (marker) {
    if (marker.cluster === clusterId && marker.node === node) return undefined;
    return foreign(`${data} holds the data of ${marker.node} of the cluster ${marker.clusterName}`, data);
  }
  // A disk of its own may be mounted there.
  const entries = (await readdir(data).catch(() => [])).filter((entry) => entry !== "lost+found");
  if (entries.length === 0) return undefined;
  return foreign(`${data} holds somebody's data (${entries.slice(0, 5).join(", ")})`, data);
}

function foreign(message: string, data: string): Finding {
  return {
    severity: "error",
    message,
    remedy: `take a backup (influx backup), stop that server and move ${data} away; or use another node`,
  };
}
