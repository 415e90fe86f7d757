import { failed } from "../core/errors.ts";
import { readText } from "./files.ts";

/** uid and gid by name, as root's own files say (passwd(5), group(5)): no daemon is asked. */
export interface Owner {
  uid: number;
  gid: number;
}

/** The id of a name in the text of /etc/passwd or /etc/group. */
export function findId(text: string, name: string): number | undefined {
  for (const line of text.split("\n")) {
    const [entry, , id] = line.split(":");
    if (entry === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}

/** Undefined while the user or the group does not exist: packages bring theirs. */
export async function lookupOwner(user: string, group: string): Promise<Owner | undefined> {
  if (user === "root" && group === "root") return { uid: 0, gid: 0 };
  const uid = findId((await readText("/etc/passwd")) ?? "", user);
  const gid = findId((await readText("/etc/group")) ?? "", group);
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** @throws ChimeError `host.no_such_user` */
export async function resolveOwner(user: string, group: string): Promise<Owner> {
  const owner = await lookupOwner(user, group);
  if (!owner) throw failed("host.no_such_user", `the user or group ${user}:${group} does not exist`);
  return owner;
}
