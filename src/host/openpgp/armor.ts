import { failed } from "../../core/errors.ts";

const title = "PGP PUBLIC KEY BLOCK";

/** The bytes of a key file, be it binary or in ASCII armor (RFC 9580 §6.2). @throws ChimeError `openpgp.broken` */
export function dearmor(file: Uint8Array): Uint8Array {
  // A packet's first byte has its highest bit set; text has not.
  if ((file[0] ?? 0) >= 0x80) return file;
  const lines = new TextDecoder("latin1").decode(file).split(/\r?\n/);
  const begin = lines.findIndex((line) => line.trimEnd() === `-----BEGIN ${title}-----`);
  const headersEnd = lines.findIndex((line, at) => at > begin && line.trim() === "");
  const end = lines.findIndex((line, at) => at > begin && line.trimEnd() === `-----END ${title}-----`);
  if (begin < 0 || headersEnd < 0 || end < headersEnd) throw failed("openpgp.broken", "this is no key file");
  const body = lines.slice(headersEnd + 1, end).map((line) => line.trim());
  // The checksum of old: whether the bytes are the right ones is what the fingerprint says.
  const text = body.filter((line) => !line.startsWith("=")).join("");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw failed("openpgp.broken", "the key file's base64 is broken");
  }
  return Buffer.from(text, "base64");
}

/** ASCII armor as apt and rpm both read it, checksum included. */
export function armor(bytes: Uint8Array): string {
  const body = Buffer.from(bytes).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  const sum = crc24(bytes);
  const check = Buffer.from([sum >> 16, (sum >> 8) & 0xff, sum & 0xff]).toString("base64");
  return `-----BEGIN ${title}-----\n\n${body}\n=${check}\n-----END ${title}-----\n`;
}

/** RFC 9580 §6.1.1. */
function crc24(bytes: Uint8Array): number {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return crc & 0xffffff;
}
