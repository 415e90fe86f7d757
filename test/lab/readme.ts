import { resolve } from "node:path";
import { initCommand, vip } from "./pair.ts";

const readme = resolve(import.meta.dir, "../../README.md");

/** The commands of the README's code block with these words, each in one line, without its comments. */
export async function readmeLines(words: string): Promise<string[]> {
  const blocks = (await Bun.file(readme).text()).split(/^```$/m).filter((_, at) => at % 2 === 1);
  const block = blocks.find((one) => one.includes(words));
  if (block === undefined) throw new Error(`the README has no commands with ${words}`);
  return block
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/\s*#.*$/, ""))
    .filter(Boolean);
}

/** A line with what a lab has of its own: its VIP, its system's engine, the token of its cluster. */
export function inLab(line: string, token = ""): string {
  const engine = initCommand.find((word) => word.startsWith("roles.mysql.engine=")) ?? "";
  return line
    .replaceAll("192.168.231.30", vip)
    .replaceAll("roles.mysql.engine=mariadb", engine)
    .replaceAll("chime1.…", token);
}
