import { callAgent } from "../agent/socket.ts";
import { createCluster, newClusterId } from "../cluster/create.ts";
import { clusterFiles } from "../cluster/files.ts";
import { loadIdentity } from "../cluster/identity.ts";
import type { Identity, RoleName } from "../cluster/types.ts";
import { refused, usageError } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { paths } from "../core/paths.ts";
import { readFacts, type Facts } from "../host/facts.ts";
import { tellUnitsSoon } from "../host/systemd.ts";
import { file } from "../resources/file.ts";
import { roles } from "../roles/index.ts";
import { buildToml } from "../spec/build.ts";
import { loadSpec, parseSpec } from "../spec/load.ts";
import type { Spec } from "../spec/types.ts";
import { vipsOf } from "../spec/vips.ts";
import { firstLook, heardUntilNow } from "../vip/checks.ts";
import { Listening } from "../vip/listening.ts";
import { givenKeys } from "./bundle/trust.ts";
import { startAgent } from "./agent.ts";
import { requireInstalled, requireRoot, type ClusterView } from "./context.ts";
import { bringUp } from "./bring-up.ts";
import { requireNoDisks } from "./give-disks.ts";
import type { Io } from "./io.ts";
import { makeOrThrow } from "./make.ts";
import { chooseAddress, chooseName, provisionalContext } from "./local.ts";
import { requireFit, warnAhead } from "./preflight.ts";
import { rememberBase } from "./publish.ts";
import { keepSpecCopy } from "./spec-copy.ts";
import { requireRoleNames, unconfiguredRole } from "./role-names.ts";
import { joinLine, type CreatedToken } from "./tokens.ts";

export interface InitOptions {
  config: string | undefined;
  name: string | undefined;
  address: string | undefined;
  vip: readonly string[];
  set: readonly string[];
  role: readonly RoleName[];
  ignore: readonly string[];
  binary: string;
}

/** `init --json` of the contract. */
export interface InitResult {
  cluster: { name: string; id: string };
  node: string;
  token: string;
  join: string;
}

const tokenTtlMs = 24 * 3_600_000;
const readyMs = 10 * 60_000;

/**
 * Creates a cluster on this node and starts its agent. Run again with the same words it finishes what a killed run
 * left, and prints a new token.
 * @throws ChimeError config errors, `usage.unknown_role`, `init.no_vip`, `preflight.failed`, `init.exists`,
 * `init.config_exists`, `init.other_config`
 */
export async function initCluster(options: InitOptions, io: Io): Promise<InitResult> {
  requireRoot();
  requireInstalled(options.binary);
  requireRoleNames(options.role);
  requireNoDisks(options.role);
  return withLock("apply", "init", async () => {
    const wanted = await wantedSpec(options);
    requireVips(options.role, wanted.spec);
    await tellUnknownKeys(wanted.spec, io);
    io.progress("checking this machine");
    const facts = await readFacts();
    const { identity, isNew } = await begin(options, wanted, facts, io);
    const spec = isNew ? wanted.spec : await requirePublished(options, wanted, io);
    if (options.role.length > 0) {
      await callAgent("role.take", { roles: options.role });
      await bringUp(options.role, facts, readyMs, io);
    }
    const { token } = await callAgent<CreatedToken>("token.create", {
      ttlMs: tokenTtlMs,
      uses: null,
      roles: [],
    });
    tellUnitsSoon();
    return {
      cluster: identity.cluster,
      node: identity.self.name,
      token,
      join: joinLine(token, options.role.length > 0 ? options.role : rolesOf(spec)),
    };
  });
}

/** The cluster with its agent, which knows what was heard of other routers so far: the next `join` need not wait for it again. */
async function begin(
  options: InitOptions,
  wanted: WantedSpec,
  facts: Facts,
  io: Io,
): Promise<{ identity: Identity; isNew: boolean }> {
  const listening = new Listening(facts.interfaces);
  try {
    const found = await existing(options, wanted.spec);
    const identity = found ?? (await create(options, wanted, { facts, listening }, io));
    await startAgent(io);
    // Without it the join listens for longer.
    await callAgent("routers.add", heardUntilNow(listening)).catch(() => undefined);
    return { identity, isNew: found === undefined };
  } finally {
    listening.close();
  }
}

/** What the config gives an address is what the nodes are to serve. */
function rolesOf(spec: Spec): RoleName[] {
  const named = new Set(vipsOf(spec).map((use) => use.role));
  return roles.map((role) => role.name).filter((name) => named.has(name));
}

/** @throws ChimeError `init.no_vip` */
function requireVips(names: readonly RoleName[], spec: Spec): void {
  const role = unconfiguredRole(names, spec);
  if (role === undefined) return;
  const line = `chime-node init --role ${role} --vip ${role}=192.168.231.30`;
  throw usageError(
    "init.no_vip",
    `${role} has no VIP to serve at`,
    `${line}, with a free address of this network`,
  );
}

interface WantedSpec {
  toml: string;
  spec: Spec;
  /** False where the operator's own cluster.toml is in place: it is never rewritten. */
  write: boolean;
}

