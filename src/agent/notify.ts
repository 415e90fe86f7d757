import { dlopen, FFIType, ptr } from "bun:ffi";

/**
 * sd_notify(3): one datagram to the unix socket that systemd names in NOTIFY_SOCKET.
 * Node and Bun have no unix datagram sockets, so libc is called directly.
 */
export function openNotify(socketPath: string | undefined): (state: string) => void {
  if (!socketPath) return () => {};
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
    sendto: {
      args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32],
      returns: FFIType.i64,
    },
  });
  const AF_UNIX = 1;
  const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
  const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  const address = socketAddress(socketPath);
  return (state) => {
    const bytes = new TextEncoder().encode(state);
    // A full or absent socket must never hold the agent up; systemd's watchdog speaks if it stays so.
    libc.sendto(fd, ptr(bytes), bytes.length, MSG_DONTWAIT_NOSIGNAL, ptr(address), address.length);
  };
}

/** struct sockaddr_un of unix(7); a leading `@` stands for the abstract name space. */
function socketAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  const address = new Uint8Array(2 + name.length);
  address[0] = 1;
  address.set(name, 2);
  return address;
}
