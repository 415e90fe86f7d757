import type { Facts } from "./facts.ts";

/** Pure: what os-release(5) says. Derivatives count as the family that they name in ID_LIKE. */
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
      : likes.some((like) => like === "rhel" || like === "centos" || like === "fedora")
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

/** The catalog's key of a system: `debian-12`, `ubuntu-24.04`, and the major alone where minors are one system. */
export function systemKey(os: Pick<Facts["os"], "id" | "versionId" | "codename" | "family">): string {
  const version = os.family === "el" ? os.versionId.split(".")[0] : os.versionId;
  // What is not released yet has no number.
  return `${os.id}-${version || os.codename}`;
}
