/**
 * MariaDB's global transaction ids: `domain-server-sequence`, comma-separated in a position (the last of each domain)
 * and in a binlog state (the last of each domain and server). https://mariadb.com/kb/en/gtid/
 * With one domain, one writer at a time and gtid_strict_mode the sequence alone orders all transactions.
 */
export interface Gtid {
  domain: number;
  server: number;
  sequence: bigint;
}

/** @throws TypeError on anything that is no GTID list; the empty string is the empty list. */
export function parseGtids(text: string): Gtid[] {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  return trimmed.split(",").map((part) => {
    const match = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/.exec(part.trim());
    if (!match) throw new TypeError(`not a GTID: ${part.slice(0, 60)}`);
    return { domain: Number(match[1]), server: Number(match[2]), sequence: BigInt(match[3] as string) };
  });
}

/**
 * What `own` holds and `other` does not, as GTIDs: the last of each domain and server where `own` is ahead.
 * Both are binlog states. A server's transactions reach the other side in order, so comparing the last of each
 * compares all.
 */
export function extras(own: string, other: string): string[] {
  const theirs = parseGtids(other);
  return parseGtids(own)
    .filter(
      (mine) =>
        !theirs.some(
          (their) =>
            their.domain === mine.domain && their.server === mine.server && their.sequence >= mine.sequence,
        ),
    )
    .map(formatGtid);
}

/** Whether a position (the last of each domain) has come as far as `wanted`. */
export function reaches(position: string, wanted: string): boolean {
  const now = parseGtids(position);
  return parseGtids(wanted).every((want) =>
    now.some((have) => have.domain === want.domain && have.sequence >= want.sequence),
  );
}

/** Of two positions, the later GTID of each domain. */
export function furthest(one: string, other: string): string {
  const last = new Map<number, Gtid>();
  for (const gtid of [...parseGtids(one), ...parseGtids(other)]) {
    const known = last.get(gtid.domain);
    if (!known || gtid.sequence > known.sequence) last.set(gtid.domain, gtid);
  }
  return [...last.values()].map(formatGtid).join(",");
}

/**
 * The binlog state of a copy that ends at `position`, from those of its source before and after it was made. In each
 * domain the last entry is the newest, as MariaDB reads it (gtid_binlog_state).
 * @throws TypeError where that cannot be told: more than one server wrote meanwhile, or the position is of another time
 */
export function contentsAt(before: string, position: string, after: string): string {
  const end = parseGtids(position);
  const isEnd = (gtid: Gtid) =>
    end.some((last) => last.domain === gtid.domain && last.server === gtid.server);
  const older = parseGtids(before).filter((gtid) => !isEnd(gtid));
  const newer = parseGtids(after).filter((gtid) => !isEnd(gtid));
  const moved = newer.find((gtid) => !older.some((one) => formatGtid(one) === formatGtid(gtid)));
  if (moved) throw new TypeError(`${formatGtid(moved)} was written while a copy was made`);
  const late = older.find((gtid) => !reaches(position, formatGtid(gtid)));
  if (late) throw new TypeError(`${formatGtid(late)} is not in a copy that ends at ${position}`);
  return [...older, ...end].map(formatGtid).join(",");
}

export function formatGtid({ domain, server, sequence }: Gtid): string {
  return `${domain}-${server}-${sequence}`;
}
