import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What an interface's link is right now. */
export interface Link {
  /** Undefined where there is no such interface. One that was made anew under the same name has another. */
  index: number | undefined;
  /** Changes with each loss and return of a carrier, of those below it too. */
  history: string;
  /** False without a carrier, and where it is set down. */
  isUp: boolean;
}

/** Drivers that know nothing of carriers say unknown (RFC 2863, ifOperStatus). */
const upStates = ["up", "unknown"];

/**
 * By what the kernel tells without its lock: for `carrier` one would wait for whoever configures an interface.
 * @param root where interfaces are listed, `/sys/class/net`
 */
export function readLink(interfaceName: string, root = "/sys/class/net"): Link {
  const seen = new Map<string, string>();
  lookAt(interfaceName, root, seen);
  const index = Number(seen.get(interfaceName)?.split(":")[0]);
  return {
    index: index > 0 ? index : undefined,
    history: [...seen.values()].join(" "),
    isUp: upStates.includes(read(join(root, interfaceName, "operstate"))),
  };
}

/**
 * A VLAN, bond or bridge hears by those below it. Of their losses it tells up to a second later, of a short one never, and not
 * while another one below it has a carrier (Linux, net/core/link_watch.c, net/bridge/br_if.c).
 */
function lookAt(name: string, root: string, seen: Map<string, string>): void {
  if (seen.has(name)) return;
  const [index, changes] = ["ifindex", "carrier_changes"].map((file) => read(join(root, name, file)));
  seen.set(name, `${index}:${changes}`);
  const below = entries(join(root, name)).filter((entry) => entry.startsWith("lower_"));
  for (const entry of below.sort()) lookAt(entry.slice("lower_".length), root, seen);
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Empty where it is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
