import type { DiskFacts, Refusal, RefusalCode, Verdict } from "./types.ts";

const GiB = 2 ** 30;
/** Below it no store is useful, and firmware areas, BMC sticks and boot images begin. */
const smallest = GiB;

/** What a machine does not run without. */
const system = ["/", "/boot", "/boot/efi", "/usr", "/var"];
const isSystem = (target: string): boolean => system.includes(target);

type Rule = [code: RefusalCode, look: (facts: DiskFacts) => string | false | undefined];

/** In the order in which they tell most: what it is, who uses it, what is on it, what could not be seen. */
const rules: readonly Rule[] = [
  ["no_node", (facts) => noNode(facts)],
  ["not_a_disk", (facts) => notADisk(facts)],
  ["system", ({ mounts }) => told("holds", targets(mounts).filter(isSystem))],
  ["mounted", ({ mounts }) => told("is mounted at", targets(mounts))],
  ["mounted", ({ mounts }) => told("is mounted at", mounts.map(elsewhere))],
  ["swap", ({ swap }) => swap && "is swap space in use"],
  ["member", ({ members }) => told("belongs to", members)],
  ["partitions", ({ partitions }) => told("has partitions:", partitions)],
  ["held", ({ holders }) => told("is held by", holders)],
  ["same_storage", ({ twins }) => told("is the same storage as", twins)],
  ["open", ({ openIn }) => told("is open in", openIn)],
  ["configured", ({ namedIn }) => told("is named in", namedIn)],
  ["unsafe_file", (facts) => unsafeFile(facts)],
  ["read_only", ({ device }) => device.readOnly && "is read-only"],
  ["removable", ({ device }) => device.removable && "is removable"],
  ["too_small", ({ device }) => device.size < smallest && "is smaller than 1 GiB"],
  ["content", ({ content }) => told("carries", content.signatures)],
  ["busy", ({ hold }) => hold?.refusal && `is in use: it cannot be opened alone (${hold.refusal})`],
  ["not_blank", ({ hold }) => told("is not blank: there is data in its", hold?.written.map(part) ?? [])],
  ["unknown", (facts) => told("counts as used, for it could not be looked at:", troubleOf(facts))],
];

/** Pure: a disk is usable when no rule says no. There is no way around a rule. */
export function judge(facts: DiskFacts): Verdict {
  const unopened: Refusal = { code: "unknown", message: "counts as used, for nobody opened it" };
  const reason = firstReason(facts) ?? (facts.hold ? null : unopened);
  return { usable: reason === null, reason, warnings: reason ? [] : warnings(facts) };
}

/**
 * Pure: whether it is worth opening alone. What is in use already is not: for that moment nobody else could mount it.
 */
export function worthHolding(facts: DiskFacts): boolean {
  return firstReason(facts) === undefined;
}

function firstReason(facts: DiskFacts): Refusal | undefined {
  for (const [code, look] of rules) {
    const message = look(facts);
    if (message) return { code, message };
  }
  return undefined;
}

function noNode({ node, device, container }: DiskFacts): string | undefined {
  if (node === "missing") return container ? "is the host's" : "has no device node";
  return node === "other" ? `is not what ${device.path} stands for` : undefined;
}

function notADisk({ device, virtual }: DiskFacts): string | undefined {
  if (device.type === "mpath" || device.type === "loop") return undefined;
  if (device.type === "part") return "is a partition, not a whole disk";
  if (device.type !== "disk") return `is no disk (${device.type})`;
  if (virtual) return "is no disk: a driver made it up";
  return device.size === 0 ? "holds no medium" : undefined;
}

function unsafeFile({ backing, device, container }: DiskFacts): string | undefined {
  if (device.type !== "loop") return undefined;
  if (!backing) return "is a loop device whose file cannot be told";
  if (backing.place === "deleted") return `lies on a file that was deleted, ${backing.file}`;
  if (backing.place === "memory") return `lies on a file in memory, ${backing.file}`;
  if (backing.place === "device") return `is a second name of ${backing.file}`;
  if (backing.place === "elsewhere" && !container) return `lies on a file that is not there, ${backing.file}`;
  return backing.partial ? `shows only a part of ${backing.file}` : undefined;
}

function warnings({ device, backing, stableName }: DiskFacts): string[] {
  if (device.type === "loop") return [`is a loop device: a file on another disk, ${backing?.file}`];
  if (device.serial || device.wwn) return [];
  const by = stableName.startsWith("/dev/disk/by-path/") ? "its path and size" : "its kernel name and size";
  return [`has no serial number: it can be told by ${by} only`];
}

function troubleOf({ trouble, content, hold }: DiskFacts): string[] {
  return [...trouble, ...content.trouble, ...(hold?.trouble ?? [])];
}

type Mounts = DiskFacts["mounts"];
const targets = (mounts: Mounts): string[] =>
  mounts.filter(({ where }) => where === null).map(({ target }) => target);
const elsewhere = ({ target, where }: Mounts[number]): string => `${target} in ${where}`;
const part = (end: "first" | "last"): string => `${end} MiB`;

/** A few of them are enough to know what is meant. */
function told(words: string, things: readonly string[]): string | undefined {
  if (things.length === 0) return undefined;
  const more = things.length > 3 ? ` and ${things.length - 3} more` : "";
  return `${words} ${things.slice(0, 3).join(", ")}${more}`;
}
