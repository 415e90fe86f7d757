/** By `--target`: Bun's name of it and the ELF machine number (elf(5)). */
export const targets = {
  "linux-x64": { bun: "bun-linux-x64", npm: "@oven/bun-linux-x64", machine: 62 },
  "linux-arm64": { bun: "bun-linux-arm64", npm: "@oven/bun-linux-aarch64", machine: 183 },
} as const;
export type Target = keyof typeof targets;

export const allTargets = Object.keys(targets) as Target[];

export const nativeTarget: Target = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
