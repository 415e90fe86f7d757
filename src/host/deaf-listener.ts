import { failed } from "../core/errors.ts";
import { ipv4Bytes } from "./ipv4.ts";
import { libc } from "./libc.ts";
import { attachFilter, type Instruction } from "./packet-filter.ts";
import { internetAddress } from "./raw-socket.ts";

/** Linux numbers, the same on x64 and arm64 (socket(2), socket(7)). */
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;

/** `ret 0`: of every packet keep nothing. */
const keepNothing: readonly Instruction[] = [[0x06, 0, 0, 0]];

/**
 * Listens beside the program that has the port (SO_REUSEPORT) and hears nothing, until it is closed: once that program is
 * gone, whoever wants to connect is neither let in nor turned away, and asks again a second later (RFC 6298 §2), by when
 * somebody else may have the address.
 * @throws ChimeError `net.deaf_listener`
 */
export function listenDeaf(address: string, port: number): { close(): void } {
  const fd = libc().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const one = new Uint8Array(new Int32Array([1]).buffer);
  const where = internetAddress(ipv4Bytes(address), port);
  const done =
    fd >= 0 &&
    // Connections that were accepted by another user than the one who listens stand in the way without it.
    libc().setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, one, one.length) === 0 &&
    libc().setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, one, one.length) === 0 &&
    attachFilter(fd, keepNothing) &&
    libc().bind(fd, where, where.length) === 0 &&
    libc().listen(fd, 1) === 0;
  if (done) return { close: () => void libc().close(fd) };
  if (fd >= 0) libc().close(fd);
  throw failed("net.deaf_listener", `nothing can listen on ${address}:${port} beside what does`);
}