/** From --config, from the flags, or from the cluster.toml that is there. */
async function wantedSpec(options: InitOptions): Promise<WantedSpec> {
  const { config, vip, set } = options;
  const flags = vip.length > 0 || set.length > 0;
  if (config !== undefined && flags) {
    throw usageError(
      "init.two_configs",
      "--config and --vip or --set exclude each other",
      "put the keys into the file",
    );
  }
  const there = (await Bun.file(paths.clusterToml).exists()) ? await loadSpec(paths.clusterToml) : undefined;
  if (!saysSpec(options) && there) return { ...there, write: false };
  const toml =
    config === undefined
      ? buildToml({ vips: vip, sets: [...set, ...(await trusted(set))] })
      : (await loadSpec(config)).toml;
  const spec = parseSpec(toml, config ?? "command line");
  if (!there) return { toml, spec, write: true };
  if (Bun.deepEquals(there.spec, spec)) return { ...there, write: false };
  throw refused(
    "init.config_exists",
    `${paths.clusterToml} is there already and says something else`,
    (await loadIdentity(clusterFiles.pki))
      ? editAndApply
      : "edit that file and run chime-node init without --config, --vip and --set, or remove it",
  );
}

const saysSpec = ({ config, vip, set }: InitOptions) =>
  config !== undefined || vip.length > 0 || set.length > 0;

const editAndApply = `edit ${paths.clusterToml} and run chime-node apply; to start anew: chime-node reset, then init`;

/**
 * What the cluster has: of one that an earlier run made that is what counts, and words that say something else would be
 * forgotten. A cluster.toml that somebody removed is there again.
 * @throws ChimeError `init.other_config`
 */
async function requirePublished(options: InitOptions, wanted: WantedSpec, io: Io): Promise<Spec> {
  const { spec: published } = await callAgent<ClusterView>("cluster");
  const spec = parseSpec(published.toml, `version ${published.version} of cluster.toml`);
  const isSame = Bun.deepEquals(wanted.spec, spec);
  if (!isSame && saysSpec(options)) {
    throw refused(
      "init.other_config",
      `the cluster ${spec.cluster.name} is there already, and its configuration says something else`,
      editAndApply,
    );
  }
  if (!(await keepSpecCopy(published, io)) && !isSame) {
    io.warn(`${paths.clusterToml} is not what the cluster has: chime-node plan, then chime-node apply`);
  }
  return spec;
}

/** Keys that were trusted on this node before are the cluster's from now on, unless the operator says which are. */
async function trusted(set: readonly string[]): Promise<string[]> {
  const key = "cluster.trusted_keys";
  const given = set.some((text) => text.startsWith(`${key}=`)) ? [] : await givenKeys();
  return given.length === 0 ? [] : [`${key}=${given.join(",")}`];
}

/** A cluster.toml of the operator's own is not added to. */
async function tellUnknownKeys({ cluster }: Spec, io: Io): Promise<void> {
  const known = [...(cluster.trustedKeys ?? []), ...(cluster.revokedKeys ?? [])];
  const unknown = (await givenKeys()).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  io.warn(
    `other nodes will not take bundles signed with ${unknown.join(", ")}: add it to cluster.trusted_keys in cluster.toml`,
  );
}

/** The cluster that an earlier run made here, if it is the one that is asked for. */
async function existing(options: InitOptions, spec: Spec): Promise<Identity | undefined> {
  const identity = await loadIdentity(clusterFiles.pki);
  if (!identity) return undefined;
  const { cluster, self } = identity;
  const same =
    cluster.name === spec.cluster.name &&
    (options.name === undefined || options.name === self.name) &&
    (options.address === undefined || options.address === self.address);
  if (same) return identity;
  throw refused(
    "init.exists",
    `this node is ${self.name} (${self.address}) of the cluster ${cluster.name} already`,
    "chime-node status; to start anew: chime-node reset",
  );
}

async function create(
  options: InitOptions,
  { toml, spec, write }: WantedSpec,
  { facts, listening }: { facts: Facts; listening: Listening },
  io: Io,
): Promise<Identity> {
  const name = chooseName(options.name, facts);
  const vips = vipsOf(spec).map((use) => use.vip.address);
  const address = chooseAddress(options.address, facts, vips);
  const id = newClusterId();
  const context = provisionalContext({
    spec,
    cluster: { name: spec.cluster.name, id },
    name,
    address,
    roles: options.role,
    facts,
  });
  // Without a role nothing is begun that a VIP's holder would feel: `join` looks in full, beside what it fetches.
  const ask = options.role.length === 0 ? firstLook(listening) : undefined;
  await requireFit(context, { roles: options.role, ignore: options.ignore }, io, { ask });
  await warnAhead(context, options.role, io);
  if (write) await makeOrThrow([file({ path: paths.clusterToml, content: toml })], io);
  io.progress("creating the cluster");
  const identity = await createCluster(clusterFiles, {
    id,
    name: spec.cluster.name,
    node: { name, address },
    toml,
    roleSecrets: Object.fromEntries(roles.map((role) => [role.name, role.secretNames])),
  });
  await rememberBase(1, toml);
  return identity;
}
