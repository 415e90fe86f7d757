import { toChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { isPair, isStore } from "../roles/types.ts";
import type { BackendView } from "../vip/balancer/types.ts";
import { pairsOf, type Status } from "./status.ts";

/** One sample line: name, labels, value (Prometheus text exposition format 0.0.4). */
type Sample = readonly [labels: Record<string, string>, value: number];

interface Metric {
  name: string;
  help: string;
  /** Default: gauge. */
  type?: "counter" | "gauge";
  samples: Sample[];
}

/** Everything an alert needs, from the same status that people see. */
export function renderMetrics(
  status: Status,
  binaryVersion: string,
  backends: readonly BackendView[] = [],
  refusedDatagrams: Readonly<Record<string, number>> = {},
): string {
  const metrics: Metric[] = [
    {
      name: "chime_node_info",
      help: "Version of this node's binary and spec.",
      samples: [[{ version: binaryVersion, spec: String(status.spec.version) }, 1]],
    },
    {
      name: "chime_node_healthy",
      help: "1 when the cluster has no problem of severity error, as seen from this node.",
      samples: [[{}, flag(status.healthy)]],
    },
    {
      name: "chime_node_problem",
      help: "Problems that status would show now.",
      samples: status.problems.map((p) => [{ code: p.code, severity: p.severity, node: p.node }, 1] as const),
    },
    {
      name: "chime_node_member_up",
      help: "1 for a member that answers.",
      samples: status.members
        .filter((m) => m.state !== "left")
        .map((m) => [{ member: m.name }, flag(m.state === "alive")] as const),
    },
    {
      name: "chime_node_vip_holder",
      help: "1 for the node that holds the VIP of a role.",
      samples: status.vips.flatMap((vip) =>
        status.members
          .filter((m) => m.roles.includes(vip.role))
          .map((m) => [{ role: vip.role, member: m.name }, flag(vip.holders.includes(m.name))] as const),
      ),
    },
    ...pairMetrics(status),
    ...storeMetrics(status),
    ...twinMetrics(status),
    ...balancerMetrics(backends),
    {
      name: "chime_node_refused_datagrams_total",
      help: "Datagrams at the agent's port that were not taken; flood: seconds in which more came than is looked at.",
      type: "counter",
      samples: Object.entries(refusedDatagrams).map(([reason, count]) => [{ reason }, count] as const),
    },
  ];
  return metrics.map(render).join("");
}

/** As this node's balancer sees them, whether it holds the VIP or not. */
function balancerMetrics(backends: readonly BackendView[]): Metric[] {
  if (backends.length === 0) return [];
  const of = (value: (backend: BackendView) => number) =>
    backends.map((backend) => {
      const { service, route, node } = backend;
      return [{ service, route, member: node }, value(backend)] as const;
    });
  return [
    {
      name: "chime_node_backend_up",
      help: "1 for a backend that this node's balancer sends requests to.",
      samples: of(({ up }) => flag(up)),
    },
    {
      name: "chime_node_backend_sessions",
      help: "Requests or connections of this node's balancer that a backend is answering.",
      samples: of(({ sessions }) => sessions),
    },
  ];
}

function pairMetrics(status: Status): Metric[] {
  const nodes = [...pairsOf(status)].flatMap(([role, { nodes }]) =>
    nodes.map((node) => ({ labels: { role, member: node.name }, node })),
  );
  const one = (
    name: string,
    help: string,
    value: (n: (typeof nodes)[number]["node"]) => number | null,
  ): Metric => ({
    name,
    help,
    samples: nodes.flatMap(({ labels, node }) => {
      const found = value(node);
      return found === null ? [] : [[labels, found] as const];
    }),
  });
  return [
    one("chime_node_writer", "1 for the node that acknowledges writes.", (n) =>
      n.state === "writer" ? 1 : 0,
    ),
    one("chime_node_replicating", "1 while the replica's receiver and applier run.", (n) =>
      n.replicating ? 1 : 0,
    ),
    one("chime_node_protected", "1 while each acknowledged commit is on both nodes.", (n) =>
      n.protected ? 1 : 0,
    ),
    one("chime_node_lag_seconds", "Replication lag.", (n) => n.lag_seconds),
  ];
}

function storeMetrics(status: Status): Metric[] {
  const stores = Object.entries(status.roles).flatMap(([role, found]) =>
    isStore(found) ? [{ role, ...found }] : [],
  );
  if (stores.length === 0) return [];
  const drives = (state: "total" | "online" | "healing") =>
    stores.flatMap(({ role, nodes }) =>
      nodes.map(({ name, drives }) => [{ role, member: name, state }, drives[state]] as const),
    );
  const bytes = (kind: "total" | "free") =>
    stores.flatMap(({ role, capacity }) => (capacity ? [[{ role, kind }, capacity[kind]] as const] : []));
  return [
    {
      name: "chime_node_drives",
      help: "Drives of the store, those that are online, and those that are being healed.",
      samples: [...drives("total"), ...drives("online"), ...drives("healing")],
    },
    {
      name: "chime_node_drives_needed",
      help: "Drives that have to be online for reads and for writes.",
      samples: stores.flatMap(({ role, quorum }) => [
        [{ role, for: "read" }, quorum.read] as const,
        [{ role, for: "write" }, quorum.write] as const,
      ]),
    },
    {
      name: "chime_node_store_bytes",
      help: "Size of the drives that are online, and what is free on them; parity is not taken off.",
      samples: [...bytes("total"), ...bytes("free")],
    },
  ];
}

function twinMetrics(status: Status): Metric[] {
  const nodes = Object.entries(status.roles).flatMap(([role, found]) =>
    isPair(found) || isStore(found)
      ? []
      : found.nodes.map((node) => ({ labels: { role, member: node.name }, node })),
  );
  if (nodes.length === 0) return [];
  return [
    {
      name: "chime_node_complete",
      help: "1 for a node that has all points that its twin has, as far as is known.",
      samples: nodes.map(({ labels, node }) => [labels, flag(node.complete)] as const),
    },
    {
      name: "chime_node_gap_filled_ratio",
      help: "How much of what a node may lack was compared and filled.",
      samples: nodes.flatMap(({ labels, node }) => (node.gap ? [[labels, node.gap.done] as const] : [])),
    },
  ];
}

const flag = (on: boolean) => (on ? 1 : 0);

function render({ name, help, type = "gauge", samples }: Metric): string {
  const lines = samples.map(([labels, value]) => {
    const inner = Object.entries(labels)
      .map(
        ([key, text]) =>
          `${key}="${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
      )
      .join(",");
    return `${name}${inner && `{${inner}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Serves `/metrics` on loopback only. */
export function serveMetrics(port: number, text: () => Promise<string>): { stop(): void } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    fetch: async (request) =>
      // Without a Host header the URL is a path alone.
      URL.parse(request.url, "http://agent")?.pathname === "/metrics"
        ? new Response(await text(), { headers: { "content-type": "text/plain; version=0.0.4" } })
        : new Response("not found\n", { status: 404 }),
    // Without this whoever has it fail is shown its source.
    error(error) {
      log.warn("metrics:", toChimeError(error).message);
      return new Response("the metrics cannot be told now\n", { status: 500 });
    },
  });
  return { stop: () => void server.stop(true) };
}
