import { systemClock } from "../../core/clock.ts";
import { Exit } from "../../core/errors.ts";
import {
  compareServers,
  deleteFromServers,
  renderRelay,
  repairServers,
  type CompareResult,
  type FoundGap,
} from "../../operations/influxdb.ts";
import { defineGroup, defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";
import { parseMoment } from "../moment.ts";
import { interrupted } from "../prompt.ts";
import type { Style } from "../style.ts";
import { table } from "../table.ts";

const range = {
  from: {
    type: "string",
    hint: "TIME",
    summary: "2026-11-22T08:00:00Z, 2h for two hours ago, or now; default: all there is",
  },
  to: { type: "string", hint: "TIME", summary: "the same; default: what is under way now is left out" },
  contents: { type: "flag", summary: "compare all values, not only how many there are: reads everything" },
} as const;

const compare = defineVerb({
  name: "compare",
  summary: "where the two servers do not hold the same; exit 4 if anywhere. Nothing is touched",
  example: "chime-node influxdb compare --from 24h",
  args: range,
  async run(context) {
    const request = { contents: context.args.contents, ...momentsOf(context.args) };
    const compared = await compareServers(request, operationIo(context));
    context.out.result(compared, renderGaps(compared, compared.gaps, context.out.style));
    return compared.gaps.length + compared.held.length > 0 ? Exit.problems : Exit.done;
  },
});

const repair = defineVerb({
  name: "repair",
  summary: "give each server what the other one has, and prove it; exit 4 if something is left",
  example: "chime-node influxdb repair --from 24h",
  args: {
    ...range,
    dryRun: { type: "flag", summary: "only say what is missing where" },
    prefer: {
      type: "string",
      hint: "NODE",
      summary: "whose value counts where both have another one; default: each keeps its own",
    },
    fast: { type: "flag", summary: "take all that the servers can give: clients will wait longer" },
  },
  async run(context) {
    const io = operationIo(context);
    const { dryRun, contents, prefer, fast } = context.args;
    const request = { contents, prefer, fast, ...momentsOf(context.args) };
    if (dryRun) {
      const compared = await compareServers(request, io);
      context.out.result(
        { ...compared, dry_run: true },
        renderGaps(compared, compared.gaps, context.out.style),
      );
      return Exit.done;
    }
    const repaired = await repairServers(request, io);
    const given = Object.entries(repaired.written).map(
      ([node, points]) => `${node} was given ${points} points`,
    );
    const lines = [`${given.join(", ")} in ${repaired.seconds} s`];
    if (repaired.why !== null) lines.push(`refused: ${repaired.why}`);
    if (repaired.left.length > 0) lines.push("still different:");
    lines.push(renderGaps(repaired, repaired.left, context.out.style));
    context.out.result({ ...repaired, dry_run: false }, lines.join("\n"));
    return repaired.left.length + repaired.held.length > 0 ? Exit.problems : Exit.done;
  },
});

/** What the agents have begun they finish. */
const goesOn =
  "what was begun goes on, on one server after the other; to wait for its end: run the same command again";

const remove = defineVerb({
  name: "delete",
  summary: "delete points on both servers, so that no repair brings them back",
  example: `chime-node influxdb delete --from 2026-11-01 --to 2026-11-02 --where '_measurement="cpu"'`,
  args: {
    from: {
      type: "string",
      hint: "TIME",
      summary: "2026-11-22T08:00:00Z, 2h for two hours ago, or now",
      required: true,
    },
    to: { type: "string", hint: "TIME", summary: "up to this moment, which is not included", required: true },
    bucket: { type: "string", hint: "NAME", summary: "default: where applications write" },
    where: {
      type: "string",
      hint: "PREDICATE",
      summary: 'which of them: _measurement="cpu" AND host="a"; default: ALL points of that time',
    },
  },
  async run(context) {
    const { from, to, bucket, where } = context.args;
    const now = systemClock.wall();
    const moments = { from: parseMoment("--from", from, now), to: parseMoment("--to", to, now) };
    const request = { ...moments, bucket, where };
    let isAsked = false;
    const asked = () => (isAsked = true);
    const deleted = await deleteFromServers(request, operationIo(context), asked).catch((error: unknown) => {
      throw context.signal.aborted && isAsked ? interrupted(goesOn) : error;
    });
    context.out.result(deleted, deleted.summary);
  },
});

const telegraf = defineVerb({
  name: "telegraf",
  summary:
    "print a configuration of Telegraf for clients that can write to one address only; it holds a token",
  example: "chime-node influxdb telegraf > telegraf.conf",
  args: {},
  async run({ out }) {
    const config = await renderRelay();
    out.result({ config }, config);
  },
});

function momentsOf({ from, to }: { from: string | undefined; to: string | undefined }) {
  const now = systemClock.wall();
  return {
    from: from === undefined ? undefined : parseMoment("--from", from, now),
    to: to === undefined ? undefined : parseMoment("--to", to, now),
  };
}

function renderGaps(
  { nodes, held }: Pick<CompareResult, "nodes" | "held">,
  gaps: readonly FoundGap[],
  style: Style,
): string {
  const left = held.map(({ message, remedy }) => `not compared: ${message}${remedy ? `; ${remedy}` : ""}`);
  if (gaps.length === 0) {
    const rest = held.length > 0 ? "of all else " : "";
    return [`${nodes.join(" and ")} hold the same ${rest}`.trimEnd(), ...left].join("\n");
  }
  const rows = gaps.map(({ bucket, measurement, from, to, missing }) => [
    bucket,
    measurement,
    from,
    to,
    nodes
      .filter((node) => (missing[node] ?? 0) > 0)
      .map((node) => `${node} lacks ${missing[node]} values`)
      .join(", ") || "other values",
  ]);
  const head = ["BUCKET", "MEASUREMENT", "FROM", "TO", ""].map((title) => style.dim(title));
  return [table([head, ...rows]), ...left].join("\n");
}

export const influxdb = defineGroup("influxdb", "two InfluxDB servers: what they lack of each other", [
  compare,
  repair,
  remove,
  telegraf,
]);
