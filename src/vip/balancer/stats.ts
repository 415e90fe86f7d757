import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import type { BackendView } from "./types.ts";

/** haproxy's `show stat` of servers alone (management.txt, 9.1): `-1` every proxy, `4` servers. */
export const showServers = "show stat -1 4 -1";

const count = v.pipe(
  v.string(),
  v.regex(/^\d{1,18}$/),
  v.transform((digits) => Number(digits)),
);
const row = v.object({
  pxname: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]*\.[a-z]+$/)),
  svname: v.pipe(v.string(), v.regex(/^[\w.-]{1,253}$/)),
  status: v.pipe(v.string(), v.maxLength(64)),
  scur: count,
});

/**
 * The CSV that it prints: a line of names, then one a server; what fields there are and in which order differs between
 * versions. Pure. @throws ChimeError `balancer.stats`
 */
export function parseStats(text: string): BackendView[] {
  const [header = "", ...lines] = text.split("\n").filter((line) => line !== "");
  if (!header.startsWith("# ")) throw unknown(header);
  const names = header.slice(2).split(",");
  return lines.map((line) => {
    // The fields that are read hold no comma; those that may hold one (`last_chk`) come after them, quoted.
    const fields = line.split(",");
    const parsed = v.safeParse(row, Object.fromEntries(names.map((name, i) => [name, fields[i]])));
    if (!parsed.success) throw unknown(line);
    const { pxname, svname, status, scur } = parsed.output;
    const [service = "", route = ""] = pxname.split(".");
    return {
      service,
      route,
      node: svname,
      up: isUp(status),
      rising: /^DOWN \d/.test(status),
      sessions: scur,
    };
  });
}

/** `UP`, also `UP 1/2` while checks fail and have not failed enough; `DOWN 3/20`, `DRAIN` and `MAINT` take nothing new. */
function isUp(status: string): boolean {
  return status === "UP" || status.startsWith("UP ") || status === "no check";
}

function unknown(line: string): Error {
  return failed("balancer.stats", `haproxy's statistics are not understood: ${line.slice(0, 120)}`);
}
