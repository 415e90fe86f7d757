/** Those that are built from one source: their packages fit each other where the major version is the same. */
const rebuilds = new Set(["rhel", "centos", "rocky", "almalinux", "ol"]);

/**
 * Systems of their own that vendors build no packages for, and the Enterprise Linux whose packages they can run: not
 * older in its C library than that, and with the same OpenSSL (1.1.1 in 8, 3 in 9). No other version is guessed.
 */
const relatives: Record<string, Record<string, string>> = {
  openEuler: { "22.03": "8", "24.03": "9" },
  anolis: { "8": "8", "23": "9" },
  kylin: { V10: "8" },
};

/** Whether os-release's ID is one of a system that installs RPMs, whatever its ID_LIKE says. */
export function isEnterpriseLinux(id: string): boolean {
  return rebuilds.has(id) || id in relatives;
}

/** The major version of Enterprise Linux that a system counts as, by ID and VERSION_ID; undefined for strangers. */
export function enterpriseLinux(id: string, versionId: string): string | undefined {
  const [major = ""] = versionId.split(".");
  if (rebuilds.has(id)) return major || undefined;
  return relatives[id]?.[versionId] ?? relatives[id]?.[major];
}
