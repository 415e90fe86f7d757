import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join, resolve } from "node:path";
import { failed } from "../../../core/errors.ts";
import { readText } from "../../../host/files.ts";
import type { Tail } from "../engine/types.ts";

/**
 * Reads of binary logs no more than where transactions begin: what is in them the server's own program tells. Both
 * products write a magic number, then events with a header of 19 bytes.
 * https://mariadb.com/kb/en/replication-protocol/
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
 */
const magic = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const headerBytes = 19;
/** Of an event all that matters; of a list more than any cluster's servers fill. */
const bodyBytes = 4096;
/** Of many small events several are read at once. */
const windowBytes = 64 << 10;

export interface BinlogEvent {
  type: number;
  /** Seconds since the epoch. */
  at: number;
  /** server_id of whoever wrote it first. */
  server: number;
  flags: number;
  /** Where it begins in the file, and where the next one does. */
  offset: number;
  end: number;
  /** Without its header, and its beginning alone where `isWhole` says no. Valid until the next event. */
  body: Buffer;
  isWhole: boolean;
}

/** What a product's events say of transactions. */
export interface GtidReader {
  /** The transaction that begins with this event. */
  begins(event: BinlogEvent): string | undefined;
  /** What was in the log before this file, where this event tells; null: it tells, but not in a way that is understood. */
  before(event: BinlogEvent): string | null | undefined;
  /** Tells of transactions whether the other server lacks any. @param theirs its `Engine.contents` */
  lacking(theirs: string): (gtids: string) => boolean;
}

/** Paths of all binary logs, oldest first. */
export async function binlogs(data: string): Promise<string[]> {
  const index = await readText(join(data, "chime-bin.index"));
  return (index ?? "")
    .split("\n")
    .filter(Boolean)
    .map((file) => resolve(data, file));
}

/** Opens it as no more than a file: the server's user may have put anything there. */
export async function openLog(path: string, mode = constants.O_RDONLY): Promise<FileHandle> {
  const file = await open(path, mode | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw failed("file.not_a_file", `${path} exists and is not a regular file`);
}

/**
 * Shows the events of one file. One that breaks off ends there: a killed server leaves half an event.
 * @param visit whether it wants the next one
 */
export async function readEvents(path: string, visit: (event: BinlogEvent) => boolean): Promise<void> {
  const file = await openLog(path);
  try {
    const { size } = await file.stat();
    const read = windowed(file);
    if (!(await read(0, magic.length)).equals(magic)) return;
    for (let offset = magic.length; ;) {
      const event = await read(offset, headerBytes + bodyBytes);
      if (event.length < headerBytes) return;
      const length = event.readUInt32LE(9);
      const end = offset + length;
      if (length < headerBytes || end > size) return;
      const body = event.subarray(headerBytes, length);
      const goesOn = visit({
        type: event.readUInt8(4),
        at: event.readUInt32LE(0),
        server: event.readUInt32LE(5),
        flags: event.readUInt16LE(17),
        offset,
        end,
        body,
        isWhole: body.length === length - headerBytes,
      });
      if (!goesOn) return;
      offset = end;
    }
  } finally {
    await file.close();
  }
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

interface Found {
  gtid: string;
  offset: number;
  at: number;
}

/**
 * @param files paths of all binary logs, oldest first
 * @param theirs what the other server holds (`Engine.contents`)
 */
export async function findTail(
  files: readonly string[],
  theirs: string,
  reader: GtidReader,
): Promise<Tail | undefined> {
  const isLacking = reader.lacking(theirs);
  const logs: { path: string; extra: Found[] }[] = [];
  for (const path of files.toReversed()) {
    let before: string | null = "";
    const extra: Found[] = [];
    await readEvents(path, (event) => {
      const gtid = reader.begins(event);
      if (gtid !== undefined && isLacking(gtid)) extra.push({ gtid, offset: event.offset, at: event.at });
      const told = reader.before(event);
      if (told !== undefined) before = told;
      return true;
    });
    logs.unshift({ path, extra });
    if (before !== null && !isLacking(before)) break;
  }
  const first = logs.findIndex(({ extra }) => extra.length > 0);
  const start = logs[first]?.extra[0];
  if (!start) return undefined;
  const rest = logs.slice(first);
  return {
    files: rest.map(({ path }) => path),
    offset: start.offset,
    at: start.at,
    gtids: rest.flatMap(({ extra }) => extra.map(({ gtid }) => gtid)),
  };
}
