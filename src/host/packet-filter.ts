import { ptr } from "bun:ffi";
import { libc } from "./libc.ts";

/** Linux numbers, the same on x64 and arm64 (socket(7)). */
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;

/** One instruction of classic BPF (bpf(4)): its code, where to go on if true and if false, and its operand. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** Of what arrives at the socket the kernel keeps what the program returns, in bytes. False where it refused. */
export function attachFilter(socket: number, program: readonly Instruction[]): boolean {
  const code = new Uint8Array(8 * program.length);
  const words = new DataView(code.buffer);
  for (const [i, [word, ifTrue, ifFalse, operand]] of program.entries()) {
    words.setUint16(8 * i, word, true);
    words.setUint8(8 * i + 2, ifTrue);
    words.setUint8(8 * i + 3, ifFalse);
    words.setUint32(8 * i + 4, operand, true);
  }
  // struct sock_fprog: how many instructions, and where.
  const filter = new Uint8Array(16);
  const view = new DataView(filter.buffer);
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, BigInt(ptr(code)), true);
  return libc().setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, filter, filter.length) === 0;
}
