import { exec } from "../core/exec.ts";

/** Debian's policy has each package's licence at this place; where it is a link, another one of the same source has it. */
const script =
  'dpkg-deb --fsys-tarfile "$1" | tar -x --to-stdout --wildcards --occurrence=1 "./usr/share/doc/*/copyright"';

/** What a package of Debian's says of its licence; empty where it leaves that to another one. @throws ChimeError `exec.*` */
export async function debLicense(file: string, signal: AbortSignal): Promise<string> {
  // tar stops at the first: what it does not read ends dpkg-deb.
  const { stdout } = await exec(["sh", "-c", script, "sh", file], { signal, ok: "any", timeoutMs: 300_000 });
  return stdout;
}
