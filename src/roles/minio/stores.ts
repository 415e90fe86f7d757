import type { RoleContext } from "../types.ts";
import { roleName, s3Port, users } from "./layout.ts";
import type { Store } from "./store.ts";

/** This node's own server, asked as the administrator. */
export function ownStore({ self, secrets }: Pick<RoleContext, "self" | "secrets">): Store {
  return {
    address: self.address,
    port: s3Port,
    credentials: { accessKey: users.root, secretKey: secrets[roleName]?.["root_password"] ?? "" },
  };
}
