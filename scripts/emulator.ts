/** Runs programs for arm64 on x64 (Debian: qemu-user, and the libraries of libc6-arm64-cross, libgcc-s1-arm64-cross). */
export const emulator = {
  program: "/usr/bin/qemu-aarch64",
  args: ["-L", "/usr/aarch64-linux-gnu"],
  packages: ["qemu-user", "libc6-arm64-cross", "libgcc-s1-arm64-cross"],
} as const;
