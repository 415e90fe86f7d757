import { binlogs, findTail, type GtidReader } from "../extras/binlog.ts";
import { extras, formatGtid, type Gtid } from "./mariadb-gtid.ts";
import type { TailReader } from "./types.ts";

const gtidEvent = 162;
const gtidListEvent = 163;

export const gtidReader: GtidReader = {
  begins({ type, server, body }) {
    if (type !== gtidEvent || body.length < 12) return undefined;
    return formatGtid({ domain: body.readUInt32LE(8), server, sequence: body.readBigUInt64LE(0) });
  },
  before({ type, body }) {
    if (type !== gtidListEvent || body.length < 4) return undefined;
    return readList(body).map(formatGtid).join(",");
  },
  lacking: (theirs) => (own) => extras(own, theirs).length > 0,
};

/** The lower 28 bits count; domain, server and sequence of each follow. */
function readList(body: Buffer): Gtid[] {
  const count = Math.min(body.readUInt32LE(0) & 0x0f_ff_ff_ff, Math.floor((body.length - 4) / 16));
  return Array.from({ length: count }, (_, i) => ({
    domain: body.readUInt32LE(4 + i * 16),
    server: body.readUInt32LE(8 + i * 16),
    sequence: body.readBigUInt64LE(12 + i * 16),
  }));
}

export const mariadbTail: TailReader = {
  find: async (data, theirs) => findTail(await binlogs(data), theirs, gtidReader),
  dump: (binlog, { files, offset }) => [
    binlog,
    "--no-defaults",
    "--verbose",
    // A BINLOG statement would bring back the old server's number: its node would not take that row (tried on 10.11).
    "--base64-output=decode-rows",
    `--start-position=${offset}`,
    ...files,
  ],
  inert: { line: /^\/\*!\d+ (?=SET @@session\.(?:gtid_domain_id|gtid_seq_no|server_id)=)/, put: "/* " },
};
