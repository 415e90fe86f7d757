import { stat } from "node:fs/promises";
import { clusterFiles } from "../cluster/files.ts";
import type { Problem } from "../roles/guard.ts";

/** What root alone may open: a restored backup, or a hand, may have left it to others. */
const own = [
  { path: clusterFiles.secrets, mode: "600" },
  { path: clusterFiles.pki, mode: "700" },
];

/** Passwords and keys that other users of the machine can get at. One that is not there, as on a witness, is no problem. */
export async function exposedSecrets(node: string, files: typeof own = own): Promise<Problem[]> {
  const found = await Promise.all(
    files.map(async ({ path, mode }) => ({ path, mode, now: await permissionsOf(path) })),
  );
  return found.flatMap(({ path, mode, now }) =>
    (now & 0o077) === 0
      ? []
      : [
          {
            code: "secrets.exposed",
            severity: "warning" as const,
            node,
            message: `other users of ${node} can get at ${path}: its mode is ${now.toString(8)}`,
            remedy: `chmod ${mode} ${path}; what may have been read: docs/security.md`,
          },
        ],
  );
}

/** 0 where nothing can be told. */
async function permissionsOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return (found?.mode ?? 0) & 0o777;
}
