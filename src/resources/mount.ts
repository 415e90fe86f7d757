import { readdir } from "node:fs/promises";
import * as v from "valibot";
import { refused } from "../core/errors.ts";
import { findXfs, readXfsHead } from "../host/disks/xfs.ts";
import type { Mount } from "../host/disks/tables.ts";
import type { GivenDisk } from "../host/disks/record.ts";
import { makeDirectory, missingDirectories, removeEmptyDirectories } from "../host/files.ts";
import { isImmutable, setImmutable } from "../host/immutable.ts";
import { mountedAt } from "../host/mounts.ts";
import { daemonReload, pathUnit, setAtBoot, showUnit, systemctl } from "../host/systemd.ts";
import { file } from "./file.ts";
import { fingerprint } from "./fingerprint.ts";
import { unitCheck } from "./service.ts";
import type { ApplyContext, Change, Failures, InspectContext, Kind, Resource } from "./types.ts";

/**
 * A disk of ours at its place, by UUID, before its service and without holding up anything else: neither the boot nor the
 * service waits for one that is missing, and nobody can write to the place where it is not.
 * @param service the unit that works on it
 */
export function mount(given: GivenDisk, service: string): Resource[] {
  const place = mountPoint(given);
  const unit = file({
    path: `/etc/systemd/system/${pathUnit(given.at, "mount")}`,
    content: unitText(given, service),
    check: unitCheck,
    needs: [place.id],
  });
  return [place, unit, mounted(given, [`disk:${given.label}`, unit.id])];
}

/**
 * No default dependencies: by these, the boot would wait for the disk, and stop without it (systemd.mount(5)). The
 * service waits for as long as a slow disk takes to show up; before systemd 255, UUID= alone waits for nothing
 * (systemd #28989), and a container has no device units to wait for.
 */
function unitText({ label, uuid, at }: GivenDisk, service: string): string {
  const device = pathUnit(`/dev/disk/by-uuid/${uuid}`, "device");
  return `# Written by chime-node.
[Unit]
Description=${label} of chime-node
DefaultDependencies=no
Wants=${device}
After=local-fs-pre.target ${device}
Before=${service} umount.target
Conflicts=umount.target
JobTimeoutSec=15

[Mount]
What=UUID=${uuid}
Where=${at}
Type=xfs
Options=noatime,nofail

[Install]
WantedBy=local-fs.target ${service}
`;
}

/** An empty directory in which not even root can make anything while the disk is not there. */
function mountPoint({ at, uuid }: GivenDisk): Resource {
  const id = `mount-point:${at}`;
  return {
    id,
    needs: [],
    desired: fingerprint({ at }),
    async inspect() {
      const there = mountedAt(at);
      if (there) {
        // No unit is made for a place that another thing has: the agent would miss our disk there.
        await requireOurs(there, uuid);
        // Below a mount it cannot be seen, nor written to.
        return undefined;
      }
      const exists = (await missingDirectories(at)).length === 0;
      if (exists) await requireEmptyDirectory(at);
      if (exists && (await isImmutable(at))) return undefined;
      return {
        action: exists ? "update" : "create",
        impact: "none",
        diff: exists ? "+ immutable" : "+ an empty directory, immutable",
        async apply({ ledger }) {
          await ledger.before(id, { missing: await missingDirectories(at) });
          for (const path of await missingDirectories(at)) {
            await makeDirectory(path, { mode: 0o755, uid: 0, gid: 0 });
          }
          await setImmutable(at, true);
        },
      };
    },
  };
}

/** @throws ChimeError `mount.not_empty` */
async function requireEmptyDirectory(at: string): Promise<void> {
  const [name] = await readdir(at);
  if (name === undefined) return;
  throw refused("mount.not_empty", `${at} is to be a place for a disk, and has ${name} in it`, {
    remedy: `move away what is in ${at}, then run this again`,
  });
}

const placeSchema = v.object({ missing: v.array(v.string()) });

