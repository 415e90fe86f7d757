import * as v from "valibot";
import type { AuthorityRotation } from "../cluster/authority-rotation.ts";
import type { KeyRotation } from "../cluster/gossip/key-rotation.ts";
import type { ClusterMembership } from "../cluster/membership.ts";
import type { Role } from "../roles/types.ts";
import { phases, type RoleName } from "../cluster/types.ts";
import type { Voter } from "../cluster/vote/voter.ts";
import { systemClock } from "../core/clock.ts";
import { failed } from "../core/errors.ts";
import { clusterHistory, ownHistory } from "./cluster-history.ts";
import { bundleHandlers, serveBundles } from "./bundles.ts";
import { answerDrillStrike, strikeForDrill } from "./drill.ts";
import type { Happening } from "../roles/happening.ts";
import { answerFailover, assessFailover, failOver } from "./failover.ts";
import { isGuarded } from "../roles/of-role.ts";
import type { Drain } from "./drain.ts";
import type { Guards } from "./guards.ts";
import type { History } from "./history.ts";
import { beginMaintenance, endMaintenance, type Maintenance } from "./maintenance.ts";
import type { Reconciler } from "./reconcile.ts";
import type { RoutersHeard } from "./routers-heard.ts";
import { faults } from "./obstacle.ts";
import { requirePart } from "./part.ts";
import { mayHoldAlone, type Removable } from "./removal.ts";
import type { SecretChanges } from "./secret-changes.ts";
import type { Handlers } from "./socket.ts";
import { answerHandover, switchOver } from "./switchover.ts";
import { balancerName } from "../vip/balancer/haproxy.ts";
import { heardBySchema } from "../vip/listening.ts";
import type { Status } from "./status.ts";
import type { Vips } from "./vips.ts";

interface Agent {
  membership: ClusterMembership;
  guards: Guards;
  reconciler: Reconciler;
  history: History;
  maintenance: Maintenance;
  vips: Vips;
  voters: ReadonlyMap<RoleName, Voter>;
  secretChanges: SecretChanges;
  keyRotation: KeyRotation;
  authorityRotation: AuthorityRotation;
  cluster: { name: string };
  status: () => Status;
  balancer: Drain;
  routersHeard: RoutersHeard;
  /** Publishes at once what changed on this node. */
  look: () => Promise<void> | undefined;
}

const role = v.object({ role: v.string() });
const whose = v.object({ role: v.string(), whose: v.picklist(["administrator", "application"]) });

