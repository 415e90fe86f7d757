/** Debian's maintainer scripts ask it before they start, stop or reload a service (init-system-helpers, README.policy-rc.d). */
export const startPolicyPath = "/usr/sbin/policy-rc.d";

const variable = "CHIME_NODE_INSTALLS";

/** In the environment of our own installations: what they run inherits it, down to the policy. */
export const installing: Record<string, string> = { [variable]: "1" };

/**
 * Pure: the policy while packages are installed that would start these units without our configuration. It says no to our
 * own installations alone. So it ends with them, however they end: one that a power cut or a kill has left denies nobody
 * anything.
 * @param earlier the policy that was there before, which answers all else
 */
export function startPolicy(units: readonly string[], earlier?: string): string {
  const names = units.flatMap((unit) => [unit, unit.replace(/\.service$/, "")]);
  return [
    "#!/bin/sh",
    "# Written by chime-node, which starts these services itself. It denies them to chime-node's own installation of their",
    "# packages and nothing to anybody else; chime-node takes it away after that, or when it is reset.",
    `if [ -n "$${variable}" ]; then`,
    "  for word; do",
    `    case "$word" in ${names.join("|") || "''"}) exit 101 ;; esac`,
    "  done",
    "fi",
    ...(earlier === undefined ? [] : [`[ ! -x ${quoted(earlier)} ] || exec ${quoted(earlier)} "$@"`]),
    "exit 0",
    "",
  ].join("\n");
}

/** Gone with a boot, as everything in /run. */
export const startPresetPath = "/run/systemd/system-preset/00-chime-node.preset";

/**
 * Pure: what has packages that are new here leave these units disabled (deb-systemd-helper(1p), systemd.preset(5)): enabled,
 * a power cut would have them started at boot, with their packages' own configuration.
 */
export function startPreset(units: readonly string[]): string {
  const lines = units.map((unit) => `disable ${unit}\n`);
  return `# Written by chime-node while it installs their packages: it enables these services itself.\n${lines.join("")}`;
}

/** One word of a shell's. */
const quoted = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;
