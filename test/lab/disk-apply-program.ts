/**
 * Makes given disks ours as a role would, or takes that back; argv[2] is a `Job` as JSON. Prints what was changed and
 * what failed. Run by bun, on a DiskMachine or in a node.
 */
import { toChimeError } from "../../src/core/errors.ts";
import { exec } from "../../src/core/exec.ts";
import { eraseGiven } from "../../src/host/disks/erase.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply, plan } from "../../src/plan/run.ts";
import { disk } from "../../src/resources/disk.ts";
import { kinds } from "../../src/resources/index.ts";
import { mount } from "../../src/resources/mount.ts";
import type { Resource } from "../../src/resources/types.ts";

export interface Job {
  verb: "plan" | "apply" | "undo" | "erase";
  given: GivenDisk[];
  /** Of the ledger. */
  directory: string;
  /** Default false: format only. */
  mounts?: boolean;
  /** A script that runs when all was inspected and nothing is applied yet. */
  between?: string;
}

export interface Done {
  /** `disk:minio-disk1 create data` and the diff. */
  changes: { what: string; diff: string }[];
  errors: { code: string; message: string }[];
  /** Of `erase`: by disk, why it was not made blank; null: it was. */
  left?: (string | null)[];
}

/** No change is applied before all were inspected and the script has run. */
function interrupted(resources: readonly Resource[], script: string): Resource[] {
  let left = resources.length;
  const ran = Promise.withResolvers<unknown>();
  return resources.map((resource) => ({
    ...resource,
    async inspect(context) {
      try {
        return await resource.inspect(context);
      } finally {
        left -= 1;
        if (left === 0) ran.resolve(exec(["sh", "-ec", script]));
        await ran.promise;
      }
    },
  }));
}

const { verb, given, directory, mounts = false, between } = JSON.parse(process.argv[2] ?? "") as Job;
const ledger = await openLedger(`${directory}/ledger.jsonl`);
const done: Done = { changes: [], errors: [] };
const tell = (changes: Awaited<ReturnType<typeof plan>>) => {
  done.changes = changes.map(({ resource, action, impact, diff }) => ({
    what: `${resource} ${action} ${impact}`,
    diff,
  }));
};
const resources = given.flatMap((one) => [disk(one, []), ...(mounts ? mount(one, "store.service") : [])]);
try {
  if (verb === "plan") tell(await plan(resources, ledger));
  else if (verb === "erase") {
    done.left = [];
    for (const one of given) done.left.push((await eraseGiven(one)) ?? null);
  } else if (verb === "undo") await undoAll(ledger, kinds, { progress: () => undefined });
  else {
    const outcome = await apply(between ? interrupted(resources, between) : resources, ledger, {
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    tell(outcome.changes);
    done.errors = outcome.failed.map(({ error: { code, message } }) => ({ code, message }));
  }
} catch (error) {
  const { code, message } = toChimeError(error);
  done.errors.push({ code, message });
}
console.log(JSON.stringify(done));