/** Everything that the command line may ask of the agent on its node. */
export function socketHandlers(agent: Agent): Handlers {
  const { membership, guards, reconciler, history, maintenance, vips, voters, cluster, status, look } = agent;
  const { secretChanges, keyRotation, authorityRotation, balancer, routersHeard } = agent;
  const record = (turn: Happening) => history.record(turn);
  return {
    cluster: () => Promise.resolve({ members: membership.members(), spec: membership.spec() }),

    async status(params) {
      const { drift: look } = v.parse(v.object({ drift: v.optional(v.boolean(), true) }), params);
      const [found, drift] = [status(), look ? await reconciler.drift() : []];
      return { ...found, problems: [...found.problems, ...drift] } satisfies Status;
    },

    "role.take": async (params) =>
      membership.takeRoles(v.parse(v.object({ roles: v.array(v.string()) }), params).roles),

    async "role.progress"(params) {
      const { role: name } = v.parse(role, params);
      const phase = membership.self.phase[name] ?? "joined";
      const guard = guards.get(name);
      if (guard) return { phase, ready: guard.ready(), awaiting: guard.awaiting() };
      return { phase, ready: isGuarded(phase), awaiting: "waiting for the agent to take it up" };
    },

    "role.serve": async (params) => guards.serve(v.parse(role, params).role),

    async "role.phase"(params) {
      const { role: name, phase } = v.parse(
        v.object({ role: v.string(), phase: v.picklist(phases) }),
        params,
      );
      if (!membership.self.roles.includes(name))
        throw failed("role.not_here", `this node does not have ${name}`);
      await membership.update({ phase: { ...membership.self.phase, [name]: phase } });
      await guards.align();
    },

    "routers.heard": (params) =>
      Promise.resolve(routersHeard.heard(v.parse(v.object({ ms: v.number() }), params).ms)),

    async "routers.add"(params) {
      routersHeard.add(v.parse(heardBySchema, params));
    },

    async "service.stopping"(params) {
      const { role: name } = v.parse(role, params);
      if (name === balancerName) await balancer.all();
      else await guards.get(name)?.command("before-stop", {});
    },

    async "role.command"(params) {
      const schema = v.object({ role: v.string(), method: v.string(), params: v.unknown() });
      const { role: name, method, params: inner } = v.parse(schema, params);
      return guards.need(name).command(method, inner);
    },

    async switchover(params) {
      const { to } = v.parse(v.object({ to: v.optional(v.string()) }), params);
      return switchOver({ membership, guards, status, record }, to);
    },

    "failover.assess": async (params) =>
      assessFailover(
        { membership, guards, cluster, status, record },
        v.parse(v.object({ to: v.string() }), params).to,
      ),

    async failover(params) {
      const { to, word } = v.parse(v.object({ to: v.string(), word: v.nullable(v.string()) }), params);
      return failOver({ membership, guards, cluster, status, record }, to, word);
    },

    async maintenance(params) {
      const { on, accept } = v.parse(v.object({ on: v.boolean(), accept: v.boolean() }), params);
      const deps = { membership, guards, maintenance, vips, balancer, history, status, clock: systemClock };
      const result = on ? await beginMaintenance(deps, accept) : await endMaintenance(deps);
      await look();
      return result;
    },

    async "secrets.rotate"(params) {
      const { role: name, whose: of } = v.parse(whose, params);
      await secretChanges.begin(name, of);
      await look();
    },

    "secrets.progress"(params) {
      const { role: name, whose: of } = v.parse(whose, params);
      return Promise.resolve(secretChanges.progress(name, of));
    },

    async "secrets.require_changed"(params) {
      secretChanges.requireChanged(v.parse(role, params).role);
    },

    "secrets.retiring": (params) => Promise.resolve(secretChanges.retiring(v.parse(role, params).role)),

    "keys.rotate": () => keyRotation.begin(),

    "keys.progress": () => Promise.resolve(keyRotation.progress()),

    "ca.plan": () => Promise.resolve(authorityRotation.plan()),

    "ca.rotate": async (params) =>
      authorityRotation.begin(v.parse(v.object({ agreed: v.string() }), params).agreed),

    "ca.finish": () => authorityRotation.finish(),

    "ca.progress": () => Promise.resolve(authorityRotation.progress()),

    async "drill.strike"(params) {
      const schema = v.object({ role: v.string(), node: v.string(), fault: v.picklist(faults) });
      const { role: name, node, fault } = v.parse(schema, params);
      await strikeForDrill({ membership, guards, status }, fault, name, node);
    },

    async "drill.over"(params) {
      const { role: name, message } = v.parse(v.object({ role: v.string(), message: v.string() }), params);
      history.record({ kind: "drill", role: name, message });
    },

    history: () => clusterHistory(membership, history),

    async "spec.publish"(params) {
      const { toml, base } = v.parse(v.object({ toml: v.string(), base: v.number() }), params);
      const { version } = await membership.publishSpec(toml, base);
      return { version };
    },

    async "token.create"(params) {
      const schema = v.object({
        ttlMs: v.number(),
        uses: v.nullable(v.number()),
        roles: v.array(v.string()),
      });
      const { ttlMs, uses, roles } = v.parse(schema, params);
      return membership.tokens.create({ ttlSeconds: Math.ceil(ttlMs / 1000), uses: uses ?? 0, roles });
    },

    "token.list": () => Promise.resolve(membership.tokens.list()),

    "token.revoke": async (params) =>
      membership.tokens.revoke(v.parse(v.object({ id: v.string() }), params).id),

    ...bundleHandlers(membership),

    leave: async () => membership.leave(),

    "remove.whom"(params) {
      const { index, name, address } = membership.meant(v.parse(v.object({ node: v.string() }), params).node);
      const isContested = membership.contested().some((one) => one.index === index);
      return Promise.resolve({ index, name, address, isContested } satisfies Removable);
    },

    "remove.holds": async (params) =>
      mayHoldAlone(membership, voters, v.parse(v.object({ node: v.string() }), params).node),

    remove: async (params) => membership.remove(v.parse(v.object({ node: v.string() }), params).node),
  };
}

/** What other members' agents may ask. Guards of the same role talk so: method `guard.<role>.<method>`. */
export function servePeers(
  { membership, guards, history, cluster, status }: Agent,
  roles: readonly Role[],
): void {
  membership.handle("drill.strike", (params, from) =>
    answerDrillStrike({ membership, guards, status }, params, from),
  );
  serveBundles(membership);
  membership.handle("history", () => Promise.resolve(ownHistory(history)));
  membership.handle("failover", (params, from) =>
    answerFailover({ membership, guards, cluster }, params, from),
  );
  membership.handle("handover", (params) => answerHandover(guards, params));
  for (const { name } of roles) {
    membership.handle(`guard.${name}`, async (params, from, method) => {
      requirePart(membership, from, name);
      return guards.need(name).handle(method, params, from);
    });
  }
}
