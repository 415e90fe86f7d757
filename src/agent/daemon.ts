import packageJson from "../../package.json" with { type: "json" };
import { clusterFiles } from "../cluster/files.ts";
import { openCluster, type OpenCluster } from "../cluster/open.ts";
import { systemClock } from "../core/clock.ts";
import { refused } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { log, setLogFormat } from "../core/log.ts";
import { metricsPort, paths } from "../core/paths.ts";
import { product } from "../host/catalog.ts";
import { readFacts } from "../host/facts.ts";
import { showUnit } from "../host/systemd.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext } from "../roles/types.ts";
import { parseSpec } from "../spec/load.ts";
import { haproxy } from "../vip/balancer/haproxy.ts";
import { Listening } from "../vip/listening.ts";
import { Drain, drain, heldVips, isConnected } from "./drain.ts";
import { Clients, sharedVips } from "./clients.ts";
import { newest } from "./cluster-history.ts";
import { authorityProblems, expiryProblems } from "./authority-problems.ts";
import { buildContext } from "./context.ts";
import { agentResources, agentUnit } from "./resources.ts";
import {
  followAuthority,
  requireCertificates,
  requireFollowers,
  requireShown,
} from "./service-certificates.ts";
import { desired, keptInShape, upTo } from "./desired.ts";
import { exposedSecrets } from "./exposed-secrets.ts";
import { askGateway } from "./gateway.ts";
import { keepFootprintSmall } from "./footprint.ts";
import type { Problem } from "../roles/guard.ts";
import { isGuarded } from "../roles/of-role.ts";
import { Guards } from "./guards.ts";
import { History } from "./history.ts";
import { lookAtBackends, neighbours, rolesHere } from "./backends.ts";
import { Maintenance } from "./maintenance.ts";
import { watchMembers } from "./member-events.ts";
import { servePeers, socketHandlers } from "./methods.ts";
import { renderMetrics, serveMetrics } from "./metrics.ts";
import { Mounts } from "./mounts.ts";
import { openNotify } from "./notify.ts";
import { Publisher } from "./publisher.ts";
import { Reconciler } from "./reconcile.ts";
import { RoutersHeard } from "./routers-heard.ts";
import { datagramProblems } from "./datagram-problems.ts";
import { rotationProblems } from "./rotation-problems.ts";
import { SecretChanges } from "./secret-changes.ts";
import { serveSocket } from "./socket.ts";
import { StateDisk } from "./state-disk.ts";
import { clusterStatus, type Status } from "./status.ts";
import { deafPeers, Leftovers } from "./rivals.ts";
import { claimHere, evictHere, lookAtVips } from "./vip-look.ts";
import { candidacyOf, Vacancy } from "./vacancy.ts";
import { hostNetwork, Vanished } from "./vanished.ts";
import { watchVips } from "./vips.ts";
import { openVoters, readVotes } from "./voters.ts";

/** From then on a crash is one of its own, and no failed start: systemd counts anew. */
const soundMs = 2_000;

/** How often the agent looks at itself (who holds the VIP, what the guards complain of) and feeds the watchdog. */
const pulseMs = 1_000;

/**
 * The daemon: membership, guards, VIP gate, reconcile, socket, metrics. Runs until `signal`; stopping it changes
 * nothing on the host.
 * @throws ChimeError `node.no_cluster`
 */
