/** RFC 9580 A.3: a version 6 certificate. */
export const version6 = {
  fingerprint: "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9",
  text: `-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
`,
};

const bytes = (size: number, value: number): Buffer => {
  const out = Buffer.alloc(size);
  out.writeUIntBE(value, 0, size);
  return out;
};

/** One packet in a form of RFC 9580 §4.2: of today with one, two or five bytes of length, or of old with two or four. */
export function packet(
  tag: number,
  body: Uint8Array,
  form: "new" | "five" | "old2" | "old4" = "new",
): Buffer {
  const { length } = body;
  const header =
    form === "old2"
      ? [Buffer.from([0x81 | (tag << 2)]), bytes(2, length)]
      : form === "old4"
        ? [Buffer.from([0x82 | (tag << 2)]), bytes(4, length)]
        : form === "five" || length >= 8384
          ? [Buffer.from([0xc0 | tag, 255]), bytes(4, length)]
          : length < 192
            ? [Buffer.from([0xc0 | tag, length])]
            : [Buffer.from([0xc0 | tag, 192 + ((length - 192) >> 8), (length - 192) & 0xff])];
  return Buffer.concat([...header, body]);
}

/** A primary key's packet without any mathematics in it. */
export function primary(created: number, material: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([4]), bytes(4, created), Buffer.from([1]), material]);
}

/** A signature's packet body: only what it says, for nobody verifies it here. */
export function signature(
  type: number,
  issuer: string,
  says: { created: number; keyExpires?: number },
): Buffer {
  const hashed = Buffer.concat([
    Buffer.from([5, 2]),
    bytes(4, says.created),
    ...(says.keyExpires === undefined ? [] : [Buffer.from([5, 0x80 | 9]), bytes(4, says.keyExpires)]),
  ]);
  const rest = Buffer.concat([Buffer.from([9, 16]), Buffer.from(issuer, "hex")]);
  const head = Buffer.from([4, type, 1, 8]);
  return Buffer.concat([head, bytes(2, hashed.length), hashed, bytes(2, rest.length), rest, Buffer.alloc(4)]);
}
