import { readFile } from "node:fs/promises";
import type { GuardDeps } from "../../guard.ts";
import { layout } from "../layout.ts";
import { runsOlderThan } from "../restart.ts";
import { isSettled } from "./health.ts";

/** This node's server, as far as a change of its administrator's password goes. */
export interface PasswordServer {
  /** Its settings have this password. */
  isWritten(password: string): Promise<boolean>;
  /** It was started before they were written. */
  isOld(): Promise<boolean>;
  /** It does not run, or answers. */
  isSettled(): Promise<boolean>;
}

export function serverOf(deps: Pick<GuardDeps, "context">, signal: AbortSignal): PasswordServer {
  const own = () => layout(deps.context());
  return {
    async isWritten(password) {
      const text = await readFile(own().environment, "utf8");
      return text.includes(`MINIO_ROOT_PASSWORD=${password}\n`);
    },
    isOld: () => runsOlderThan(own().product.unit, [own().environment]),
    isSettled: () => isSettled(deps.context(), signal),
  };
}
