import { randomBytes } from "node:crypto";
import { exec, pipe, type Piped } from "../../../core/exec.ts";

/** `offer`: on the node that serves; `fetch`: on the one that is filled. */
export type Half = "offer" | "fetch";

export interface Program {
  half: Half;
  /** Who the server runs as. */
  user: string;
  argv: readonly string[];
  /** The one directory that it may write to. */
  writes?: string;
  /** It reaches the other node by itself. */
  network?: boolean;
}

/** A program run by the server's user: what that user puts into its directory must not lead root astray. */
export function asServer(user: string, argv: readonly string[]): string[] {
  return ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--", ...argv];
}

/**
 * The same as a unit of its own, whose pipes are the caller's: the agent has little memory to spare, and what comes from
 * another node is unpacked where a name in it (`../`, `/etc/…`) leads nowhere (systemd.exec(5), sandboxing).
 */
export function confined({ half, user, argv, writes, network = false }: Program): {
  unit: string;
  argv: string[];
} {
  const unit = `chime-node-${half}-${randomBytes(4).toString("hex")}.service`;
  const properties = [
    `User=${user}`,
    "UMask=0077",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    ...(network
      ? ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"]
      : ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"]),
    "LimitCORE=0",
    "KillSignal=SIGKILL",
    ...(writes === undefined ? [] : [`ReadWritePaths=${writes}`]),
  ];
  const options = ["--quiet", "--collect", "--pipe", "--wait", `--unit=${unit}`];
  const set = properties.map((property) => `--property=${property}`);
  return { unit, argv: ["systemd-run", ...options, ...set, "--", ...argv] };
}

/** Starts it with streams for its input and output. @throws ChimeError `exec.missing` */
export function pipeProgram(program: Program): Piped {
  const { unit, argv } = confined(program);
  const child = pipe(argv);
  let isOver = false;
  void child.ended.finally(() => {
    isOver = true;
  });
  return {
    ...child,
    kill() {
      if (isOver) return;
      child.kill();
      // That was systemd-run: the program itself is systemd's child.
      void exec(["systemctl", "kill", "--signal=KILL", unit], { ok: "any" });
    },
  };
}

/** Ends what an agent that was killed left running: its pipes are gone. */
export async function endPrograms(half: Half): Promise<void> {
  await exec(["systemctl", "stop", `chime-node-${half}-*.service`], { ok: "any" });
}
