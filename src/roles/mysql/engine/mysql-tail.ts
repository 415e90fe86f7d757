import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { failed } from "../../../core/errors.ts";
import {
  binlogs,
  findTail,
  openLog,
  readEvents,
  type BinlogEvent,
  type GtidReader,
} from "../extras/binlog.ts";
import { contains, formatGtidSet, parseGtidSet, reaches, union } from "./gtid-set.ts";
import type { TailReader } from "./types.ts";

/** libs/mysql/binlog/event/control_events.h (Gtid_event: flags, UUID of 16 bytes, number of 8; Previous_gtids_event) */
const gtidEvent = 33;
const gtidBytes = 1 + 16 + 8;
const previousGtidsEvent = 35;
/** Transactions whose GTID is written in another way: without a number, or with a tag. */
const otherGtidEvents: readonly number[] = [34, 42];
/** In the header of the first event: the server has not closed this file. */
const inUse = 0x1;

const gtidReader: GtidReader = {
  begins(event) {
    if (otherGtidEvents.includes(event.type)) {
      throw failed("mysql.extras_unsaved", "a binary log has transactions without a number, or with a tag", {
        remedy: "save by hand what is needed of them, and move the server's binary logs away",
      });
    }
    const gtid = readGtid(event);
    return gtid && `${gtid.uuid}:${gtid.number}`;
  },
  before: ({ type, body, isWhole }) =>
    type === previousGtidsEvent ? (isWhole ? readPrevious(body) : null) : undefined,
  lacking: (theirs) => (own) => !reaches(theirs, own),
};

export const mysqlTail: TailReader = {
  find: async (data, theirs) => findTail(await binlogs(data), theirs, gtidReader),
  dump: (binlog, { files, offset, gtids }) => [
    binlog,
    "--no-defaults",
    "--verbose",
    "--base64-output=decode-rows",
    `--start-position=${offset}`,
    `--include-gtids=${union(gtids.join(","), "")}`,
    ...files,
  ],
  // The writer has given these numbers to others, or would give them to what it is told to do now.
  inert: { line: /^(?=SET @@SESSION\.GTID_NEXT= '[0-9a-f])/, put: "-- " },
};

/** The transactions at the end of the last file that another server does not have. */
interface Cut {
  file: string;
  /** Of their first event. */
  from: number;
  gtids: readonly string[];
}

/** Why what a server flushed cannot be told from what it committed: then all of it stays. */
export class NotCuttable extends Error {}

/**
 * The last binary log of a server that was killed; undefined where it stopped in order, for then it has committed
 * all that is in it. Transactions that are only prepared are never in an older file: a server rotates without any.
 */
export async function unfinishedLog(data: string): Promise<string | undefined> {
  const path = (await binlogs(data)).at(-1);
  if (path === undefined) return undefined;
  let isOpen = false;
  await readEvents(path, ({ flags }) => {
    isOpen = (flags & inUse) !== 0;
    return false;
  });
  return isOpen ? path : undefined;
}

/**
 * @param theirs what the other server has applied
 * @throws NotCuttable unless they are the end of the log and this server's own
 */
export async function findCut(path: string, theirs: string): Promise<Cut | undefined> {
  const held = parseGtidSet(theirs);
  const own = await serverUuid(path);
  let from: number | undefined;
  const gtids: string[] = [];
  await readEvents(path, (event) => {
    if (otherGtidEvents.includes(event.type))
      throw new NotCuttable(`${basename(path)} has transactions of another kind`);
    const gtid = readGtid(event);
    if (!gtid) return true;
    const name = `${gtid.uuid}:${gtid.number}`;
    if (!contains(held, gtid.uuid, gtid.number)) {
      if (gtid.uuid !== own) throw new NotCuttable(`${name} was written by another server`);
      from ??= event.offset;
      gtids.push(name);
    } else if (from !== undefined) throw new NotCuttable(`${name} comes after ${gtids[0]}`);
    return true;
  });
  return from === undefined ? undefined : { file: path, from, gtids };
}

/** Cuts it off. On disk when it returns. */
export async function cutTail({ file: path, from }: Cut): Promise<void> {
  const file = await openLog(path, constants.O_RDWR);
  try {
    await file.truncate(from);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function serverUuid(path: string): Promise<string | undefined> {
  const text = await readFile(join(path, "../auto.cnf"), "utf8");
  return /^server-uuid=([0-9a-f-]{36})$/m.exec(text)?.[1];
}

function readGtid({ type, body }: BinlogEvent): { uuid: string; number: bigint } | undefined {
  if (type !== gtidEvent || body.length < gtidBytes) return undefined;
  return { uuid: readUuid(body, 1), number: body.readBigInt64LE(17) };
}

function readUuid(body: Buffer, at: number): string {
  const hex = body.toString("hex", at, at + 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Gtid_set::encode: how many UUIDs; of each, itself and how many intervals; of each of these, its first number and the
 * one behind its last. All numbers have 8 bytes. With tags the uppermost byte is not 0, and all else is another form.
 */
function readPrevious(body: Buffer): string | null {
  if (body.length < 8 || body.readUInt8(7) !== 0) return null;
  const set = new Map<string, [bigint, bigint][]>();
  let at = 8;
  for (let uuids = body.readUInt32LE(0); uuids > 0; uuids -= 1) {
    if (at + 24 > body.length) return null;
    const intervals = body.readUInt32LE(at + 16);
    if (at + 24 + intervals * 16 > body.length) return null;
    const from = at + 24;
    set.set(
      readUuid(body, at),
      Array.from({ length: intervals }, (_, i) => [
        body.readBigInt64LE(from + i * 16),
        body.readBigInt64LE(from + i * 16 + 8) - 1n,
      ]),
    );
    at = from + intervals * 16;
  }
  return formatGtidSet(set);
}
