import * as v from "valibot";
import { exec } from "../../core/exec.ts";
import { inTurns } from "../../core/in-turns.ts";
import { disksAtOnce } from "./at-once.ts";
import type { Content } from "./types.ts";

/** A dying disk answers slowly; longer than this it counts as used. */
const timeoutMs = 15_000;

const wipefsSchema = v.object({
  signatures: v.array(v.object({ device: v.string(), type: v.string() })),
});

/** Pure: `wipefs --no-act --json`: device's last name → types; undefined for another form. Old ones print nothing for nothing. */
export function parseWipefs(output: string): Map<string, string[]> | undefined {
  const found = new Map<string, string[]>();
  if (output.trim() === "") return found;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), wipefsSchema), output);
  if (!parsed.success) return undefined;
  for (const { device, type } of parsed.output.signatures)
    found.set(device, [...(found.get(device) ?? []), type]);
  return found;
}

/** Pure: `blkid --probe --output export` of one device: what it found, a table without a name too. */
export function parseBlkid(output: string): string[] {
  const types = [...output.matchAll(/^(?:TYPE|PTTYPE)=(.+)$/gm)].map(([, type = ""]) => type);
  return types.length === 0 && output.trim() !== "" ? ["something unknown"] : types;
}

/** What wipefs and, where that finds nothing, blkid find on each device. Reads only. Asked at once: it saves a quarter of the time. */
export async function lookAtContents(paths: readonly string[]): Promise<Map<string, Content>> {
  const probed = new Map<string, Content>();
  const [wiped] = await Promise.all([
    askWipefs(paths),
    inTurns(paths, disksAtOnce, async (path) => void probed.set(path, await askBlkid(path))),
  ]);
  return new Map([...wiped].map(([path, content]) => [path, together(content, probed.get(path))]));
}

function together(wiped: Content, probed: Content | undefined): Content {
  if (wiped.signatures.length > 0) return wiped;
  return {
    signatures: probed?.signatures ?? [],
    trouble: [...wiped.trouble, ...(probed?.trouble ?? ["blkid was not asked"])],
  };
}

/** One run for all of them, since a start costs more than a look; if anything is odd about it, each is asked alone. */
async function askWipefs(paths: readonly string[]): Promise<Map<string, Content>> {
  if (paths.length === 0) return new Map();
  const argv = ["wipefs", "--no-act", "--json", ...paths];
  const { code, stdout, stderr } = await exec(argv, { ok: "any", timeoutMs });
  const found = code === 0 && stderr.trim() === "" ? parseWipefs(stdout) : undefined;
  if (found) {
    // It names a device by the last part of its path, which may be that of two.
    const typesOf = (path: string) => found.get(path.slice(path.lastIndexOf("/") + 1)) ?? [];
    return new Map(paths.map((path) => [path, { signatures: [...new Set(typesOf(path))], trouble: [] }]));
  }
  const [path = ""] = paths;
  const trouble = code === 0 && stderr.trim() === "" ? "wipefs printed what is not understood" : undefined;
  if (paths.length === 1) {
    return new Map([[path, { signatures: [], trouble: [trouble ?? complaint("wipefs", code, stderr)] }]]);
  }
  const alone: [string, Content][] = [];
  await inTurns(paths, disksAtOnce, async (path) => void alone.push(...(await askWipefs([path]))));
  return new Map(alone);
}

/** One run a device: of several, blkid leaves out all that come after one on which it finds nothing. */
async function askBlkid(path: string): Promise<Content> {
  const argv = ["blkid", "--probe", "--output", "export", path];
  const { code, stdout, stderr } = await exec(argv, { ok: "any", timeoutMs });
  // Signatures that exclude each other.
  if (code === 8) return { signatures: ["several signatures"], trouble: [] };
  // 2 is "nothing found", and also "not opened", which it says.
  if ((code !== 0 && code !== 2) || stderr.trim() !== "") {
    return { signatures: [], trouble: [complaint("blkid", code, stderr)] };
  }
  const signatures = parseBlkid(stdout);
  if (code === 2 || signatures.length > 0) return { signatures, trouble: [] };
  return { signatures: [], trouble: ["blkid found something and does not say what"] };
}

function complaint(program: string, code: number, stderr: string): string {
  const [line = ""] = stderr.trim().split("\n");
  return `${program} ${line.replace(`${program}: `, "") || `exited ${code}`}`;
}
