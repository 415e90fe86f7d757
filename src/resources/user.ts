import * as v from "valibot";
import { exec } from "../core/exec.ts";
import { lookupOwner } from "../host/users.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

/** A system user with a group of its own, for a service that no package brought: no home, nobody logs in as it. */
export function user(name: string): Resource {
  const id = `user:${name}`;
  return {
    id,
    needs: [],
    desired: fingerprint({ name }),
    async inspect() {
      if (await lookupOwner(name, name)) return undefined;
      return {
        action: "create",
        impact: "none",
        diff: "+ a system user without a home",
        async apply({ ledger }) {
          await ledger.before(id, { there: false });
          const flags = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
          await exec(["useradd", ...flags, "--shell", "/usr/sbin/nologin", name]);
        },
      };
    },
  };
}

const beforeSchema = v.object({ there: v.literal(false) });

export const userKind: Kind = {
  name: "user",
  async undo(id, before) {
    v.parse(beforeSchema, before);
    const name = id.slice("user:".length);
    // 6: there is no such user (userdel(8)). Its group goes with it.
    await exec(["userdel", name], { ok: [0, 6] });
  },
};
