import type { RoleContext } from "../types.ts";
import { roleName, s3Port, users } from "./layout.ts";
import type { Store } from "./store.ts";

type Asking = Pick<RoleContext, "self" | "secrets">;

/** This node's own server, asked as the administrator. */
export function ownStore({ self, secrets }: Asking): Store {
  const secretKey = secrets[roleName]?.["root_password"] ?? "";
  return { address: self.address, port: s3Port, credentials: { accessKey: users.root, secretKey } };
}

/** The same, asked as applications do. */
export function asApplication(context: Asking): Store {
  const secretKey = context.secrets[roleName]?.["secret_key"] ?? "";
  return { ...ownStore(context), credentials: { accessKey: users.application, secretKey } };
}