export const mountPointKind: Kind = {
  name: "mount-point",
  async undo(id, before) {
    const at = id.slice("mount-point:".length);
    const { missing } = v.parse(placeSchema, before);
    if (mountedAt(at)) {
      throw refused("mount.busy", `${at} is still mounted`, `umount ${at}, then run this again`);
    }
    if ((await missingDirectories(at)).length === 0) await setImmutable(at, false);
    await removeEmptyDirectories(missing);
  },
};

function mounted({ label, uuid, at }: GivenDisk, needs: readonly string[]): Resource {
  const id = `mount:${at}`;
  const unit = pathUnit(at, "mount");

  async function look(context: InspectContext): Promise<{ lines: string[]; isLoaded: boolean }> {
    const lines: string[] = [];
    const state = await showUnit(unit);
    if (state.file !== "enabled") lines.push("enable");
    if (state.needDaemonReload) lines.push("daemon-reload");
    const there = mountedAt(at);
    if (there) await requireOurs(there, uuid);
    else if (needs.some((need) => context.pending(need)) || (await findXfs(uuid)).length > 0)
      lines.push("start");
    return { lines, isLoaded: state.load === "loaded" && !state.needDaemonReload };
  }

  return {
    id,
    needs,
    desired: fingerprint({ uuid, at }),
    lane: "mounts",
    async inspect(context) {
      const { lines, isLoaded } = await look(context);
      if (lines.length === 0) return undefined;
      const change: MountChange = {
        action: lines.includes("start") ? "create" : "update",
        impact: "none",
        diff: `${lines.join(", ")}: ${label} at ${at}`,
        id,
        unit,
        at,
        isToEnable: lines.includes("enable"),
        isLoaded,
        async apply(context) {
          for (const error of (await mountAll([change], context)).values()) throw error;
        },
        together: (others, context) => mountAll([change, ...(others as MountChange[])], context),
      };
      return change;
    },
  };
}

interface MountChange extends Change {
  id: string;
  unit: string;
  at: string;
  isToEnable: boolean;
  /** systemd knows the unit as it is. */
  isLoaded: boolean;
}

/** systemd is told anew once for all of them: while it reloads, it neither enables nor starts another one. A bad disk is one alone. */
async function mountAll(
  changes: readonly MountChange[],
  { ledger, signal }: ApplyContext,
): Promise<Failures> {
  for (const { id } of changes) await ledger.before(id, null);
  const toEnable = changes.filter(({ isToEnable }) => isToEnable).map(({ unit }) => unit);
  if (toEnable.length > 0) await setAtBoot("enable", toEnable, signal);
  const reloaded = daemonReload();
  // Beside the start, where that does not need it: then it is only for systemd to tell that it is enabled.
  reloaded.catch(() => undefined);
  if (!changes.every(({ isLoaded }) => isLoaded)) await reloaded;
  const missing = changes.filter(({ at }) => !mountedAt(at));
  const started = await Promise.allSettled(missing.map(({ unit }) => systemctl("start", unit, signal)));
  await reloaded;
  return new Map(
    missing.flatMap((change, i) => {
      const result = started[i];
      return result?.status === "rejected" ? [[change, result.reason]] : [];
    }),
  );
}

/**
 * Who may open no disk, as the agent, has its place only to tell it by.
 * @throws ChimeError `mount.other`
 */
async function requireOurs({ target: at, source, fileSystem }: Mount, uuid: string): Promise<void> {
  if (fileSystem === "xfs") {
    const head = await readXfsHead(source).catch(() => "unseen" as const);
    if (head === "unseen" || head?.uuid === uuid) return;
  }
  throw refused("mount.other", `${at} is to be the place of a disk of ours, and ${source} is mounted there`, {
    remedy: `umount ${at}, then run this again`,
  });
}

export const mountKind: Kind = {
  name: "mount",
  async undo(id) {
    const unit = pathUnit(id.slice("mount:".length), "mount");
    const state = await showUnit(unit);
    if (state.file === "enabled") await setAtBoot("disable", [unit]);
    if (state.active !== "inactive" && state.active !== "failed") await systemctl("stop", unit);
  },
  settle: () => daemonReload(),
};
