import { connect, createServer, type AddressInfo } from "node:net";

/** What becomes of a connection to this machine within 300 ms. */
export function knock(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const tell = (what: string) => {
      socket.destroy();
      resolve(what);
    };
    socket.on("connect", () => tell("let in"));
    socket.on("error", (error: NodeJS.ErrnoException) => tell(error.code ?? "error"));
    socket.setTimeout(300, () => tell("nothing"));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
