import { homedir } from "node:os";
import { join } from "node:path";

/** Where downloaded and derived things live, outside the checkout; everything in it can be deleted. */
export function cacheDirectory(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "chime-node");
}
