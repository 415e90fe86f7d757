import type { Status } from "../agent/status.ts";
import {
  isPair,
  isStore,
  type PairNodeStatus,
  type RoleStatus,
  type StoreStatus,
  type TwinStatus,
} from "../roles/types.ts";
import { sinceText } from "../roles/influxdb/outages.ts";
import type { Style } from "./style.ts";
import { sizeText } from "../core/size.ts";
import { renderHistory } from "./render-history.ts";
import { table } from "./table.ts";

/** `status` for people: the verdict first, then members, addresses, roles, and what to do about each problem. */
export function renderStatus(status: Status, style: Style): string {
  return [...overview(status, style), ...history(status, style), ...problems(status, style)].join("\n\n");
}

/** The same for a screen, which is cut off at its lower edge: what has passed comes last, the newest of it first. */
export function renderPicture(status: Status, style: Style, footer: string): string {
  const sections = [...overview(status, style), ...problems(status, style), style.dim(footer)];
  const newestFirst = { ...status, history: status.history.toReversed() };
  return [...sections, ...history(newestFirst, style)].join("\n\n");
}

function overview(status: Status, style: Style): string[] {
  const errors = status.problems.filter((p) => p.severity === "error").length;
  const warnings = status.problems.length - errors;
  const verdict = status.healthy
    ? style.green(warnings > 0 ? `healthy, ${count(warnings, "warning")}` : "healthy")
    : style.red(`${count(errors, "error")}${warnings > 0 ? `, ${count(warnings, "warning")}` : ""}`);
  const sections = [
    `${style.bold(status.cluster.name)} (${status.cluster.id}), spec ${status.spec.version}, seen from ${status.self}: ${verdict}`,
    table([
      ["MEMBER", "ADDRESS", "STATE", "ROLES", "VERSION"].map(style.dim),
      ...status.members.map((m) => [
        m.name,
        m.address,
        m.state === "alive" ? style.green(m.state) : style.red(m.state),
        m.roles.map((role) => `${role} (${m.phase[role] ?? "joined"})`).join(", ") || "-",
        m.version,
      ]),
    ]),
  ];
  if (status.vips.length > 0) {
    sections.push(
      table([
        ["VIP", "ADDRESS", "HELD BY"].map(style.dim),
        ...status.vips.map((vip) => [vip.role, vip.address, vip.holders.join(", ") || style.red("nobody")]),
      ]),
    );
  }
  for (const [name, role] of Object.entries(status.roles)) {
    sections.push(renderRole(name.toUpperCase(), role, style));
  }
  return sections;
}

function renderRole(title: string, role: RoleStatus, style: Style): string {
  const about = style.dim(`${role.topology}, ${role.engine}`);
  if (isStore(role)) return `${storeTable(title, role, style)}\n${about}`;
  if (!isPair(role)) return `${twinTable(title, role, style)}\n${about}`;
  const rows = role.nodes.map((node) => pairRow(node, style));
  const head = [title, "STATE", "REPLICATING", "LAG", "SEMI-SYNC", "PROTECTED"].map(style.dim);
  return `${table([head, ...rows])}\n${about}`;
}

function twinTable(title: string, { nodes }: TwinStatus, style: Style): string {
  const rows = nodes.map(({ name, state, complete, gap, uncompared_before: before }) => [
    name,
    state === "serving" ? style.green(state) : style.red(state),
    complete ? "yes" : style.red("no"),
    gap ? `${sinceText(gap)}, ${Math.round(gap.done * 100)} % filled` : "-",
    comparedLater(before),
  ]);
  return table([[title, "STATE", "COMPLETE", "MAY LACK", "TO BE COMPARED"].map(style.dim), ...rows]);
}

/** In 2262 InfluxDB's times end. */
function comparedLater(before: string | null): string {
  if (before === null) return "-";
  return before.startsWith("2262-") ? "all times" : `those before ${before}`;
}

function storeTable(
  title: string,
  { nodes, drives, quorum, capacity, older_states: older }: StoreStatus,
  style: Style,
): string {
  const rows = nodes.map(({ name, state, drives }) => [
    name,
    state === "serving" ? style.green(state) : style.red(state),
    `${drives.online} of ${drives.total}`,
    drives.healing === 0 ? "-" : String(drives.healing),
  ]);
  const space = capacity ? `, ${sizeText(capacity.free)} of ${sizeText(capacity.total)} free` : "";
  return [
    table([[title, "STATE", "DRIVES", "HEALING"].map(style.dim), ...rows]),
    `${drives.online} of ${drives.total} drives are online: ${quorum.read} ${quorum.read === 1 ? "is" : "are"} enough to read, ${quorum.write} to write${space}`,
    ...(older === "day"
      ? ["what is written over or deleted is kept for a day, and takes room until then"]
      : []),
  ].join("\n");
}

function history({ history }: Status, style: Style): string[] {
  return history.length === 0 ? [] : [`${style.dim("HISTORY")}\n${renderHistory(history, style)}`];
}

function problems({ problems }: Status, style: Style): string[] {
  return problems.map(({ severity, code, message, remedy }) => {
    const paint = severity === "error" ? style.red : style.yellow;
    return `${paint(severity)} ${code}: ${message}\n  → ${remedy}`;
  });
}

/** The same in one line, for a log: changes exactly when something happened. */
export function statusLine(status: Status): string {
  const roles = Object.entries(status.roles).map(
    ([name, { nodes }]) => `${name}: ${nodes.map((node) => `${node.name} ${node.state}`).join(", ")}`,
  );
  const vips = status.vips.map((vip) => `VIP ${vip.address} at ${vip.holders.join(", ") || "nobody"}`);
  const problems = [...new Set(status.problems.map((problem) => problem.code))];
  return [status.healthy ? "healthy" : "NOT HEALTHY", ...roles, ...vips, ...problems].join("; ");
}

function pairRow(node: PairNodeStatus, style: Style): string[] {
  const good = node.state === "writer" || node.state === "replica";
  return [
    node.name,
    good ? style.green(node.state) : style.red(node.state),
    yes(node.replicating),
    node.lag_seconds === null ? "-" : `${node.lag_seconds} s`,
    yes(node.semi_sync),
    yes(node.protected),
  ];
}

const yes = (on: boolean) => (on ? "yes" : "no");

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
