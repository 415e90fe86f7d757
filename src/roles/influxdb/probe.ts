import { failed } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { whereOf, type Server } from "./client.ts";
import { literal, queryJson } from "./influxql.ts";
import { probeBucket } from "./layout.ts";
import { writeLines } from "./write.ts";

const database = { db: probeBucket.name, rp: "autogen" };

/**
 * Whether the server takes a point and gives it back, within one time limit. Its health pages say so on a full disk, too,
 * and with an engine that only reads: queries are then answered with nothing.
 * @param node one series each, so that two who look at one server do not meet
 * @param value another one each time
 * @throws ChimeError `influxdb.*`
 */
export async function probe(
  server: Server,
  { node, value, at }: { node: string; value: number; at: number },
  limits: Limits,
): Promise<void> {
  const start = performance.now();
  const left = () => ({ ...limits, timeoutMs: Math.max(1, limits.timeoutMs - (performance.now() - start)) });
  const ms = Math.floor(at);
  const body = `probe,node=${node} value=${value}i ${ms}`;
  await writeLines(server, { bucket: probeBucket.name, body, precision: "ms" }, left());
  // After a clock was set back there are newer ones.
  const statement = `SELECT last(value) FROM probe WHERE node = ${literal(node)} AND time = ${ms}ms`;
  const [tables = []] = await queryJson(server, database, [statement], left());
  const found = tables[0]?.values[0]?.[1];
  if (found === value) return;
  throw failed("influxdb.forgets", `${whereOf(server)} acknowledges points and does not give them back`, {
    remedy: "df -h, and journalctl -u influxdb on that node",
  });
}
