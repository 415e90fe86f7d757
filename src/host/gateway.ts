import { readFile } from "node:fs/promises";
import { whoHas } from "./arp.ts";

/** RTF_UP | RTF_GATEWAY (linux/route.h). */
const viaGateway = 0x3;

/**
 * The gateway of the default route by one interface, the preferred one of several; undefined where there is none.
 * Pure: the text of /proc/net/route (proc(5)).
 */
export function parseGateway(procNetRoute: string, interfaceName: string): string | undefined {
  const routes = procNetRoute
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([name, to, , flags = "", , , , mask]) => {
      const isDefault = to === "00000000" && mask === "00000000";
      return name === interfaceName && isDefault && (Number.parseInt(flags, 16) & viaGateway) === viaGateway;
    })
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  const word = routes[0]?.[2];
  // The kernel's native word: little-endian on every machine that we build for.
  return word && Buffer.from(word, "hex").toReversed().join(".");
}

/**
 * Whether the default gateway by that interface answers now. It is asked by ARP: no gateway can refuse that, as some do
 * a ping, and nothing is sent beyond it.
 * @param except addresses that are no gateway, whatever the route says: a peer that routes is still the peer
 * @throws ChimeError `net.raw_socket`
 */
export async function gatewayAnswers(
  interfaceName: string,
  except: readonly string[],
  timeoutMs: number,
): Promise<boolean> {
  const address = parseGateway(await readFile("/proc/net/route", "utf8"), interfaceName);
  if (address === undefined || except.includes(address)) return false;
  return (await whoHas([address], interfaceName, { timeoutMs })).has(address);
}
