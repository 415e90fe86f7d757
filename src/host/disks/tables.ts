/** One line of mountinfo. */
export interface Mount {
  /** `MAJOR:MINOR`; of btrfs and the like not the device's. */
  number: string;
  target: string;
  fileSystem: string;
  /** As it was mounted: `/dev/sdb`, `tmpfs`, `tank/home`. */
  source: string;
  /** Here, or the file system itself wherever it is mounted. */
  readOnly: boolean;
}

/** Pure: /proc/PID/mountinfo (proc_pid_mountinfo(5)); a line of another form is an error, not nothing. */
export function parseMounts(text: string): Mount[] {
  return lines(text).map((line) => {
    const words = line.split(" ");
    const dash = words.indexOf("-", 6);
    const [number, target] = [words[2], words[4]];
    const [fileSystem, source] = [words[dash + 1], words[dash + 2]];
    // What ext4 says since Linux 6.13 of a file system that an error made read-only is not "ro".
    const readOnly = [words[5], words[dash + 3]].some(
      (options) => options?.split(",").some((word) => word === "ro" || word === "emergency_ro") === true,
    );
    if (dash < 0 || !number || !/^\d+:\d+$/.test(number) || !target || !fileSystem || source === undefined) {
      throw new Error(`mountinfo has a line that is not understood: ${line.slice(0, 80)}`);
    }
    return { number, target: unescapeOctal(target), fileSystem, source: unescapeOctal(source), readOnly };
  });
}

/** Pure: files and devices in /proc/swaps (proc(5)). */
export function parseSwaps(text: string): string[] {
  return lines(text)
    .slice(1)
    .map((line) => unescapeOctal(line.split(/\s/)[0] ?? ""));
}

/** Pure: kernel name → array, from /proc/mdstat: `md0 : active raid1 sdb1[1] sda1[0](F)`. */
export function parseMdstat(text: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const line of lines(text)) {
    const [, array, rest] = /^(md\S*) : (.*)$/.exec(line) ?? [];
    if (!array || rest === undefined) continue;
    for (const [, name] of rest.matchAll(/(\S+)\[\d+\]/g)) if (name) members.set(name, array);
  }
  return members;
}

/** Pure: the devices of fstab (field 1) or crypttab (field 2) as they are written there. */
export function parseTable(text: string, field: 1 | 2): string[] {
  return lines(text).flatMap((line) => {
    const words = line.trim().split(/\s+/);
    const word = words[field - 1];
    return !word || words[0]?.startsWith("#") ? [] : [unescapeOctal(word.replaceAll('"', ""))];
  });
}

/** Pure: `NAME=VALUE` of fstab as the path of udev's link (fstab(5)); a path as it is; undefined for the rest. */
export function tablePath(word: string): string | undefined {
  if (word.startsWith("/dev/")) return word;
  const [, tag, value] = /^(UUID|LABEL|PARTUUID|PARTLABEL|ID)=(.+)$/.exec(word) ?? [];
  return tag && value ? `/dev/disk/by-${tag.toLowerCase()}/${value}` : undefined;
}

/** Pure: a partition's path → those that its disk may have: it may be named before it is there. */
export function disksOf(path: string): string[] {
  const [, byLink] = /^(.+)-part\d+$/.exec(path) ?? [];
  const [, numbered] = /^(.+\d)p\d+$/.exec(path) ?? [];
  const [, lettered] = /^(.*[a-z])\d+$/.exec(path) ?? [];
  return [byLink, numbered, lettered].filter((name) => name !== undefined);
}

/** Pure: device → pool in `zpool status -LP`: indented paths below `pool: NAME`. */
export function parseZpool(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let pool = "";
  for (const line of lines(text)) {
    pool = /^\s*pool: (\S+)/.exec(line)?.[1] ?? pool;
    const path = /^\s+(\/dev\/\S+)/.exec(line)?.[1];
    if (path) members.set(path, pool);
  }
  return members;
}

/** Pure: device → volume group in `pvs --noheadings --separator '|' -o pv_name,vg_name`. */
export function parsePvs(text: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const line of lines(text)) {
    const [path = "", group = ""] = line.trim().split("|");
    if (path.startsWith("/dev/")) members.set(path, group);
  }
  return members;
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** Blanks and backslashes are written in octal (getmntent(3)). */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
