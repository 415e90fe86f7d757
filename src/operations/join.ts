import { rm, rmdir } from "node:fs/promises";
import packageJson from "../../package.json" with { type: "json" };
import { desired } from "../agent/desired.ts";
import { isGuarded } from "../roles/of-role.ts";
import { callAgent } from "../agent/socket.ts";
import type { Status } from "../agent/status.ts";
import { clusterFiles } from "../cluster/files.ts";
import { loadIdentity } from "../cluster/identity.ts";
import { enterCluster, splitAddress } from "../cluster/join.ts";
import { unconfigured } from "../cluster/admission.ts";
import { parseToken } from "../cluster/token.ts";
import type { Identity, RoleName } from "../cluster/types.ts";
import { ChimeError, Exit, refused, usageError } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { paths } from "../core/paths.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import type { Disk } from "../host/disks/look.ts";
import { loadGiven } from "../host/disks/record.ts";
import { downloadPackages } from "../resources/package.ts";
import { openLedger } from "../plan/ledger.ts";
import type { Resource } from "../resources/types.ts";
import { listenAhead, type Surroundings } from "../vip/checks.ts";
import { type HeardBy, Listening } from "../vip/listening.ts";
import { PullAhead } from "./bundle/ahead.ts";
import { pullBundle } from "./bundle/pull.ts";
import { startAgent } from "./agent.ts";
import { readContext, requireInstalled, requireRoot } from "./context.ts";
import { bringUp } from "./bring-up.ts";
import { chooseForRoles, recordDisks, requireDisks, requireDisksOf, requireFitDisks } from "./give-disks.ts";
import type { Io } from "./io.ts";
import { chooseAddress, chooseName } from "./local.ts";
import { PackagesAhead, unlessRefused, type Begun } from "./packages-ahead.ts";
import { requireFit, requireFitAlone } from "./preflight.ts";
import { requireRoleNames, unconfiguredRole } from "./role-names.ts";
import { keepSpecCopy } from "./spec-copy.ts";
import { findToken } from "./tokens.ts";

export interface JoinOptions {
  role: readonly RoleName[];
  token: string | undefined;
  tokenFile: string | undefined;
  address: string | undefined;
  name: string | undefined;
  timeout: number;
  wait: boolean;
  ignore: readonly string[];
  /** For the roles that take whole disks. */
  disk: readonly string[];
  binary: string;
  askToken: () => Promise<string | undefined>;
}

export interface JoinResult {
  node: string;
  cluster: string;
  roles: readonly RoleName[];
  ready: boolean;
  summary: string;
}

/**
 * Enters the cluster if this node is in none, takes roles, applies, and waits until each is ready here. Run again
 * it finishes what a killed run left.
 * @throws ChimeError of the checks (nothing touched), of the handshake (design.md §4), of the resources, `ready.timeout`
 */
export async function joinCluster(options: JoinOptions, io: Io): Promise<JoinResult> {
  requireRoot();
  requireInstalled(options.binary);
  requireRoleNames(options.role);
  const work = async () => {
    io.progress("checking this machine");
    const facts = await readFacts();
    const member = await membership(options);
    const disks = await chooseForRoles(options, io);
    const given = requireFitDisks(options.role, disks, await loadGiven());
    const asking = new AbortController();
    let ahead: PullAhead | undefined;
    let listening: Listening | undefined;
    const listen = (before?: (ms: number) => Promise<HeardBy>) => {
      listening = new Listening(facts.interfaces);
      return listenAhead(listening, asking.signal, before);
    };
    try {
      const { identity, ask } = member
        ? { identity: member, ask: listen((ms) => callAgent<HeardBy>("routers.heard", { ms })) }
        : await enter(options, { facts, listen, given }, io);
      if (!member) ahead = new PullAhead(facts, options.role, io);
      await startAgent(io);
      ahead?.agentIsUp();
      const begun = await takeRoles(options, { facts, ask, disks, ahead }, io);
      // Its look at the links is not needed while packages are installed.
      listening?.close();
      await bringUp(options.role, facts, options.wait ? options.timeout : undefined, io, begun);
      return await summarize(identity, options.role);
    } finally {
      asking.abort();
      listening?.close();
      await ahead?.stop();
    }
  };
  return withLock("apply", "join", () => unlessRefused(work, io));
}

/** The cluster that this node is in already; a token for another one is a mistake. */
async function membership({ token, name, address }: JoinOptions): Promise<Identity | undefined> {
  const identity = await loadIdentity(clusterFiles.pki);
  if (!identity) return undefined;
  const { cluster, self } = identity;
  if (token !== undefined && parseToken(token).cluster !== cluster.id) {
    throw refused(
      "token.wrong_cluster",
      `this node is in the cluster ${cluster.name}, the token is for another`,
      {
        remedy: "to move it: chime-node reset, then join",
      },
    );
  }
  const renamed = name !== undefined && name !== self.name;
  if (renamed || (address !== undefined && address !== self.address)) {
    throw refused(
      "join.other_identity",
      `this node is ${self.name} (${self.address}) of ${cluster.name} already`,
      {
        remedy: "leave out --name and --address; to change them: chime-node reset, then join",
      },
    );
  }
  return identity;
}

