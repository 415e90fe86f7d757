import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { agentPort, paths } from "../core/paths.ts";
import type { Check, Finding } from "./checks.ts";
import type { Facts } from "./facts.ts";
import { freeBytes } from "./free-space.ts";
import { listenerOn } from "./listeners.ts";
import { nearestSystem } from "./nearest-system.ts";
import { systemKey } from "./os.ts";
import { lockHolder } from "./packages/dpkg-lock.ts";

const MiB = 2 ** 20;
/**
 * Of /var. Below 1 GiB a bare Debian cannot be sure to hold what the largest role installs: 0.2 GB of archives and
 * 0.5 GB unpacked at the same time, and 0.2 GB of a fresh data directory. Below 4 GiB a week of binary logs may not
 * fit. A witness needs less, and may `--ignore` it.
 */
const space = { least: 1024 * MiB, comfortable: 4096 * MiB };
/** A machine sold with 1 GB shows a little less. */
const comfortableMemory = 900 * MiB;

/** What the checks ask the machine beside the facts; tests put recordings in its place. */
export interface Machine {
  uid(): number;
  /** Undefined, or why a directory cannot be written to (EROFS, EACCES). */
  whyNotWritable(path: string): Promise<string | undefined>;
  freeBytes(path: string): Promise<number>;
  listenerOn: typeof listenerOn;
  lockHolder(): Promise<string | undefined>;
}

const machine: Machine = {
  uid: () => process.getuid?.() ?? -1,
  async whyNotWritable(path) {
    try {
      // access(2) tells a read-only file system to root, too, and writes nothing.
      await access(path, constants.W_OK);
      return undefined;
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      return code === "EROFS" ? "its file system is read-only" : `${code} when asked`;
    }
  },
  freeBytes,
  listenerOn,
  lockHolder,
};

/**
 * The checks of a machine that hold for every role. They only look.
 * @param supported keys of systems that the catalog knows (`debian-12`)
 */
export function hostChecks(
  { facts, supported }: { facts: Facts; supported: readonly string[] },
  ask: Machine = machine,
): Check[] {
  return [
    check("root", () =>
      ask.uid() === 0 ? undefined : error("this must be run as root", "run it with sudo or as root"),
    ),
    check("systemd", () =>
      facts.init === "systemd"
        ? undefined
        : error("systemd does not run as init here", "use a machine or container that boots with systemd"),
    ),
    check("system", () =>
      supported.includes(systemKey(facts.os))
        ? undefined
        : error(
            `${facts.os.name || "this system"} is not supported`,
            `use ${nearestSystem(facts.os, supported)}, the nearest of ${supported.join(", ")}`,
          ),
    ),
    check("clock", () =>
      facts.clockSynchronized === false
        ? warning("the clock is not synchronized", "install chrony or enable systemd-timesyncd on every node")
        : undefined,
    ),
    check("default-route", () =>
      facts.defaultRoute
        ? undefined
        : warning(
            "there is no default route: packages must come from a repository in this network",
            "add a route if the repositories are elsewhere",
          ),
    ),
    ...["/etc", "/usr/local/bin", "/var/lib"].map((path) =>
      check(`writable.${path.slice(1).replaceAll("/", "-")}`, async () => {
        const why = await ask.whyNotWritable(path);
        return why === undefined
          ? undefined
          : error(`${path} cannot be written to: ${why}`, `make ${path} writable, e.g. mount -o remount,rw`);
      }),
    ),
    check("disk-space", async () => sizeFinding(await ask.freeBytes("/var/lib"))),
    check("memory", () =>
      facts.memoryBytes < comfortableMemory
        ? warning(`this machine has ${mib(facts.memoryBytes)} of memory`, "give it 1 GB or more")
        : undefined,
    ),
    check("port.8820", async () => agentPortFinding("TCP", await ask.listenerOn(agentPort, "tcp"))),
    check("port.8820-udp", async () => agentPortFinding("UDP", await ask.listenerOn(agentPort, "udp"))),
    check("package-lock", async () => {
      const holder = facts.packageManager === "apt" ? await ask.lockHolder() : undefined;
      return holder === undefined
        ? undefined
        : warning(
            `the package system is locked by ${holder}`,
            "nothing has to be done: the run waits until it is free",
          );
    }),
  ];
}

function sizeFinding(free: number): Finding | undefined {
  const message = `/var/lib has ${mib(free)} free`;
  if (free < space.least) return error(message, `free at least ${mib(space.least)}`);
  return free < space.comfortable
    ? warning(message, `${mib(space.comfortable)} leave room for a week of binary logs`)
    : undefined;
}

function agentPortFinding(
  protocol: string,
  listener: Awaited<ReturnType<typeof listenerOn>>,
): Finding | undefined {
  if (listener === undefined) return undefined;
  // The agent that runs here already; `(deleted)` follows the path where the binary was replaced since.
  if (listener !== "unknown" && listener.binary.split(" ")[0] === paths.binary) return undefined;
  const who = listener === "unknown" ? "another process" : `${listener.program} (pid ${listener.pid})`;
  return error(
    `${protocol} port ${agentPort}, the agent's, is taken by ${who}`,
    "stop that program or move it to another port",
  );
}

function check(name: string, run: () => Finding | undefined | Promise<Finding | undefined>): Check {
  return { name, run: async () => run() };
}

const error = (message: string, remedy: string): Finding => ({ severity: "error", message, remedy });
const warning = (message: string, remedy: string): Finding => ({ severity: "warning", message, remedy });
const mib = (bytes: number): string => `${Math.floor(bytes / MiB)} MiB`;
