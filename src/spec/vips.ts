import type { Spec } from "./types.ts";

interface Vip {
  address: string;
  /** 1 to 32; 32 unless given. */
  prefix: number;
}

/** No leading zeros: some programs read `010` as eight. */
const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${octet}(\\.${octet}){3}$`);

/** `ADDRESS` or `ADDRESS/PREFIX`; what is wrong with it as a sentence's end where it is not one. */
export function parseVip(text: string): Vip | string {
  const [address = "", prefix, ...rest] = text.split("/");
  if (!ipv4.test(address)) return 'must be an IPv4 address, like "192.168.231.30"';
  if (rest.length > 0 || (prefix !== undefined && !/^([1-9]|[12]\d|3[0-2])$/.test(prefix))) {
    return `must have a prefix from 1 to 32, like "${address}/24"`;
  }
  const first = Number(address.split(".")[0]);
  // This host, loopback, multicast and reserved: RFC 6890 §2.2.2.
  if (first === 0 || first === 127 || first >= 224) return "must be an address that a host can have";
  return { address, prefix: prefix === undefined ? 32 : Number(prefix) };
}

interface VipUse {
  role: string;
  /** The dotted key it is written at. */
  key: string;
  vip: Vip;
}

/** Every VIP of the spec, with its place. */
export function vipsOf(spec: Spec): VipUse[] {
  return Object.entries(spec.roles).map(([role, { vip }]) => ({ role, key: `roles.${role}.vip`, vip }));
}

/** Later uses of an address that an earlier role has already: one address cannot follow two services. */
export function repeatedVips(uses: readonly VipUse[]): { key: string; message: string }[] {
  const first = new Map<string, string>();
  const repeated: { key: string; message: string }[] = [];
  for (const { key, vip } of uses) {
    const earlier = first.get(vip.address);
    if (earlier === undefined) first.set(vip.address, key);
    else repeated.push({ key, message: `must not be ${vip.address}: that is ${earlier} already` });
  }
  return repeated;
}
