import * as v from "valibot";
import { closePort, detectFirewall, isOpen, openingName, openPort, type Opening } from "../host/firewall.ts";
import { fingerprint } from "./fingerprint.ts";
import type { Kind, Resource } from "./types.ts";

/**
 * A port or protocol let in by the firewall's manager (firewalld, ufw), where one is active. A rule set that nobody
 * manages is not edited: preflight names the rule to add.
 */
export function port(options: Opening & { needs?: readonly string[] }): Resource {
  const opening: Opening =
    options.protocol === "vrrp" ? { protocol: "vrrp" } : { protocol: options.protocol, port: options.port };
  const id = `port:${openingName(opening)}`;
  return {
    id,
    needs: options.needs ?? [],
    desired: fingerprint(opening),
    // Both managers write whole rule files; two at once would lose one.
    lane: "firewall",
    async inspect() {
      const firewall = await detectFirewall();
      if (await isOpen(firewall, opening)) return undefined;
      return {
        action: "create",
        impact: "none",
        diff: `+ ${firewall}: let in ${openingName(opening)}`,
        async apply({ ledger }) {
          await ledger.before(id, { firewall, opening });
          await openPort(firewall, opening);
        },
      };
    },
  };
}

const beforeSchema = v.object({
  firewall: v.picklist(["none", "firewalld", "ufw", "nftables"]),
  opening: v.union([
    v.object({ protocol: v.picklist(["tcp", "udp"]), port: v.number() }),
    v.object({ protocol: v.literal("vrrp") }),
  ]),
});

export const portKind: Kind = {
  name: "port",
  async undo(_id, before) {
    const { firewall, opening } = v.parse(beforeSchema, before);
    await closePort(firewall, opening);
  },
};
