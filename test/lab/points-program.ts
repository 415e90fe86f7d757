/** Runs the drill's clients of the twins in the client's namespace; settings come on stdin. */
import { PointClients, type PointSettings } from "../../src/operations/drill/points.ts";
import { appendAcknowledged, atRest, type ClientsFile } from "./lab-clients.ts";

export type PointsSettings = PointSettings & ClientsFile;

/** What is written beside the file of answered reads, at the end. */
export interface PointsReport {
  points: number;
  misread: number;
  /** By the address of a server: how many acknowledged points it does not hold. */
  missing: Record<string, number>;
}

const settings = (await Bun.stdin.json()) as PointsSettings;
const clients = new PointClients(settings);
await appendAcknowledged(clients, settings);
const asked = Promise.withResolvers<void>();
process.once("SIGTERM", () => asked.resolve());
console.log(atRest);
await asked.promise;

const missing: PointsReport["missing"] = {};
for (const server of settings.real) missing[server.address] = await clients.missingOn(server);
const { points, misread } = clients;
await Bun.write(
  `${settings.file}.report`,
  JSON.stringify({ points, misread, missing } satisfies PointsReport),
);
process.exitCode = 0;
// eslint-disable-next-line unicorn/no-process-exit -- a request to a dead server would keep us alive
process.exit();
