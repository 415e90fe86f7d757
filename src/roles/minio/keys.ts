import { heldIn, type Held } from "../../cluster/secret-store.ts";
import type { RoleContext } from "../types.ts";
import { roleName, users } from "./layout.ts";
import type { Credentials } from "./signature.ts";

/** Of applications, by its name in secrets.toml. */
export const keyName = "secret_key";

/** As many as the store lets an access key have are left for it. */
const suffixLength = 20 - users.application.length - 1;

/** What applications may use: one is current; beside it may be one that they are to have next, or had before. Pure. */
export function applicationKeys({ secrets }: Pick<RoleContext, "secrets">): {
  current: Credentials;
  next: Credentials | undefined;
  old: Credentials | undefined;
} {
  const { current, next, old } = heldIn(secrets[roleName], keyName);
  return { current: credentials(current), next: next && credentials(next), old: old && credentials(old) };
}

/** The first is called like the account; each later one has a name of its own, for the store knows it by that. Pure. */
function credentials({ id, value: secretKey }: Held): Credentials {
  const [, word] = id.split(".");
  const accessKey =
    word === undefined ? users.application : `${users.application}-${word.slice(0, suffixLength)}`;
  return { accessKey, secretKey };
}
