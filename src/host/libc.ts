import { dlopen } from "bun:ffi";

let symbols: ReturnType<typeof load> | undefined;

/** What the runtime has none of its own for, by libc's C interface. Loaded at the first use only: most runs need none. */
export function libc(): ReturnType<typeof load> {
  return (symbols ??= load());
}

function load() {
  return dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    listen: { args: ["i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
    adjtimex: { args: ["ptr"], returns: "i32" },
    if_nametoindex: { args: ["ptr"], returns: "u32" },
  }).symbols;
}