export async function runAgent(signal: AbortSignal): Promise<void> {
  if (process.env["JOURNAL_STREAM"]) setLogFormat("journal");
  const notify = openNotify(process.env["NOTIFY_SOCKET"]);
  const facts = await readFacts();
  const votes = await readVotes(roles, paths.terms);
  const cluster = await openCluster({
    files: clusterFiles,
    binaryVersion: packageJson.version,
    roleLimit(name) {
      const { spec } = context();
      const role = roles.find((one) => one.name === name);
      return role && { ...role.limit(spec), disks: role.disks?.(spec).length };
    },
    checkSpec: (toml) => void parseSpec(toml, paths.clusterToml),
    services: () => renewServices(),
    requireAble: () => requireFollowers(context(), membership.members(), roles),
  });
  if (!cluster) throw refused("node.no_cluster", "this node is in no cluster", "chime-node init, or join");
  const { identity, membership, secrets, renewal, keyRotation, authorityRotation } = cluster;
  const context = (): RoleContext =>
    buildContext({
      identity,
      secrets: secrets.all,
      facts,
      members: membership.members(),
      spec: membership.spec(),
    });

  // Of a node that was removed nothing else is known.
  const isMember = () => !membership.self.left;
  // A witness never gets one.
  const awaitsVip = () => {
    if (!isMember() || membership.isWitness(identity.self.name)) return false;
    const now = context();
    return rolesHere(now).every((role) => role.vip(now) === undefined);
  };
  const routersHeard = new RoutersHeard(systemClock, awaitsVip, () => new Listening(facts.interfaces));

  const history = await History.load(paths.history, identity.self.name, systemClock);
  const maintenance = await Maintenance.load(paths.maintenance);
  const publisher = new Publisher(membership);
  const clients = new Clients(membership);
  membership.handle("vip.clients", async (params, from) => clients.heard(params, from));
  membership.handle("vip.newcomers", async (params, from) => clients.heardOf(params, from));
  const vipsHere = () =>
    sharedVips(context(), membership.members()).filter(({ role }) => vips.state(role) === "MASTER");
  async function takeClientsOver(role: string): Promise<void> {
    const vip = vipsHere().find((held) => held.role === role);
    if (vip) await clients.takeOver(vip, () => vips.state(role) === "MASTER");
  }
  const vips = await watchVips({
    onState(role, state) {
      guards.get(role)?.onVip(state);
      if (state === "MASTER") takeClientsOver(role).catch(warnOf(role));
      if (state === "BACKUP") vacancy.claim(role).catch(warnOf(role));
      void pulse();
    },
    onDisobeyed: (role) => evictHere(context(), roles, role),
    mayOpen: (role) =>
      isMember() &&
      !maintenance.isOn &&
      // Until then the others do not look whether this node's keepalived knows them.
      isGuarded(membership.self.phase[role]) &&
      deafPeers(membership.self, membership.members(), role).length === 0,
  });
  const vacancy = new Vacancy(membership, vips, (name) => {
    const now = context();
    const vip = rolesHere(now)
      .find((role) => role.name === name)
      ?.vip(now);
    return vip && candidacyOf(now, vip);
  });
  membership.handle("vip.vacant", (params, from) => vacancy.isVacant(params, from));
  membership.handle("vip.resign", (params, from) => vacancy.resign(params, from));
  const leftovers = new Leftovers(systemClock);
  const voters = await openVoters(membership, votes);
  const stateDisk = new StateDisk(paths.state, systemClock, () => {
    for (const voter of voters.values()) voter.keepReserve();
  });
  const mounts = new Mounts(systemClock);
  const secretChanges = new SecretChanges({
    membership,
    store: secrets,
    roles,
    isServed: (role) => isGuarded(membership.self.phase[role]),
    awaiting: (role, name) => guards.get(role)?.awaitingSecret?.(name),
    reconcile: () => reconciler.configure(),
    clock: systemClock,
  });
  const balancer = new Drain(
    () => heldVips(context(), vips),
    (held) => drain(held, () => haproxy.find(), isConnected),
  );
  const guards = new Guards({
    clock: systemClock,
    balancer,
    secrets: secretChanges,
    membership,
    roles,
    context,
    vips,
    claimVip(role) {
      const isHere = () => vips.state(role) === "MASTER" && vips.isEligible(role);
      claimHere(context(), roles, role, isHere).catch(warnOf(role));
    },
    askGateway: (timeoutMs) => askGateway(context(), timeoutMs),
    publish: (role, state) => publisher.role(role, state),
    record: (happening) => history.record(happening),
    inMaintenance: () => maintenance.isOn,
    voters,
  });
  const reconciler = new Reconciler(identity.self.name, {
    resources(phase) {
      return [
        ...agentResources(),
        ...keptInShape(context(), phase, (role) => guards.get(role)?.ready() ?? false),
      ];
    },
    // A join that did not wait, or was cut off, leaves the last step to the agent.
    async done() {
      const { phase } = membership.self;
      const serving = unfinished();
      if (serving.length === 0) return;
      const ready = Object.fromEntries(serving.map((role) => [role, "ready" as const]));
      await membership.update({ phase: { ...phase, ...ready } });
    },
  });
  /** Roles that do their part here and are not yet said to be ready. */
  const unfinished = () =>
    membership.self.roles.filter(
      (role) => membership.self.phase[role] === "configured" && guards.get(role)?.ready(),
    );
  /** Has this node's services go by the cluster's CAs. @throws ChimeError `ca.services` */
  async function renewServices(): Promise<void> {
    await followAuthority(
      () => reconciler.configure(),
      async () => {
        const { self } = context();
        const served = self.roles.filter((role) => isGuarded(self.phase[role]));
        await requireCertificates(upTo(desired(context(), served), "configured"));
        await requireShown(context(), rolesHere(context()));
      },
    );
  }
  const status = (): Status =>
    clusterStatus({
      context: context(),
      specVersion: membership.spec().version,
      members: membership.members(),
      roles,
    });

  /** What changes without anybody telling us. */
  async function look(): Promise<void> {
    vips.settle();
    const members = membership.members();
    const seen = await lookAtVips({ context: context(), members, roles, vips, leftovers });
    await publisher.report({
      vips: seen.vips,
      problems: [
        ...seen.problems,
        ...guards.problems(),
        ...reconciler.problems(),
        ...maintenance.problems(identity.self.name),
        ...stateDisk.problems(identity.self.name),
        ...mounts.problems(identity.self.name),
        ...secretChanges.problems(),
        ...(await exposedSecrets(identity.self.name)),
        ...certificateProblems(identity.self.name, renewal.trouble),
        ...expiryProblems(identity.self.name, authorityRotation.ends, systemClock.wall()),
        ...authorityProblems(identity.self.name, authorityRotation),
        ...rotationProblems(identity.self.name, keyRotation),
        ...datagramProblems(identity.self.name, membership.packetTrouble),
      ],
      events: newest(history.events),
      maintenance: maintenance.since,
      secrets: secretChanges.published(),
    });
    void secretChanges.follow();
    routersHeard.settle();
    for (const vip of vipsHere()) {
      clients.share(vip).catch(warnOf(vip.role));
      // Until it has left, not only until the gate is closed: in between clients come here, too.
      clients.watch(vip, () => !signal.aborted && vips.isHere(vip.role)).catch(warnOf(vip.role));
    }
    if (unfinished().length > 0) reconciler.kick();
  }
  const pulse = () => (isMember() ? look().catch((error: unknown) => log.error("pulse:", error)) : undefined);

  await membership.update({
    facts: { os: facts.os, arch: facts.arch, cpus: facts.cpus, memoryBytes: facts.memoryBytes },
  });
  const agent = {
    membership,
    guards,
    reconciler,
    history,
    maintenance,
    vips,
    voters,
    secretChanges,
    keyRotation,
    authorityRotation,
    cluster: identity.cluster,
    status,
    look: pulse,
    balancer,
    routersHeard,
  };
  servePeers(agent, roles);
  const addresses = (isMember() ? rolesHere(context()) : []).flatMap((role) => {
    const vip = role.vip(context());
    return vip ? [[role.name, vip.address] as const] : [];
  });
  if (addresses.length > 0) {
    const { active } = await showUnit(product("keepalived", facts.os).unit);
    const runs = active === "active" || active === "reloading";
    for (const [role, address] of addresses) await vips.learn(role, address, runs);
  }
  vips.start();
  if (isMember()) await guards.align();
  if (isMember() && heldVips(context(), vips).length > 0) {
    haproxy.endStopped().catch((error: unknown) => log.warn("haproxy:", error));
  }
  authorityRotation.start();
  const socket = serveSocket(socketHandlers(agent));
  const metrics = serveMetrics(metricsPort, async () =>
    isMember()
      ? renderMetrics(
          status(),
          packageJson.version,
          await lookAtBackends(context()),
          membership.refusedDatagrams,
        )
      : "",
  );
  const relevant = relevantChanges(membership, () => {
    reconciler.kick();
    void pulse();
  });
  const vanished = new Vanished(
    hostNetwork(facts),
    () => neighbours(context(), membership.members()),
    async (node) => {
      for (const role of rolesHere(context())) {
        await role.afterVanished?.(context(), node);
      }
    },
  );
  const lookAround = () =>
    isMember() ? vanished.look().catch((error: unknown) => log.error("vanished:", error)) : undefined;
  const unheard = membership.onChange(() => void lookAround());
  const unwatch = watchMembers(membership, (happening) => history.record(happening));
  log.info(`agent of ${identity.self.name} in ${identity.cluster.name} (${identity.cluster.id}) is up`);
  notify("READY=1");
  const footprint = keepFootprintSmall();

  setTimeout(() => {
    exec(["systemctl", "reset-failed", agentUnit], { ok: "any", timeoutMs: 5_000 }).catch((error: unknown) =>
      log.warn("systemd's count of starts:", error),
    );
  }, soundMs).unref();

  let wasMember = true;
  while (!signal.aborted) {
    if (wasMember && !isMember()) {
      wasMember = false;
      log.warn("this node was removed from the cluster: it gives up its VIPs and stops writing");
      // The guards go on: without the VIP they keep their services from accepting writes.
      for (const role of membership.self.roles) vips.setEligible(role, false);
      await reconciler.stop();
    }
    void lookAround();
    await pulse();
    notify("WATCHDOG=1");
    await systemClock.sleep(pulseMs, signal).catch(() => undefined);
  }

  notify("STOPPING=1");
  footprint();
  relevant();
  unheard();
  unwatch();
  socket.stop();
  routersHeard.close();
  metrics.stop();
  await reconciler.stop();
  await guards.stop();
  await vanished.stop();
  await vips.close();
  await cluster.stop();
  await history.flushed();
}

function warnOf(role: string): (error: unknown) => void {
  return (error) => log.warn(`VIP ${role}:`, error);
}

function certificateProblems(node: string, trouble: string | undefined): Problem[] {
  if (trouble === undefined) return [];
  return [
    {
      code: "member.certificate",
      severity: "error",
      node,
      message: `the other members refuse ${node}: ${trouble}`,
      remedy: `set the clock of ${node} right (timedatectl); a new certificate then comes by itself`,
    },
  ];
}

/** Calls `then` when something changed that resources derive from; guards' states and liveness are not of it. */
function relevantChanges(membership: OpenCluster["membership"], then: () => void): () => void {
  let last = "";
  const look = () => {
    const now = JSON.stringify([
      membership.spec().version,
      membership.members().map((m) => [m.name, m.index, m.address, m.roles, m.left]),
      membership.self.phase,
    ]);
    if (now !== last) then();
    last = now;
  };
  look();
  return membership.onChange(look);
}
