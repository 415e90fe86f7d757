import { whoHas } from "../host/arp.ts";
import type { Check, Finding } from "../host/checks.ts";
import { readText } from "../host/files.ts";
import { nftRule } from "../host/firewall.ts";
import { ipv4Number } from "../host/ipv4.ts";
import { readLocalAddresses } from "../host/local-addresses.ts";
import { type HeardRouter, listenVrrp } from "../host/vrrp.ts";
import type { RoleContext, VipRequest } from "../roles/types.ts";
import { foreignConfig } from "./foreign.ts";
import { vipInterface } from "./instances.ts";
import { configMarker, configPath } from "./keepalived.ts";
import type { HeardBy, Listening } from "./listening.ts";
import { virtualRouterId, vridCount } from "./vrid.ts";

/** Adverts come every second unless configured otherwise (RFC 9568 §6.1): long enough to hear one of each router. */
const listenMs = 1100;

const keepalived = { name: "keepalived", path: configPath, marker: configMarker };

/** What the checks ask the machine and its network; tests put recordings in its place. */
export interface Surroundings {
  whoHas(addresses: readonly string[], interfaceName: string): Promise<Map<string, string>>;
  listenVrrp(interfaceName: string, ms: number): Promise<HeardRouter[]>;
  localAddresses(): Promise<Set<string>>;
  /** The text of keepalived's configuration; undefined where there is none. */
  keepalivedConfig(): Promise<string | undefined>;
}

const machine: Surroundings = {
  whoHas,
  listenVrrp,
  localAddresses: readLocalAddresses,
  keepalivedConfig: () => readText(configPath),
};

/** In a network of its own who has an address answers within a millisecond or two. */
const firstLookMs = 50;

/** A first look where nothing is to be started yet: of routers most are missed. Each node that takes a role looks in full. */
export function firstLook(listening: Listening): Surroundings {
  return {
    ...machine,
    whoHas: (addresses, name) => whoHas(addresses, name, { timeoutMs: firstLookMs }),
    listenVrrp: (name) => listening.until(name, firstLookMs),
  };
}

/**
 * What is heard from now on, or was before: that is not waited for again.
 * @param before what this node's agent heard in the last `ms`, where it listens
 * @param signal ends it where nobody asks any more
 */
export function listenAhead(
  listening: Listening,
  signal: AbortSignal,
  before?: (ms: number) => Promise<HeardBy>,
): Surroundings {
  // Without an answer it is listened for the whole time.
  before?.(listenMs).then(
    (heard) => listening.add(heard),
    () => undefined,
  );
  return { ...machine, listenVrrp: (name, ms) => listening.until(name, ms, signal) };
}

/** What whoever listens from now on need not wait for again, when it is told right now. */
export function heardUntilNow(listening: Listening): HeardBy {
  return listening.heard(listenMs);
}

/** Known before the spec is: a joiner may ignore them by name. */
export const vipCheckNames = [
  "vip.subnet",
  "vip.member-address",
  "vip.in-use",
  "vip.router-id",
  "vip.firewall",
  "keepalived.foreign",
];

/**
 * Preflight checks of the VIPs that the roles asked for. They only look; the network is asked on the interface of
 * each VIP, for about a second, all at the same time when they are run side by side.
 */
export function vipChecks(
  input: { context: RoleContext; requests: readonly VipRequest[] },
  surroundings: Surroundings = machine,
): Check[] {
  const { context, requests } = input;
  if (requests.length === 0) return [];
  return [
    ...requests.flatMap((request): Check[] => [
      { name: "vip.subnet", run: () => Promise.resolve(checkSubnet(context, request)) },
      { name: "vip.member-address", run: () => Promise.resolve(checkMemberAddress(context, request)) },
      { name: "vip.in-use", asksNetwork: true, run: () => checkInUse(context, request, surroundings) },
    ]),
    { name: "vip.router-id", asksNetwork: true, run: () => checkRouterIds(context, requests, surroundings) },
    { name: "vip.firewall", run: () => Promise.resolve(checkFirewall(context)) },
    {
      name: "keepalived.foreign",
      run: async () => foreignConfig(keepalived, await surroundings.keepalivedConfig(), context.cluster.id),
    },
  ];
}

