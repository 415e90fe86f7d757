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

/** Every file, directory and link outside of what is volatile, by path, with mode, owner, link target and content. */
export async function fileTree(node: LabNode, exclude: readonly string[] = []): Promise<string[]> {
  const prune = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/mirror", ...exclude];
  const kept = `find / \\( ${prune.map((path) => `-path ${path}`).join(" -o ")} \\) -prune -o`;
  const { stdout } = await node.sh(
    `{ ${kept} -printf '%p %y %M %u:%g %l\\n'
       ${kept} -type f -print0 | xargs -0 sha256sum | awk '{ h = $1; $1 = ""; print substr($0, 2) " = " h }'
     } | sort`,
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
