import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { failed } from "../../../core/errors.ts";
import type { Tail } from "../engine/types.ts";
import { extras, formatGtid, type Gtid } from "../engine/mariadb-gtid.ts";

/**
 * Reads of MariaDB's binary log no more than where transactions begin: what is in them the server's own program tells.
 * https://mariadb.com/kb/en/replication-protocol/ (events: header of 19 bytes; GTID_EVENT 162, GTID_LIST_EVENT 163)
 */
const magic = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const headerBytes = 19;
const gtidEvent = 162;
const gtidListEvent = 163;
/** Of a GTID event all that matters; of a list more than any cluster's servers fill. */
const bodyBytes = 4096;
/** Of many small events several are read at once. */
const windowBytes = 64 << 10;

interface Found {
  gtid: string;
  /** Where its event begins in the file. */
  offset: number;
  /** Seconds since the epoch. */
  at: number;
}

interface Log {
  /** The last of each domain and server before this file began. */
  before: string;
  transactions: Found[];
}

/** What one file holds. A file that breaks off ends there: a killed server leaves half an event. */
async function readLog(path: string): Promise<Log> {
  // The server's user may have put anything here: nothing but a file is read.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw failed("file.not_a_file", `${path} exists and is not a regular file`);
    const read = windowed(file);
    const log: Log = { before: "", transactions: [] };
    if (!(await read(0, magic.length)).equals(magic)) return log;
    for (let at = magic.length; ;) {
      const event = await read(at, headerBytes + bodyBytes);
      if (event.length < headerBytes) return log;
      const [type, server, length] = [event[4], event.readUInt32LE(5), event.readUInt32LE(9)];
      if (length < headerBytes || at + length > info.size) return log;
      const body = event.subarray(headerBytes, length);
      if (type === gtidEvent && body.length >= 12) {
        const gtid = { domain: body.readUInt32LE(8), server, sequence: body.readBigUInt64LE(0) };
        log.transactions.push({ gtid: formatGtid(gtid), offset: at, at: event.readUInt32LE(0) });
      } else if (type === gtidListEvent && body.length >= 4)
        log.before = readList(body).map(formatGtid).join(",");
      at += length;
    }
  } finally {
    await file.close();
  }
}

/** The lower 28 bits count; domain, server and sequence of each follow. */
function readList(body: Buffer): Gtid[] {
  const count = Math.min(body.readUInt32LE(0) & 0x0f_ff_ff_ff, Math.floor((body.length - 4) / 16));
  return Array.from({ length: count }, (_, i) => ({
    domain: body.readUInt32LE(4 + i * 16),
    server: body.readUInt32LE(8 + i * 16),
    sequence: body.readBigUInt64LE(12 + i * 16),
  }));
}

/** Reads forwards: up to that many bytes at a place, fewer at the end of the file. */
function windowed(file: FileHandle): (at: number, bytes: number) => Promise<Buffer> {
  const buffer = Buffer.alloc(windowBytes);
  let [begin, held] = [0, 0];
  return async (at, bytes) => {
    if (at < begin || at + bytes > begin + held) {
      begin = at;
      held = (await file.read(buffer, 0, windowBytes, at)).bytesRead;
    }
    return buffer.subarray(at - begin, Math.min(at - begin + bytes, held));
  };
}

/**
 * @param files paths of all binary logs, oldest first
 * @param theirs the other server's binlog state
 */
export async function findTail(files: readonly string[], theirs: string): Promise<Tail | undefined> {
  const logs: { path: string; log: Log }[] = [];
  for (const path of files.toReversed()) {
    const log = await readLog(path);
    logs.unshift({ path, log });
    if (extras(log.before, theirs).length === 0) break;
  }
  let tail: { files: string[]; offset: number; at: number; gtids: string[] } | undefined;
  for (const { path, log } of logs) {
    const extra = log.transactions.filter(({ gtid }) => extras(gtid, theirs).length > 0);
    const [first] = extra;
    if (!tail && first) tail = { files: [], offset: first.offset, at: first.at, gtids: [] };
    tail?.files.push(path);
    tail?.gtids.push(...extra.map(({ gtid }) => gtid));
  }
  return tail;
}
