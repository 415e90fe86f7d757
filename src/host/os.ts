import { enterpriseLinux, isEnterpriseLinux } from "./el.ts";
import type { Facts } from "./facts.ts";

/**
 * Pure: what os-release(5) says. Derivatives count as the family that they name in ID_LIKE; some that install RPMs name
 * none. Kylin's desktop, which shares its ID with the server, names Debian.
 */
export function parseOsRelease(text: string): Facts["os"] {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    if (key && value !== undefined) values.set(key, unquote(value));
  }
  const get = (key: string) => values.get(key) ?? "";
  const likes = [get("ID"), ...get("ID_LIKE").split(" ")];
  return {
    id: get("ID"),
    versionId: get("VERSION_ID"),
    codename: get("VERSION_CODENAME"),
    family: likes.includes("debian")
      ? "debian"
      : isEnterpriseLinux(get("ID")) || likes.some((like) => ["rhel", "centos", "fedora"].includes(like))
        ? "el"
        : "unknown",
    name: get("PRETTY_NAME") || get("NAME") || get("ID"),
  };
}

/** The shell quoting that os-release(5) allows. */
function unquote(value: string): string {
  const [, quote, inner] = /^(["'])(.*)\1$/.exec(value) ?? [];
  if (inner === undefined) return value;
  return quote === "'" ? inner : inner.replace(/\\(["$`\\])/g, "$1");
}

/**
 * The catalog's key of a system: `debian-12`, `ubuntu-24.04`, and `el-9` for every Enterprise Linux and for those that
 * run its packages.
 */
export function systemKey(os: Pick<Facts["os"], "id" | "versionId" | "codename" | "family">): string {
  const el = os.family === "el" ? enterpriseLinux(os.id, os.versionId) : undefined;
  if (el !== undefined) return `el-${el}`;
  // What is not released yet has no number.
  return `${os.id}-${os.versionId || os.codename}`;
}
