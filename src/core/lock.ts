import { connect, createServer, type Server } from "node:net";
import { systemClock } from "./clock.ts";
import { refused } from "./errors.ts";

/** Holder name of the agent's own short runs: the command line waits for these instead of giving up. */
export const agentHolder = "the agent's reconcile";

/** How long a command waits for the agent's run, in ms. */
const patienceMs = 60_000;

/**
 * Holds a machine-wide lock while `work` runs. An abstract unix socket is the lock: the kernel frees it when the
 * holder dies, so there is no stale file. Connecting to it tells who holds it.
 * @throws ChimeError `lock.held` (exit 3)
 */
export async function withLock<T>(name: string, holder: string, work: () => Promise<T>): Promise<T> {
  const path = `\0chime-node/${name}`;
  const giveUp = systemClock.now() + patienceMs;
  let server = await listen(path, holder);
  while (!server) {
    const other = await askHolder(path);
    const passing = other === "" || other.startsWith(agentHolder);
    if (holder === agentHolder || !passing || systemClock.now() > giveUp) {
      throw refused("lock.held", `another chime-node run is at work on this node: ${other || "unknown"}`, {
        remedy: "wait for it to finish, then run this again",
      });
    }
    await systemClock.sleep(50);
    server = await listen(path, holder);
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

/** Undefined when somebody else holds the address. */
function listen(path: string, holder: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end(`${holder} (pid ${process.pid})`));
    server.unref();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
  });
}

/** Empty when the holder let go in the meantime. */
function askHolder(path: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path);
    socket.setTimeout(500, () => socket.destroy());
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
  });
}
