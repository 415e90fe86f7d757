import { failed } from "../../core/errors.ts";
import { exec, lastLines } from "../../core/exec.ts";
import { mask } from "../../core/mask.ts";
import { readText } from "../files.ts";
import { largestKeyFile } from "./pinned-key.ts";

/** As `PackageManager.fetch`: dnf has no downloader of its own, but libcurl's is always with it. */
export async function dnfFetch(url: string, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
  const { proxy, user } = parseProxy((await readText("/etc/dnf/dnf.conf")) ?? "");
  // By standard input: a proxy's password is none of the process list's business.
  const settings = [
    `url = ${quote(url)}`,
    ...(proxy ? [`proxy = ${quote(proxy)}`] : []),
    ...(user ? [`proxy-user = ${quote(user)}`] : []),
  ];
  const limits = ["--max-time", "20", "--max-filesize", String(largestKeyFile)];
  const shell = `curl --config - --fail --silent --show-error --location ${limits.join(" ")} | head -c ${largestKeyFile} | base64`;
  const argv = ["bash", "-o", "pipefail", "-c", shell];
  const { code, stdout, stderr } = await exec(argv, { ok: "any", signal, stdin: `${settings.join("\n")}\n` });
  if (code === 0) return Buffer.from(stdout, "base64");
  throw failed("packages.unreachable", `${url} cannot be fetched: ${mask(lastLines(stderr))}`, {
    remedy:
      "check this node's way to that host (a proxy is taken from /etc/dnf/dnf.conf), then run this again",
  });
}

/** Pure: dnf.conf(5)'s proxy, and `NAME:PASSWORD` where it wants one. */
export function parseProxy(text: string): { proxy: string | undefined; user: string | undefined } {
  const get = (key: string) => new RegExp(`^\\s*${key}\\s*=\\s*(\\S+)\\s*$`, "m").exec(text)?.[1];
  const name = get("proxy_username");
  const proxy = get("proxy");
  return {
    proxy: proxy === "_none_" ? undefined : proxy,
    user: name === undefined ? undefined : `${name}:${get("proxy_password") ?? ""}`,
  };
}

/** curl(1), "--config". */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
