import { readdirSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { describeDisk } from "../host/disks/identity.ts";
import { loadGiven, type GivenDisk } from "../host/disks/record.ts";
import { readState } from "../host/disks/sysfs.ts";
import { mountedAt } from "../host/mounts.ts";
import { pathUnit, showUnit, systemctl } from "../host/systemd.ts";
import type { Problem } from "../roles/guard.ts";

const everyMs = 5_000;

/** The host, as far as disks that are missing go. The agent itself may open no disk (chime-node.service). */
export interface MountsHost {
  given(): Promise<GivenDisk[]>;
  isMounted(disk: GivenDisk): boolean;
  /** Is there, and nothing can be written to it. */
  isReadOnly(disk: GivenDisk): boolean;
  /** Whether it was made: its mount unit is there. */
  isMade(disk: GivenDisk): Promise<boolean>;
  /** Another word whenever a disk of its size has come or gone. */
  plugged(disk: GivenDisk): string;
  mount(disk: GivenDisk): Promise<void>;
}

interface Missing {
  disk: GivenDisk;
  /** The disks of its size when it was last looked for. */
  plugged: string;
  /** Why it was not mounted then; empty where nobody tried. */
  failure: string;
}

/**
 * Whether every disk of this node's roles is at its place. A missing one is mounted when a disk of its size shows up, and
 * when the agent starts; what somebody unmounted stays so until then.
 */
export class Mounts {
  readonly #clock: Pick<Clock, "now">;
  readonly #host: MountsHost;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  /** By UUID; undefined before the first look. */
  #missing: Map<string, Missing> | undefined;
  /** As of the last look. */
  #readOnly: GivenDisk[] = [];
  /** Why the last look failed. */
  #trouble: string | undefined;

  constructor(clock: Pick<Clock, "now">, host: MountsHost = realHost) {
    this.#clock = clock;
    this.#host = host;
  }

  /** What was missing at the last look and still is; looks again where that is a while ago. Never waited for: a disk may hang. */
  problems(node: string): Problem[] {
    if (this.#clock.now() - this.#lookedAt >= everyMs) void this.look();
    if (this.#trouble !== undefined) return [unknown(node, this.#trouble)];
    // A join may have put it at its place since then.
    const missing = [...(this.#missing?.values() ?? [])].filter(({ disk }) => !this.#host.isMounted(disk));
    return [
      ...missing.map((one) => missingProblem(node, one)),
      ...this.#readOnly.map((disk) => readOnlyProblem(node, disk)),
    ];
  }

  look(): Promise<void> {
    this.#lookedAt = this.#clock.now();
    this.#looking ??= this.#attempt().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #attempt(): Promise<void> {
    try {
      await this.#look();
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = (error as Error).message;
    }
  }

  async #look(): Promise<void> {
    const missing = new Map<string, Missing>();
    const given = await this.#host.given();
    this.#readOnly = given.filter((disk) => this.#host.isReadOnly(disk));
    for (const disk of given) {
      if (this.#host.isMounted(disk) || !(await this.#host.isMade(disk))) continue;
      const plugged = this.#host.plugged(disk);
      const known = this.#missing?.get(disk.uuid);
      const isNew = this.#missing === undefined || (known !== undefined && known.plugged !== plugged);
      const failure = isNew ? await this.#mount(disk) : (known?.failure ?? "");
      if (!this.#host.isMounted(disk)) missing.set(disk.uuid, { disk, plugged, failure });
    }
    this.#missing = missing;
  }

  /** @returns why it could not */
  async #mount(disk: GivenDisk): Promise<string> {
    try {
      await this.#host.mount(disk);
      log.info(`${disk.label} is mounted at ${disk.at}`);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  }
}

function missingProblem(node: string, { disk: { at, identity }, failure }: Missing): Problem {
  return {
    code: "disk.missing",
    severity: "error",
    node,
    message: `nothing is mounted at ${at} of ${node}, the place of ${describeDisk(identity)}${failure && `: ${failure}`}`,
    remedy: `chime-node disks on ${node} shows whether it is there; if it is: systemctl start ${pathUnit(at, "mount")}; if it failed: chime-node disk replace ${at} --disk DEV`,
  };
}

/** Its service may go on as if nothing were: MinIO counts such a drive as online (tried). */
function readOnlyProblem(node: string, { at, identity }: GivenDisk): Problem {
  return {
    code: "disk.read_only",
    severity: "error",
    node,
    message: `${at} of ${node} is read-only: nothing is stored on ${describeDisk(identity)} any more`,
    remedy: `journalctl --dmesg on ${node} says why; mount -o remount,rw ${at}, or where the disk failed: chime-node disk replace ${at} --disk DEV`,
  };
}

function unknown(node: string, trouble: string): Problem {
  return {
    code: "disk.unknown",
    severity: "error",
    node,
    message: `whether the disks of ${node} are at their places cannot be told: ${trouble}`,
    remedy: `journalctl -u chime-node on ${node}`,
  };
}

const realHost: MountsHost = {
  given: () => loadGiven(),
  isMounted: ({ at }) => mountedAt(at)?.fileSystem === "xfs",
  isReadOnly: ({ at }) => mountedAt(at)?.readOnly === true,
  isMade: async ({ at }) => (await showUnit(pathUnit(at, "mount"))).load === "loaded",
  plugged: ({ identity: { size } }) =>
    readdirSync("/sys/class/block")
      .map(stateOf)
      .filter((state) => Number(state.split(" ")[1]) * 512 === size)
      .join(", "),
  mount: ({ at }) => systemctl("start", pathUnit(at, "mount")),
};

function stateOf(kernelName: string): string {
  try {
    return readState(kernelName);
  } catch {
    // Gone since it was listed.
    return "";
  }
}
