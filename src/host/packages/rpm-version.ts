import { exec } from "../../core/exec.ts";

/** Whether a version ([EPOCH:]VERSION-RELEASE) is older than another one, as rpm counts. @throws ChimeError `exec.*` */
export async function isOlderRpm(one: string, other: string): Promise<boolean> {
  const [mine, theirs] = [split(one), split(other)];
  // rpm 4.14 compares no epochs: part for part.
  const parts = mine.map((part, at) => `rpm.vercmp("${part}", "${theirs[at]}")`);
  const { stdout } = await exec(["rpm", "--eval", `%{lua: print(${parts.join(", ")})}`]);
  const [first] = stdout
    .trim()
    .split(/\s+/)
    .filter((sign) => sign !== "0");
  return first === "-1";
}

/** Epoch, version, release. Nothing in them ends the string that they become a part of. */
function split(version: string): string[] {
  const [, epoch = "0", name = "", release = ""] =
    /^(?:(\d+):)?([\w.+~^]*)(?:-([\w.+~^]*))?$/.exec(version) ?? [];
  return [epoch, name, release];
}
