import { usageError } from "../core/errors.ts";
import { paths } from "../core/paths.ts";

/** `token create` of the contract. */
export interface CreatedToken {
  token: string;
  id: string;
}

/** What an operator pastes on the next node. In the environment, not in argv, where every user of the node sees it. */
export function joinLine(token: string, roles: readonly string[] = []): string {
  return `CHIME_TOKEN=${token} chime-node join --role ${roles.join(",") || "ROLE"}`;
}

/** Where a join finds its token, in this order; undefined when nobody gave one. */
export async function findToken(given: {
  token: string | undefined;
  tokenFile: string | undefined;
  ask: () => Promise<string | undefined>;
}): Promise<string | undefined> {
  if (given.token !== undefined) return given.token;
  if (given.tokenFile !== undefined) return readTokenFile(given.tokenFile);
  const environment = process.env["CHIME_TOKEN"];
  if (environment) return environment;
  if (await Bun.file(paths.token).exists()) return readTokenFile(paths.token);
  return given.ask();
}

/** Longer than any token; a bigger file is something else. */
const longestTokenFile = 16_384;

async function readTokenFile(path: string): Promise<string> {
  const file = Bun.file(path);
  if (!(await file.exists())) {
    throw usageError(
      "token.no_file",
      `there is no token file ${path}`,
      "chime-node token create on a member prints one",
    );
  }
  return (await file.slice(0, longestTokenFile).text()).trim();
}