/**
 * A member from now on, which listens already for what the checks of the VIPs will ask the network. Being let in is having
 * the roles: so the cluster is told how many disks are given, and refuses what its layout does not take.
 */
async function enter(
  options: JoinOptions,
  { facts, listen, given }: { facts: Facts; listen: () => Surroundings; given: number | undefined },
  io: Io,
): Promise<{ identity: Identity; ask: Surroundings }> {
  const name = chooseName(options.name, facts);
  const text = await findToken({ token: options.token, tokenFile: options.tokenFile, ask: options.askToken });
  if (text === undefined) {
    throw usageError(
      "token.missing",
      "this node is in no cluster, and there is no token to join one",
      "CHIME_TOKEN=… chime-node join, --token-file FILE, or on the first node: chime-node init",
    );
  }
  const token = parseToken(text);
  requireDisksOf(token.cluster, options.role, await loadGiven());
  const address = chooseAddress(options.address, facts, token.addresses.map(hostOf));
  const local = { facts, node: name, address, clusterId: token.cluster, spec: undefined };
  // Not before somebody has typed the token.
  const ask = listen();
  await requireFitAlone(local, { roles: options.role, ignore: options.ignore }, io);
  const identity = await enterCluster(clusterFiles, {
    token,
    node: { name, address },
    roles: options.role,
    disks: given,
    binaryVersion: packageJson.version,
    progress: (line) => io.progress(line),
  }).catch(async (error: unknown) => {
    // A no is final, and exit 3 promises that nothing was touched: not even the key to ask with stays.
    if (error instanceof ChimeError && error.exit === Exit.refused) await forgetKey();
    throw error;
  });
  io.note(`${name} is in the cluster ${identity.cluster.name}`);
  return { identity, ask };
}

async function forgetKey(): Promise<void> {
  await rm(clusterFiles.pki, { recursive: true, force: true });
  await rmdir(paths.config).catch(() => undefined);
}

const hostOf = (address: string) => splitAddress(address).host;

async function takeRoles(
  options: JoinOptions,
  {
    facts,
    ask,
    disks,
    ahead,
  }: { facts: Facts; ask: Surroundings; disks: readonly Disk[]; ahead: PullAhead | undefined },
  io: Io,
): Promise<Begun | undefined> {
  const { context, view } = await readContext(facts);
  await keepSpecCopy(view.spec, io);
  const role = unconfiguredRole(options.role, context.spec);
  if (role !== undefined) throw unconfigured(role);
  const more = options.role.filter((role) => !context.self.roles.includes(role));
  const planned = { ...context, self: { ...context.self, roles: options.role } };
  // Roles that already run here were checked when they were taken.
  const fresh = options.role.filter((role) => !isGuarded(context.self.phase[role]));
  const given = await loadGiven();
  requireDisksOf(context.cluster.id, options.role, given);
  requireDisks(options.role, disks, given, context.spec);
  let packages: PackagesAhead | undefined;
  try {
    if (fresh.length > 0) {
      await requireFit(planned, { roles: fresh, ignore: options.ignore }, io, {
        ask,
        first: async (signal) => {
          await ahead?.ended(signal);
          await pullBundle(planned, fresh, { ...io, signal });
        },
        meanwhile: async (signal) => {
          const { installed } = desired(planned);
          packages = await PackagesAhead.begin(installed, await openLedger(), io);
          if (!packages) await fetchPackages(installed, signal, io);
        },
      });
    }
    await packages?.requireOn();
    await recordDisks(options.role, disks, context, io);
    if (more.length > 0) await callAgent("role.take", { roles: more });
    return packages?.begun;
  } catch (error) {
    await packages?.requireOn();
    await packages?.takeBack(error);
    throw error;
  }
}

/** What packages need that cannot be installed yet comes into the package system's cache while the network is asked. */
async function fetchPackages(installed: readonly Resource[], signal: AbortSignal, io: Io): Promise<void> {
  const log = `${paths.run}/download.log`;
  await downloadPackages(installed, log, { signal, progress: io.progress });
}

/** What became of this node's roles, and what is wrong with the cluster. */
export async function summarize(
  { cluster, self }: Pick<Identity, "cluster" | "self">,
  names: readonly RoleName[],
): Promise<JoinResult> {
  // No look for drift: the whole node was looked at a moment ago.
  const status = await callAgent<Status>("status", { drift: false });
  const mine = status.members.find((m) => m.name === self.name);
  const ready = names.every((role) => mine?.phase[role] === "ready");
  const lines = names.map((role) => {
    const node = status.roles[role]?.nodes.find((candidate) => candidate.name === self.name);
    const what = node ? ` as ${node.state}` : "";
    return `${self.name} is ${mine?.phase[role] ?? "joined"} for ${role}${what}`;
  });
  const problems = status.problems.map((p) => `${p.severity} ${p.code}: ${p.message}\n  → ${p.remedy}`);
  return {
    node: self.name,
    cluster: cluster.name,
    roles: names,
    ready,
    summary: [...lines, ...problems].join("\n"),
  };
}
