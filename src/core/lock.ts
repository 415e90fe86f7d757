import { createServer } from "node:net";
import { refused } from "./errors.ts";

/**
 * Holds a machine-wide lock while `work` runs. An abstract unix socket is the lock: the kernel frees it when the
 * holder dies, so there is no stale file. Connecting to it tells who holds it.
 * @throws ChimeError `lock.held` (exit 3)
 */
export async function withLock<T>(name: string, holder: string, work: () => Promise<T>): Promise<T> {
  const path = `\0chime-node/${name}`;
  const server = createServer((socket) => socket.end(`${holder} (pid ${process.pid})`));
  server.unref();
  const taken = await new Promise<boolean>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(true) : reject(error),
    );
    server.listen(path, () => resolve(false));
  });
  if (taken) {
    throw refused("lock.held", `another chime-node run is at work on this node: ${await askHolder(path)}`, {
      remedy: "wait for it to finish, then run this again",
    });
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

async function askHolder(path: string): Promise<string> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path);
    socket.setTimeout(500, () => socket.destroy());
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("error", () => resolve(text || "unknown"));
    socket.on("close", () => resolve(text || "unknown"));
  });
}
