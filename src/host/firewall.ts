import * as v from "valibot";
import { exec, isInstalled } from "../core/exec.ts";
import { readText } from "./files.ts";
import type { Facts } from "./facts.ts";

export type Firewall = Facts["firewall"];

/** What is to be let in, from anywhere. */
export type Opening = { protocol: "tcp" | "udp"; port: number } | { protocol: "vrrp" };

export function openingName(opening: Opening): string {
  return opening.protocol === "vrrp" ? "vrrp" : `${opening.port}/${opening.protocol}`;
}

let looking: Promise<Firewall> | undefined;

/**
 * Which firewall is active on this host. `nftables`: rules that turn away by default and no manager we know. Those who
 * ask at the same time share one look.
 */
export function detectFirewall(): Promise<Firewall> {
  looking ??= look().finally(() => (looking = undefined));
  return looking;
}

async function look(): Promise<Firewall> {
  const [firewalld, ufw] = await Promise.all([runsFirewalld(), readText("/etc/ufw/ufw.conf")]);
  if (firewalld) return "firewalld";
  if (/^ENABLED=yes$/m.test(ufw ?? "")) return "ufw";
  const { code, stdout } = await exec(["nft", "--json", "list", "ruleset"], { ok: "any" });
  return code === 0 && closesInput(stdout) ? "nftables" : "none";
}

/** systemd answers nobody while it reloads, and most hosts have no firewalld: then it is not asked. */
async function runsFirewalld(): Promise<boolean> {
  if (!isInstalled("firewall-cmd")) return false;
  const argv = ["systemctl", "is-active", "--quiet", "firewalld.service"];
  return (await exec(argv, { ok: "any" })).code === 0;
}

const chainSchema = v.object({
  family: v.string(),
  table: v.string(),
  name: v.string(),
  hook: v.optional(v.string()),
  policy: v.optional(v.string()),
});
const ruleSchema = v.object({
  family: v.string(),
  table: v.string(),
  chain: v.string(),
  expr: v.array(v.record(v.string(), v.unknown())),
});

/**
 * Pure: whether a base chain on the input hook turns away what no rule lets in, by its policy or by a last rule
 * without conditions (`nft --json list ruleset`, libnftables-json(5)).
 */
export function closesInput(json: string): boolean {
  const { nftables } = v.parse(
    v.object({ nftables: v.array(v.record(v.string(), v.unknown())) }),
    JSON.parse(json || '{"nftables":[]}'),
  );
  const last = new Map<string, v.InferOutput<typeof ruleSchema>["expr"]>();
  for (const { rule } of nftables) {
    const parsed = v.safeParse(ruleSchema, rule);
    if (parsed.success) {
      last.set(`${parsed.output.family} ${parsed.output.table} ${parsed.output.chain}`, parsed.output.expr);
    }
  }
  return nftables.some(({ chain }) => {
    const parsed = v.safeParse(chainSchema, chain);
    if (!parsed.success || parsed.output.hook !== "input") return false;
    const { family, table, name, policy } = parsed.output;
    const expressions = (last.get(`${family} ${table} ${name}`) ?? []).filter((e) => !("counter" in e));
    return policy === "drop" || expressions.some((e, at) => at === 0 && ("drop" in e || "reject" in e));
  });
}

/** The rule that an operator of plain nftables must add; we do not edit a rule set that nobody manages. */
export function nftRule(opening: Opening): string {
  return opening.protocol === "vrrp"
    ? "ip protocol vrrp accept"
    : `${opening.protocol} dport ${opening.port} accept`;
}

/** True where nothing needs to be done, or nothing can be done by us. */
export async function isOpen(firewall: Firewall, opening: Opening): Promise<boolean> {
  if (firewall === "firewalld") {
    const [now, later] = await Promise.all([
      exec(["firewall-cmd", firewalldFlag("query", opening)], { ok: "any" }),
      exec(["firewall-cmd", "--permanent", firewalldFlag("query", opening)], { ok: "any" }),
    ]);
    return now.code === 0 && later.code === 0;
  }
  if (firewall === "ufw") {
    const { stdout } = await exec(["ufw", "show", "added"]);
    return hasUfwRule(stdout, opening);
  }
  return true;
}

/** Pure: whether `ufw show added` lists the rule that `openPort` adds. */
export function hasUfwRule(text: string, opening: Opening): boolean {
  return text.split("\n").some((line) => line.trim() === ufwRule(opening).join(" "));
}

export async function openPort(firewall: Firewall, opening: Opening): Promise<void> {
  if (firewall === "firewalld") {
    await exec(["firewall-cmd", "--permanent", firewalldFlag("add", opening)]);
    await exec(["firewall-cmd", firewalldFlag("add", opening)]);
  } else if (firewall === "ufw") await exec(ufwRule(opening));
}

export async function closePort(firewall: Firewall, opening: Opening): Promise<void> {
  if (firewall === "firewalld") {
    await exec(["firewall-cmd", "--permanent", firewalldFlag("remove", opening)], { ok: "any" });
    await exec(["firewall-cmd", firewalldFlag("remove", opening)], { ok: "any" });
  } else if (firewall === "ufw") {
    const [program = "", ...words] = ufwRule(opening);
    await exec([program, "--force", "delete", ...words], { ok: "any" });
  }
}

function firewalldFlag(verb: "query" | "add" | "remove", opening: Opening): string {
  return opening.protocol === "vrrp"
    ? `--${verb}-protocol=vrrp`
    : `--${verb}-port=${opening.port}/${opening.protocol}`;
}

function ufwRule(opening: Opening): string[] {
  return opening.protocol === "vrrp"
    ? ["ufw", "allow", "to", "any", "proto", "vrrp"]
    : ["ufw", "allow", `${opening.port}/${opening.protocol}`];
}
