import * as v from "valibot";
import type { Facts } from "./facts.ts";

const addressesSchema = v.array(
  v.object({
    ifname: v.optional(v.string()),
    flags: v.optional(v.array(v.string()), []),
    addr_info: v.optional(
      v.array(
        v.object({
          family: v.optional(v.string()),
          local: v.optional(v.string()),
          prefixlen: v.optional(v.number()),
        }),
      ),
      [],
    ),
  }),
);

/** Pure: interfaces from `ip -j addr`, those that are up and not loopback, with their IPv4 addresses. */
export function parseInterfaces(json: string): Facts["interfaces"] {
  return v.parse(addressesSchema, JSON.parse(json || "[]")).flatMap((link) => {
    // ip prints {} for a link that went away while it looked.
    if (!link.ifname || !link.flags.includes("UP") || link.flags.includes("LOOPBACK")) return [];
    const addresses = link.addr_info.flatMap(({ family, local, prefixlen }) =>
      family === "inet" && local && prefixlen !== undefined ? [{ address: local, prefix: prefixlen }] : [],
    );
    return [{ name: link.ifname, addresses }];
  });
}

const routesSchema = v.array(
  v.object({
    dst: v.optional(v.string()),
    gateway: v.optional(v.string()),
    dev: v.optional(v.string()),
    metric: v.optional(v.number(), 0),
  }),
);

/** Pure: the default route with the lowest metric from `ip -j route`. */
export function parseDefaultRoute(json: string): Facts["defaultRoute"] {
  const routes = v
    .parse(routesSchema, JSON.parse(json || "[]"))
    .filter((route) => route.dst === "default" && route.dev)
    .sort((a, b) => a.metric - b.metric);
  const [best] = routes;
  return best?.dev ? { interface: best.dev, gateway: best.gateway ?? "" } : null;
}
