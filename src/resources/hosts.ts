import { rm, stat } from "node:fs/promises";
import * as v from "valibot";
import { readText, temporaryOf, writeAtomically } from "../host/files.ts";
import { diffTexts } from "../plan/diff.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

export interface HostsOptions {
  /** Names the marked block, e.g. `members`. */
  name: string;
  entries: readonly { address: string; names: readonly string[] }[];
  /** Default /etc/hosts. */
  path?: string;
  needs?: readonly string[];
}

/** A marked block in /etc/hosts (hosts(5)); the rest of the file is the operator's and stays as it is. */
export function hosts(options: HostsOptions): Resource {
  const { name, path = "/etc/hosts" } = options;
  const id = `hosts:${name}`;
  const lines = options.entries.map(({ address, names }) => `${address}\t${names.join(" ")}`);
  return {
    id,
    needs: options.needs ?? [],
    desired: fingerprint(lines),
    // All blocks are in one file.
    lane: "hosts",
    async inspect() {
      const now = (await readText(path)) ?? "";
      const wanted = withBlock(now, name, lines);
      if (now === wanted) return undefined;
      return {
        action: now.includes(begin(name)) ? "update" : "create",
        impact: "none",
        diff: diffTexts(now, wanted),
        async apply({ ledger }) {
          await ledger.before(id, { path });
          // Read again: another block may have been written since.
          await rewrite(path, (text) => withBlock(text, name, lines));
        },
      };
    },
  };
}

const beforeSchema = v.object({ path: v.string() });

export const hostsKind: Kind = {
  name: "hosts",
  async undo(id, before) {
    const { path } = v.parse(beforeSchema, before);
    await rm(temporaryOf(path), { force: true });
    await rewrite(path, (text) => withBlock(text, id.slice("hosts:".length), []));
  },
};

const begin = (name: string) => `# begin chime-node ${name}`;
const end = (name: string) => `# end chime-node ${name}`;

/** Pure: the text with the block replaced, added at the end, or (without lines) taken out. */
export function withBlock(text: string, name: string, lines: readonly string[]): string {
  const all = text.split("\n");
  const from = all.indexOf(begin(name));
  const to = all.indexOf(end(name), from);
  const block = lines.length > 0 ? [begin(name), ...lines, end(name)] : [];
  if (from !== -1) {
    // Without its end, only the first line is surely ours.
    all.splice(from, to === -1 ? 1 : to - from + 1, ...block);
    return all.join("\n");
  }
  if (block.length === 0) return text;
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${block.join("\n")}\n`;
}

async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  const text = (await readText(path)) ?? "";
  const next = change(text);
  if (next === text) return;
  const info = await stat(path).catch(() => undefined);
  await writeAtomically(path, next, {
    mode: info ? info.mode & 0o7777 : 0o644,
    uid: info?.uid ?? 0,
    gid: info?.gid ?? 0,
  });
}
