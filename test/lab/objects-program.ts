/** Runs the drill's clients of a store in the client's namespace; settings come on stdin. */
import { ObjectClients, type ObjectFault, type ObjectSettings } from "../../src/operations/drill/objects.ts";
import { createBucket } from "../../src/roles/minio/s3.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { appendAcknowledged, type ClientsFile } from "./lab-clients.ts";

export interface ObjectsSettings extends ObjectSettings, ClientsFile {
  /** By name: the stores on which everything has to be at the end. */
  holders: Record<string, Store>;
  /** The bucket is there, with nothing below the prefix: an application may neither make nor list it all. */
  isFresh: boolean;
  /** How long they may take for that, ms. */
  levelMs: number;
}

/** What is written beside the file of acknowledged changes, at the end. */
export interface ObjectsReport {
  requests: ObjectClients["requests"];
  misread: ObjectFault[];
  /** By holder: what it does not hold as promised, or why it cannot be told. */
  faults: Record<string, ObjectFault[] | string>;
  /** How many objects there are whose last change went unanswered, and which of them are not the same on all holders. */
  unanswered: number;
  differing: string[];
}

const settings = (await Bun.stdin.json()) as ObjectsSettings;
const clients = new ObjectClients(settings);

while (!settings.isFresh) {
  try {
    await createBucket(settings.store, settings.bucket, { timeoutMs: settings.requestMs });
    await clients.clear();
    break;
  } catch (error) {
    console.error((error as Error).message);
    await Bun.sleep(100);
  }
}
await appendAcknowledged(clients, settings);

const { holders, levelMs, file } = settings;
const giveUp = performance.now() + levelMs;
const faultsOn = async (holder: Store) => {
  for (;;) {
    const found = await clients.faultsOn(holder).catch((error: Error) => error.message);
    if (found.length === 0 || performance.now() > giveUp) return found;
    await Bun.sleep(250);
  }
};
const found = Object.entries(holders).map(async ([name, holder]) => [name, await faultsOn(holder)] as const);
const faults = Object.fromEntries(await Promise.all(found));
const stateOn = (holder: Store) => clients.unansweredOn(holder).catch(() => new Map<string, string | null>());
const differing = async () => {
  const each = await Promise.all(Object.values(holders).map(stateOn));
  const keys = [...new Set(each.flatMap((states) => [...states.keys()]))];
  const differ = keys.filter((key) => new Set(each.map((states) => states.get(key))).size > 1);
  return { unanswered: keys.length, differing: differ };
};
const { requests, misread } = clients;
const report: ObjectsReport = { requests, misread, faults, ...(await differing()) };
await Bun.write(`${file}.report`, JSON.stringify(report));
process.exitCode = 0;
// eslint-disable-next-line unicorn/no-process-exit -- a request to a dead server would keep us alive
process.exit();
