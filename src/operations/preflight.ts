import { clusterFiles } from "../cluster/files.ts";
import { loadIdentity } from "../cluster/identity.ts";
import type { RoleName } from "../cluster/types.ts";
import { paths } from "../core/paths.ts";
import { product, supportedSystems } from "../host/catalog.ts";
import type { Check, Finding } from "../host/checks.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import { diskChecks } from "../host/disks/choose.ts";
import { lookAtDisks } from "../host/disks/look.ts";
import { packageManager } from "../host/packages/index.ts";
import { hostChecks } from "../host/preflight-host.ts";
import { requirePassed, runChecks, type PreflightReport } from "../host/preflight.ts";
import { roles } from "../roles/index.ts";
import type { LocalContext, RoleContext } from "../roles/types.ts";
import type { Spec } from "../spec/types.ts";
import { loadSpec } from "../spec/load.ts";
import { foreignCheck, haproxy } from "../vip/balancer/haproxy.ts";
import { vipCheckNames, vipChecks, type Surroundings } from "../vip/checks.ts";
import { readContext, requireRoot } from "./context.ts";
import type { Io } from "./io.ts";
import { configuredChecks, countChecks } from "./join-checks.ts";
import { chooseAddress, chooseName, provisionalContext } from "./local.ts";
import { requireRoleNames } from "./role-names.ts";

/** Those that ask about VIPs and what is behind them: made where the spec is known. */
const clusterCheckNames = [...vipCheckNames, foreignCheck];

interface Wanted {
  roles: readonly RoleName[];
  ignore: readonly string[];
}

/**
 * `preflight`: every check that can be made here and now; in a cluster those of its spec, too.
 * @throws ChimeError `usage.unknown_role`
 */
export async function preflightNode(wanted: {
  role: readonly RoleName[];
  disk: readonly string[];
  ignore: readonly string[];
}): Promise<PreflightReport> {
  requireRoot();
  requireRoleNames(wanted.role);
  const facts = await readFacts();
  const { checks, spec } = (await loadIdentity(clusterFiles.pki))
    ? ofCluster((await readContext(facts)).context)
    : await alone();
  const report = await runChecks(checks, wanted.ignore);
  // A run of their own: what stands against a disk, or a role, cannot be ignored by name.
  const looked = wanted.disk.length > 0 ? lookAtDisks() : undefined;
  const ofDisks = await runChecks([
    ...(spec ? configuredChecks(spec, wanted.role) : []),
    ...(looked ? diskChecks(wanted.disk, () => looked) : []),
    ...(looked && spec ? countChecks(spec, wanted, { look: () => looked }) : []),
  ]);
  return { checks: [...report.checks, ...ofDisks.checks], ok: report.ok && ofDisks.ok };

  function ofCluster(context: RoleContext): { checks: Check[]; spec: Spec } {
    return { checks: clusterChecks(context, wanted.role), spec: context.spec };
  }

  async function alone(): Promise<{ checks: Check[]; spec?: Spec }> {
    const name = chooseName(undefined, facts);
    const address = chooseAddress(undefined, facts);
    const local: LocalContext = { facts, node: name, address, clusterId: undefined, spec: undefined };
    if (!(await Bun.file(paths.clusterToml).exists())) return { checks: localChecks(local, wanted.role) };
    const { spec } = await loadSpec(paths.clusterToml);
    const cluster = { name: spec.cluster.name, id: "" };
    return ofCluster(provisionalContext({ spec, cluster, name, address, roles: wanted.role, facts }));
  }
}

/**
 * Everything that can be checked before this node is in a cluster.
 * @throws ChimeError `preflight.failed` (exit 3)
 */
export async function requireFitAlone(local: LocalContext, wanted: Wanted, io: Io): Promise<void> {
  report(await runChecks(localChecks(local, wanted.roles), wanted.ignore, clusterCheckNames), io);
}

/** Ended by the signal. */
type Step = (signal: AbortSignal) => Promise<void>;

/**
 * The same where the spec is known: VIPs and their network as well. While the network is asked, `first` brings what
 * the checks of the machine look at, and `meanwhile` is called when these are passed. The signal ends both when the network
 * is not fit; what has to be taken back then is the caller's.
 */
