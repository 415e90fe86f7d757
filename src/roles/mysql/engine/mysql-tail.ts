import { open, readFile, type FileHandle } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { contains, parseGtidSet } from "./gtid-set.ts";

/**
 * The end of a MySQL server's binary log, read while the server is down; no more of it than where transactions begin.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html (header of 19 bytes),
 * libs/mysql/binlog/event/control_events.h (Gtid_event: flags, UUID of 16 bytes, number of 8)
 */
const magic = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
const headerBytes = 19;
const gtidBytes = 1 + 16 + 8;
const gtidEvent = 33;
/** Transactions whose GTID is written in another way: without a number, or with a tag. */
const otherGtidEvents: readonly number[] = [34, 42];
/** In the header of the first event: the server has not closed this file. */
const inUse = 0x1;

/** The transactions at the end of the last file that another server does not have. */
export interface MysqlTail {
  file: string;
  /** Of their first event. */
  from: number;
  /** Behind their last whole event; a killed server leaves half of one. */
  to: number;
  gtids: readonly string[];
}

/** Why what a server flushed cannot be told from what it committed: then all of it stays. */
export class NotCuttable extends Error {}

/**
 * The last binary log of a server that was killed; undefined where it stopped in order, for then it has committed
 * all that is in it. Transactions that are only prepared are never in an older file: a server rotates without any.
 */
export async function unfinishedLog(data: string): Promise<string | undefined> {
  const index = await readFile(join(data, "chime-bin.index"), "utf8").catch(() => "");
  const last = index.split("\n").findLast((line) => line !== "");
  if (last === undefined) return undefined;
  const path = resolve(data, last);
  return reading(path, async (file) => {
    const start = await read(file, 0, magic.length + headerBytes);
    if (start.length < magic.length + headerBytes || !start.subarray(0, 4).equals(magic)) return undefined;
    return (start.readUInt16LE(magic.length + 17) & inUse) === 0 ? undefined : path;
  });
}

/**
 * @param theirs what the other server has applied
 * @throws NotCuttable unless they are the end of the log and this server's own
 */
export async function findTail(path: string, theirs: string): Promise<MysqlTail | undefined> {
  const held = parseGtidSet(theirs);
  const own = await serverUuid(path);
  return reading(path, async (file) => {
    const { size } = await file.stat();
    let at = magic.length;
    let from: number | undefined;
    const gtids: string[] = [];
    for (;;) {
      const event = await read(file, at, headerBytes + gtidBytes);
      const length = event.length < headerBytes ? 0 : event.readUInt32LE(9);
      if (length < headerBytes || at + length > size) break;
      const type = event[4] ?? 0;
      if (otherGtidEvents.includes(type))
        throw new NotCuttable(`${basename(path)} has transactions of another kind`);
      if (type === gtidEvent) {
        const { uuid, number } = readGtid(event.subarray(headerBytes));
        if (!contains(held, uuid, number)) {
          if (uuid !== own) throw new NotCuttable(`${uuid}:${number} was written by another server`);
          from ??= at;
          gtids.push(`${uuid}:${number}`);
        } else if (from !== undefined) throw new NotCuttable(`${uuid}:${number} comes after ${gtids[0]}`);
      }
      at += length;
    }
    return from === undefined ? undefined : { file: path, from, to: at, gtids };
  });
}

/** Cuts it off. On disk when it returns. */
export async function cutTail({ file: path, from }: MysqlTail): Promise<void> {
  const file = await open(path, "r+");
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

function readGtid(body: Buffer): { uuid: string; number: bigint } {
  const hex = body.toString("hex", 1, 17);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    "-",
  );
  return { uuid, number: body.readBigInt64LE(17) };
}

async function reading<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, "r");
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function read(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
