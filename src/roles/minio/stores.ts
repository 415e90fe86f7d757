import type { Member } from "../../cluster/types.ts";
import type { RoleContext } from "../types.ts";
import { roleName, s3Port, users } from "./layout.ts";
import type { Store } from "./store.ts";

type Asking = Pick<RoleContext, "self" | "secrets">;

/** This node's own server, asked as the administrator. */
export function ownStore({ self, secrets }: Asking): Store {
  return storeOf(self, secrets);
}

/** A node's server, asked as the administrator. */
export function storeOf({ address }: Pick<Member, "address">, secrets: RoleContext["secrets"]): Store {
  const secretKey = secrets[roleName]?.["root_password"] ?? "";
  return { address, port: s3Port, credentials: { accessKey: users.root, secretKey } };
}

/** The same of this node, asked as applications do. */
export function asApplication(context: Asking): Store {
  const secretKey = context.secrets[roleName]?.["secret_key"] ?? "";
  return { ...ownStore(context), credentials: { accessKey: users.application, secretKey } };
}
