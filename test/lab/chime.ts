import type { LabNode } from "./node.ts";

/** What one command line of the binary answered. */
export interface Answer<T = unknown> {
  code: number;
  /** The one JSON document on stdout. */
  json: T & { error?: { code: string; message: string; node: string | null; remedy: string | null } };
  stderr: string;
}

/** Runs a verb with --json; any exit code is an answer, but stdout must be exactly one JSON document. */
export async function chime<T = Record<string, unknown>>(
  node: LabNode,
  args: readonly string[],
  options: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Answer<T>> {
  const { timeoutMs = 300_000, env } = options;
  const argv = ["chime-node", ...args, "--json"];
  const { code, stdout, stderr } = await node.run(argv, { check: false, timeoutMs, ...(env && { env }) });
  try {
    return { code, json: JSON.parse(stdout) as Answer<T>["json"], stderr };
  } catch (cause) {
    throw new Error(`${args.join(" ")} printed no JSON (exit ${code}): ${stdout}${stderr}`, { cause });
  }
}

/** The exit code and the stable error code of an answer, for one comparison. */
export function verdict({ code, json }: Answer): [number, string | undefined] {
  return [code, json.error?.code];
}

/** Every file, directory and link outside of what is volatile, with mode, owner and content hash. */
export async function fileTree(node: LabNode, exclude: readonly string[] = []): Promise<string[]> {
  const prune = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/mirror", ...exclude];
  const expression = prune.map((path) => `-path ${path}`).join(" -o ");
  const { stdout } = await node.sh(
    `find / \\( ${expression} \\) -prune -o -type f -printf '%p %M %u:%g ' -exec sha256sum {} + -o \\( -type d -o -type l \\) -printf '%p %M %u:%g %l\\n' 2>/dev/null | sort`,
  );
  return stdout.split("\n").filter(Boolean);
}

/** Installed packages with their versions. */
export async function packageList(node: LabNode): Promise<string[]> {
  const { stdout } = await node.run([
    "dpkg-query",
    "-W",
    "-f",
    "${db:Status-Abbrev} ${Package} ${Version}\\n",
  ]);
  return stdout.split("\n").filter(Boolean);
}
