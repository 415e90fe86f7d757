import * as v from "valibot";
import { maxPlainBytes } from "./seal.ts";
import { packet, type Packet } from "./types.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function encodePacket(message: Packet): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** Undefined for what is no packet: a member sealed it, and another version of it may say more than we know. */
export function decodePacket(plain: Uint8Array): Packet | undefined {
  if (plain.length > maxPlainBytes) return undefined;
  try {
    const parsed = v.safeParse(packet, JSON.parse(utf8.decode(plain)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