export async function requireFit(
  context: RoleContext,
  wanted: Wanted,
  io: Io,
  options: { ask?: Surroundings | undefined; first?: Step; meanwhile?: Step } = {},
): Promise<void> {
  const { ask, first, meanwhile } = options;
  const checks = clusterChecks(context, wanted.roles, ask);
  const names = checks.map(({ name }) => name);
  const run = (some: Check[]) => runChecks(some, wanted.ignore, [...names, ...clusterCheckNames]);
  const network = run(checks.filter(({ asksNetwork }) => asksNetwork));
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, io.signal]);
  // Told below; what goes on beside it ends at once.
  network.then(
    ({ ok }) => ok || stop.abort(),
    () => stop.abort(),
  );
  let work: Promise<void> | undefined;
  try {
    await first?.(signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    const local = await run(checks.filter(({ asksNetwork }) => !asksNetwork));
    if (local.ok && !stop.signal.aborted) work = meanwhile?.(signal);
    const found = await network;
    report({ checks: [...local.checks, ...found.checks], ok: local.ok && found.ok }, io);
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    await work?.catch(() => undefined);
  }
}

/**
 * What cluster.toml says of roles that are taken later, here or elsewhere, and that this node would be refused for: it is
 * easily changed now. No error, for what is missing here may be there when it is needed.
 */
export async function warnAhead(context: RoleContext, taken: readonly RoleName[], io: Io): Promise<void> {
  const later = roles.filter(({ name }) => !taken.includes(name));
  const checks = later.flatMap((role) => role.checks(localOf(context)));
  const found = await runChecks(checks.filter(({ isOfSpec }) => isOfSpec));
  for (const { name, result, message, remedy } of found.checks) {
    if (result === "error") io.warn(`${name}: ${message}; before this node joins: ${remedy}`);
  }
}

/** Whether the spec's VIPs can be VIPs, those that are in use included. @throws ChimeError `preflight.failed` (exit 3) */
export async function requireFitVips(context: RoleContext, io: Io): Promise<void> {
  io.progress("asking the network about the VIPs");
  report(await runChecks(addressChecks(context)), io);
}

function localChecks(local: LocalContext, names: readonly RoleName[]): Check[] {
  return [
    ...hostChecks({ facts: local.facts, supported: supportedSystems() }),
    ...roles.filter((role) => names.includes(role.name)).flatMap((role) => role.checks(local)),
    ...bundleChecks(local, names),
  ];
}

/** What no bundle has is told before anything is begun. */
function bundleChecks({ spec, facts }: LocalContext, names: readonly RoleName[]): Check[] {
  if (spec?.cluster.packages !== "bundle") return [];
  return [{ name: "bundle", run: () => checkBundle(spec, facts, names) }];
}

async function checkBundle(
  spec: Spec,
  { os }: Facts,
  names: readonly RoleName[],
): Promise<Finding | undefined> {
  const products = roles.filter((role) => names.includes(role.name)).flatMap((role) => role.products(spec));
  const packages = products.flatMap((name) => product(name, os).packages);
  const manager = packageManager(os.family, "bundle");
  const [installed, offered] = await Promise.all([manager.installed(packages), manager.candidates(packages)]);
  const missing = packages.filter((name) => !installed.has(name) && !offered.has(name));
  if (missing.length === 0) return undefined;
  return {
    severity: "error",
    message: `cluster.packages is bundle, and no bundle that was imported on this node has ${missing.join(", ")}`,
    remedy: "chime-node bundle import FILE",
  };
}

function clusterChecks(context: RoleContext, names: readonly RoleName[], ask?: Surroundings): Check[] {
  return [...localChecks(localOf(context), names), ...addressChecks(context, ask)];
}

function localOf({ facts, self, cluster, spec }: RoleContext): LocalContext {
  return { facts, node: self.name, address: self.address, clusterId: cluster.id || undefined, spec };
}

/** Of the VIPs and what stands behind them. */
function addressChecks(context: RoleContext, ask?: Surroundings): Check[] {
  const requests = roles.flatMap((role) => role.vip(context) ?? []);
  const isBalanced = roles.some((role) => (role.balanced?.(context) ?? []).length > 0);
  return [
    ...vipChecks({ context, requests }, ask),
    ...(isBalanced ? haproxy.checks(context.cluster.id) : []),
  ];
}

function report(found: PreflightReport, io: Io): void {
  for (const { name, result, message, remedy } of found.checks) {
    if (result === "warning") io.warn(`${name}: ${message}; ${remedy}`);
  }
  requirePassed(found);
}
