import { readFile } from "node:fs/promises";
import type { GuardDeps } from "../../guard.ts";
import { layout } from "../layout.ts";
import { runsOlderThan } from "../restart.ts";
import { ownStore } from "../stores.ts";
import { readHealth } from "./health.ts";

/** This node's server, as far as a change of its administrator's password goes. */
export interface PasswordServer {
  /** Its settings have this password. */
  isWritten(password: string): Promise<boolean>;
  /** It was started before they were written. */
  isOld(): Promise<boolean>;
  /** It answers. */
  reads(): Promise<boolean>;
}

export function serverOf(deps: Pick<GuardDeps, "context">, signal: AbortSignal): PasswordServer {
  const own = () => layout(deps.context());
  return {
    async isWritten(password) {
      const text = await readFile(own().environment, "utf8");
      return text.includes(`MINIO_ROOT_PASSWORD=${password}\n`);
    },
    isOld: () => runsOlderThan(own().product.unit, [own().environment]),
    reads: async () => (await readHealth(ownStore(deps.context()), signal)).reads,
  };
}
