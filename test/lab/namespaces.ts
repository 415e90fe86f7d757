import { exec, type ExecResult } from "../../src/core/exec.ts";

/**
 * Addresses of the namespace. Two servers have no port in common but on addresses of their own: each takes its port on
 * the loopback address, too, whatever it was told, and shares it with whoever is there.
 */
export const addresses = ["10.77.9.1", "10.77.9.2"] as const;

/** Runs a program in a network without a way out and with mounts of its own; whatever it starts ends with it. */
export async function runInNamespaces(
  argv: readonly string[],
  env: Record<string, string>,
  timeoutMs: number,
): Promise<ExecResult> {
  const alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const give = addresses.map((address) => `ip address add ${address}/32 dev lo`);
  const program = ["ip link set lo up", ...give, 'exec "$@"'].join(" && ");
  return exec([...alone, "sh", "-c", program, "sh", ...argv], { env, ok: "any", timeoutMs });
}

/** A file of tests. */
export async function testInNamespaces(
  file: string,
  env: Record<string, string>,
  timeoutMs = 300_000,
): Promise<string> {
  const argv = [process.execPath, "test", "--timeout=60000", file];
  const { code, stderr } = await runInNamespaces(argv, env, timeoutMs);
  return code === 0 ? "passed" : stderr;
}