function checkSubnet({ facts, spec }: RoleContext, request: VipRequest): Finding | undefined {
  const ip = addressOf(request);
  const configured = spec.cluster.interface;
  const carrier = vipInterface(facts, ip, configured);
  if (carrier === undefined) {
    const where = configured === "auto" ? "of no interface of this node" : `of no address of ${configured}`;
    return error(
      `the VIP ${ip} of ${request.name} is in the subnet ${where} (${subnets(facts) || "none has an address"})`,
      `give ${request.name} a VIP in a subnet that all its nodes share`,
    );
  }
  if (!isEdge(ip, carrier, facts)) return undefined;
  return error(
    `the VIP ${ip} of ${request.name} is the network or broadcast address of ${carrier}`,
    `give ${request.name} a host address as its VIP`,
  );
}

function checkMemberAddress({ members }: RoleContext, request: VipRequest): Finding | undefined {
  const ip = addressOf(request);
  const owner = members.find((member) => member.address === ip);
  return owner
    ? error(
        `the VIP ${ip} of ${request.name} is the address of the member ${owner.name}`,
        `give ${request.name} a VIP that belongs to no node`,
      )
    : undefined;
}

/** An address that answers is in use, unless it is ours: held here by our keepalived, or by another member. */
async function checkInUse(
  context: RoleContext,
  request: VipRequest,
  ask: Surroundings,
): Promise<Finding | undefined> {
  const ip = addressOf(request);
  const carrier = vipInterface(context.facts, ip, context.spec.cluster.interface);
  if (carrier === undefined) return undefined;
  const remedy = `give ${request.name} a free address, or take ${ip} away from whoever has it`;
  if ((await ask.localAddresses()).has(ip)) {
    const ours = (await ask.keepalivedConfig())?.startsWith(configMarker);
    return ours
      ? undefined
      : error(`the VIP ${ip} of ${request.name} is already an address of this node`, remedy);
  }
  const others = context.members.map((member) => member.address).filter((a) => a !== context.self.address);
  const answers = await ask.whoHas([ip, ...others], carrier);
  const holder = answers.get(ip);
  if (holder === undefined || others.some((address) => answers.get(address) === holder)) return undefined;
  return error(`the VIP ${ip} of ${request.name} already answers on ${carrier} (${holder})`, remedy);
}

async function checkRouterIds(
  { cluster, spec, facts }: RoleContext,
  requests: readonly VipRequest[],
  ask: Surroundings,
): Promise<Finding | undefined> {
  // Before `init` there is no cluster that ids derive from.
  if (cluster.id === "" && spec.cluster.vridBase === undefined) return undefined;
  const carriers = new Set(
    requests.flatMap((r) => vipInterface(facts, r.address, spec.cluster.interface) ?? []),
  );
  const heard = (await Promise.all([...carriers].map((name) => ask.listenVrrp(name, listenMs)))).flat();
  const idsFrom = (base?: number) => requests.map((r) => virtualRouterId(cluster.id, r.name, base));
  const taken = heard.find((router) => idsFrom(spec.cluster.vridBase).includes(router.virtualRouterId));
  if (!taken) return undefined;
  const used = new Set(heard.map((router) => router.virtualRouterId));
  const free = Array.from({ length: vridCount }, (_, i) => i + 1).find((base) =>
    idsFrom(base).every((id) => !used.has(id)),
  );
  return error(
    `the virtual router id ${taken.virtualRouterId} is in use on this network by ${taken.sender}`,
    free === undefined
      ? "use a network of their own for the VIPs"
      : `set cluster.vrid_base to another value in cluster.toml, e.g. ${free} (--set cluster.vrid_base=${free})`,
  );
}

/** firewalld and ufw are told by us; in a rule set without a manager the rule is the operator's to add. */
function checkFirewall({ facts }: RoleContext): Finding | undefined {
  if (facts.firewall !== "nftables") return undefined;
  return {
    severity: "warning",
    message: "the packet filter turns away what it does not know, VRRP between the nodes too",
    remedy: `let it in on every node: ${nftRule({ protocol: "vrrp" })}`,
  };
}

function addressOf(request: VipRequest): string {
  return request.address.split("/")[0] ?? "";
}

function subnets(facts: RoleContext["facts"]): string {
  return facts.interfaces
    .flatMap(({ name, addresses }) => addresses.map((own) => `${name} ${own.address}/${own.prefix}`))
    .join(", ");
}

function isEdge(ip: string, carrier: string, facts: RoleContext["facts"]): boolean {
  const number = ipv4Number(ip) ?? 0;
  const addresses = facts.interfaces.find(({ name }) => name === carrier)?.addresses ?? [];
  return addresses.some((own) => {
    if (own.prefix > 30) return false;
    const size = 2 ** (32 - own.prefix);
    const network = Math.floor((ipv4Number(own.address) ?? 0) / size) * size;
    return number === network || number === network + size - 1;
  });
}

function error(message: string, remedy: string): Finding {
  return { severity: "error", message, remedy };
}
