import type { Member } from "../../cluster/types.ts";
import type { RoleContext } from "../types.ts";
import { applicationKeys } from "./keys.ts";
import { roleName, s3Port, users } from "./layout.ts";
import type { Store } from "./store.ts";
import { authorityOf } from "./tls.ts";

type Asking = Pick<RoleContext, "self" | "spec" | "secrets">;

/** This node's own server, asked as the administrator. */
export function ownStore(context: Asking): Store {
  return storeOf(context.self, context);
}

/** A node's server, asked as the administrator. */
export function storeOf({ address }: Pick<Member, "address">, context: Omit<Asking, "self">): Store {
  const secretKey = context.secrets[roleName]?.["root_password"] ?? "";
  return {
    address,
    port: s3Port,
    ca: authorityOf(context),
    credentials: { accessKey: users.root, secretKey },
  };
}

/** The same of this node, asked as applications do. */
export function asApplication(context: Asking): Store {
  return { ...ownStore(context), credentials: applicationKeys(context).current };
}
