import { connect } from "node:net";
import { failed } from "../../core/errors.ts";

/** Runtime commands and statistics, for root alone. */
export const statsSocket = "/run/haproxy/chime-node.sock";

/** A hundred servers' statistics are 60 KB. */
const answerLimit = 2 ** 20;
/** It answers within a millisecond, and has nothing else to do. */
const timeoutMs = 2_000;

/**
 * Gives the running haproxy a command and returns what it answers; undefined where none runs.
 * @throws ChimeError `balancer.stats` where it does not answer, or with too much
 */
export function askHaproxy(command: string, path: string = statsSocket): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const chunks: Buffer[] = [];
    let length = 0;
    const giveUp = (why: string) => {
      socket.destroy();
      reject(failed("balancer.stats", `haproxy ${why}`, "systemctl status haproxy"));
    };
    socket.setTimeout(timeoutMs, () => giveUp(`does not answer at ${path}`));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") resolve(undefined);
      else giveUp(`cannot be asked at ${path}: ${error.message}`);
    });
    socket.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > answerLimit) giveUp("answers with more than 1 MiB");
      else chunks.push(chunk);
    });
    socket.on("end", () => resolve(Buffer.concat(chunks).toString()));
    socket.end(`${command}\n`);
  });
}
