import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { exec } from "../../src/core/exec.ts";

/** Go before this cannot build the servers that the lab takes from Go's modules. */
const oldestGo = "1.24.0";

/** Go as the one who runs the tests finds it; undefined where there is none that is new enough. */
export async function goDirectory(): Promise<string | undefined> {
  const found = Bun.which("go", { PATH: `${process.env["PATH"]}:/usr/local/go/bin` });
  if (!found) return undefined;
  // Else it would count its calls in the home directory.
  const env = { XDG_CONFIG_HOME: "/dev/null" };
  const { stdout } = await exec([found, "env", "GOVERSION"], { env, ok: "any" });
  const version = /^go([\d.]+)/.exec(stdout)?.[1];
  return version && Bun.semver.order(version, oldestGo) >= 0 ? dirname(found) : undefined;
}

/** What building by Go takes. @param more directories of other programs, before the system's */
export function goEnvironment(go: string, ...more: string[]): { PATH: string; GOENV: string } {
  return {
    PATH: [go, ...more, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"].join(":"),
    // Where it is allowed to download from is this machine's business.
    GOENV: join(homedir(), ".config/go/env"),
  };
}
