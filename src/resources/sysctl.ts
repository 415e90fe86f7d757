import { readFile, writeFile } from "node:fs/promises";
import * as v from "valibot";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

/**
 * A kernel parameter that a service sets itself, in its unit, each time it starts: here it is set for the first time, so
 * that what it was can be put back. Looked at until then; after a boot it waits for its service.
 * @param key as sysctl(8) writes it
 */
export function sysctl(key: string, value: string): Resource {
  const id = `sysctl:${key}`;
  return {
    id,
    needs: [],
    desired: fingerprint({ value }),
    async inspect({ ledger }) {
      if (ledger.noted(id) !== undefined) return undefined;
      const was = await read(key);
      if (was === value) return undefined;
      return {
        action: "update",
        impact: "none",
        diff: `${key}: ${was} → ${value}`,
        async apply(context) {
          await context.ledger.before(id, { was });
          await writeFile(path(key), value);
        },
      };
    },
  };
}

const beforeSchema = v.object({ was: v.string() });

export const sysctlKind: Kind = {
  name: "sysctl",
  async undo(id, before) {
    await writeFile(path(id.slice("sysctl:".length)), v.parse(beforeSchema, before).was);
  },
};

async function read(key: string): Promise<string> {
  return (await readFile(path(key), "utf8")).trim();
}

function path(key: string): string {
  return `/proc/sys/${key.replaceAll(".", "/")}`;
}
