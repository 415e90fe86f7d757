import type { Facts } from "./facts.ts";
import { systemKey } from "./os.ts";

const titles: Record<string, string> = { debian: "Debian", ubuntu: "Ubuntu", el: "Enterprise Linux" };

/** What the keys of a family's systems begin with, those that are nearest to its derivatives first. */
const families: Record<string, readonly string[]> = { debian: ["debian", "ubuntu"], el: ["el"] };

/**
 * Which supported system to go to from one that is not: the same one in the nearest version, else the newest of its
 * family, else the newest Debian.
 * @param supported keys of the catalog (`debian-12`), one at least
 * @returns for people: `Debian 13`
 */
export function nearestSystem(os: Facts["os"], supported: readonly string[]): string {
  const [own = ""] = systemKey(os).split("-");
  // What has no number yet will have the next one.
  const wanted = os.versionId === "" ? Number.MAX_SAFE_INTEGER : numberOf(os.versionId);
  const systems = supported.map((key) => {
    const [id = "", version = ""] = key.split(/-(.*)/);
    return { id, version, distance: Math.abs(numberOf(version) - wanted) };
  });
  const same = systems.filter(({ id }) => id === own).sort((a, b) => a.distance - b.distance);
  const newest = systems.toSorted((a, b) => numberOf(b.version) - numberOf(a.version));
  const [kin] = (families[os.family] ?? []).flatMap((id) => newest.filter((system) => system.id === id));
  const found = same[0] ?? kin ?? newest.find(({ id }) => id === "debian") ?? newest[0];
  return found ? `${titles[found.id] ?? found.id} ${found.version}` : "";
}

function numberOf(version: string): number {
  return Number.parseFloat(version) || 0;
}
