import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";
import type { Device } from "./types.ts";

/** No `PATH` and no `MOUNTPOINTS`: util-linux 2.32 (EL 8) has neither. */
const columns = "NAME,KNAME,MAJ:MIN,TYPE,SIZE,RO,RM,MODEL,SERIAL,WWN,FSTYPE";

/** util-linux 2.32 prints numbers and flags as strings. */
const text = v.optional(v.nullable(v.pipe(v.string(), v.trim())));
const whole = v.pipe(v.union([v.string(), v.number()]), v.transform(Number), v.safeInteger(), v.minValue(0));
const flag = v.pipe(
  v.union([v.boolean(), v.picklist(["0", "1"])]),
  v.transform((given) => given === true || given === "1"),
);

interface Entry {
  kname: string;
  "maj:min": string;
  type: string;
  size: number;
  ro: boolean;
  rm: boolean;
  model?: string | null | undefined;
  serial?: string | null | undefined;
  wwn?: string | null | undefined;
  fstype?: string | null | undefined;
  children?: Entry[] | undefined;
}
const entry: v.GenericSchema<unknown, Entry> = v.object({
  kname: v.pipe(v.string(), v.regex(/^[^\s/.][^\s]*$/)),
  "maj:min": v.pipe(v.string(), v.trim(), v.regex(/^\d+:\d+$/)),
  type: v.string(),
  size: whole,
  ro: flag,
  rm: flag,
  model: text,
  serial: text,
  wwn: text,
  fstype: text,
  children: v.optional(v.array(v.lazy(() => entry))),
});
const schema = v.object({ blockdevices: v.array(entry) });

/**
 * Pure: the devices in `lsblk --json --bytes`, each once, though a device with two parents is printed below both.
 * @throws ChimeError `disks.unreadable` for what is not of that form
 */
export function parseLsblk(output: string): Device[] {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), output);
  if (!parsed.success) throw unreadable(`lsblk printed what is not understood: ${parsed.issues[0].message}`);
  const found = new Map<string, Device>();
  const walk = (entries: readonly Entry[]) => {
    for (const one of entries) {
      found.set(one.kname, toDevice(one));
      walk(one.children ?? []);
    }
  };
  walk(parsed.output.blockdevices);
  return [...found.values()];
}

function toDevice(one: Entry): Device {
  return {
    kernelName: one.kname,
    path: `/dev/${one.kname.replaceAll("!", "/")}`,
    number: one["maj:min"],
    type: one.type,
    size: one.size,
    readOnly: one.ro,
    removable: one.rm,
    model: one.model || null,
    serial: one.serial || null,
    wwn: one.wwn || null,
    fileSystem: one.fstype || null,
  };
}

/** Every block device with a medium, a container's host's too. @throws ChimeError `disks.unreadable` */
export async function listDevices(): Promise<Device[]> {
  const argv = ["lsblk", "--json", "--bytes", "--output", columns];
  const { code, stdout, stderr } = await exec(argv, { ok: "any", timeoutMs: 20_000 });
  if (code !== 0) throw unreadable(`lsblk ${stderr.trim().split("\n")[0] || `exited ${code}`}`);
  // Old ones print nothing on a machine without any.
  if (stdout.trim() === "") return [];
  return parseLsblk(stdout);
}

function unreadable(message: string) {
  return failed("disks.unreadable", message, "look at: lsblk --json --bytes");
}
