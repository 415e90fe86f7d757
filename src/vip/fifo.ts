import { closeSync, constants, fstatSync, mkdirSync, openSync } from "node:fs";
import { failed } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { log } from "../core/log.ts";
import { paths } from "../core/paths.ts";

/** VRRP state of a role's instance, as keepalived's notify FIFO tells it (keepalived.conf(5), NOTIFY). */
export type VipState = "MASTER" | "BACKUP" | "FAULT" | "UNKNOWN";

/**
 * Where keepalived writes one line a state change. Made by us (here, or by tmpfiles.d at boot): a FIFO that
 * keepalived had made itself it would unlink at its stop, and the agent would listen to nothing from then on.
 */
export const notifyFifo: string = `${paths.vip}/notify.fifo`;

/** `INSTANCE "NAME" STATE PRIORITY` of a 15-letter name is below 60; whatever is longer is not keepalived's. */
const longestLine = 256;

export interface Notification {
  instance: string;
  state: VipState;
}

/** A stopped or deleted instance holds no address, as one in FAULT. Priority events change no state. */
const states: Readonly<Record<string, VipState>> = {
  MASTER: "MASTER",
  BACKUP: "BACKUP",
  FAULT: "FAULT",
  STOP: "FAULT",
  DELETED: "FAULT",
};

/** One line of the notify FIFO (keepalived.conf(5), vrrp_notify_fifo); undefined for what is no state change. */
export function parseNotification(line: string): Notification | undefined {
  const match = /^INSTANCE "([\w.-]{1,64})" ([A-Z_]{1,32})(?: \d{1,3})?$/.exec(line.trim());
  const state = match && Object.hasOwn(states, match[2] ?? "") ? states[match[2] ?? ""] : undefined;
  return match?.[1] !== undefined && state !== undefined ? { instance: match[1], state } : undefined;
}

/** Cuts a byte stream into lines; a line that grows beyond the bound is dropped up to its end. */
export function lineSplitter(limit = longestLine): (chunk: string) => string[] {
  let rest = "";
  let dropping = false;
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (dropping && lines.length > 0) {
      lines.shift();
      dropping = false;
    }
    if (rest.length > limit) {
      rest = "";
      dropping = true;
    } else if (dropping) {
      rest = "";
    }
    return lines.filter((line) => line.length <= limit);
  };
}

/**
 * Reads keepalived's state changes until `close`. What was written while no agent ran is still in the FIFO (up to
 * 64 KB: keepalived drops what does not fit and never waits), so of each instance only the newest state of a chunk
 * is told. Compare with `holder.ts` after a start.
 * @throws ChimeError `vip.fifo` where the path is something else
 */
export async function readNotifications(
  onState: (notification: Notification) => void,
  path: string = notifyFifo,
): Promise<{ close(): Promise<void> }> {
  const fd = await openFifo(path);
  const reader = Bun.file(fd).stream().getReader();
  const split = lineSplitter();
  const decoder = new TextDecoder();
  const finished = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const newest = new Map<string, Notification>();
      for (const line of split(decoder.decode(value, { stream: true }))) {
        const notification = parseNotification(line);
        if (notification) newest.set(notification.instance, notification);
      }
      for (const notification of newest.values()) {
        try {
          onState(notification);
        } catch (error) {
          // Whoever hears of it may fail; a node that hears no more of its own VIP does not know that it has it.
          log.error("notify FIFO:", error);
        }
      }
    }
  })();
  return {
    async close() {
      await reader.cancel();
      await finished;
      closeSync(fd);
    },
  };
}

/** Opened for reading and writing, so that a restart of keepalived is no end of file (fifo(7)). */
async function openFifo(path: string): Promise<number> {
  mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o755 });
  const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await exec(["mkfifo", "-m", "0600", path]);
    fd = openSync(path, flags);
  }
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd);
    throw failed("vip.fifo", `${path} is not a FIFO`, "remove it and restart chime-node.service");
  }
  return fd;
}
