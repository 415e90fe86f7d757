import { stat } from "node:fs/promises";
import { exec } from "../core/exec.ts";
import { isMissing } from "../host/files.ts";
import { lookupOwner } from "../host/users.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

/** Millions of files on a slow disk. */
const timeoutMs = 3_600_000;

/**
 * What is on a disk belongs to the service's user: one that was taken away and made anew may have another number.
 * @param at where the disk is mounted
 * @param witness a file below it that the service made itself: whose that is, everything is
 */
export function owner({
  at,
  witness,
  user,
  needs,
}: {
  at: string;
  witness: string;
  user: string;
  needs: readonly string[];
}): Resource {
  return {
    id: `owner:${at}`,
    needs,
    desired: fingerprint({ user }),
    async inspect() {
      const found = await stat(`${at}/${witness}`).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      const wanted = await lookupOwner(user, user);
      if (!found || found.uid === wanted?.uid) return undefined;
      return {
        action: "update",
        impact: "none",
        diff: `owner ${found.uid} → ${user}, of all that is on it`,
        async apply(context) {
          context.progress(`${at}: giving what is on it to ${user}`);
          const { signal } = context;
          const chown = ["chown", "--no-dereference", `${user}:${user}`];
          const last = `${at}/${witness}`;
          // The witness when all is done: what is interrupted is begun again.
          await exec(["find", at, "-path", last, "-o", "-exec", ...chown, "{}", "+"], { signal, timeoutMs });
          await exec([...chown, last], { signal });
        },
      };
    },
  };
}

/** Whose it was before nobody knows any more. */
export const ownerKind: Kind = { name: "owner", undo: () => Promise.resolve() };
