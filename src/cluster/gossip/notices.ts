/** As long may fetching an item take before who tells of it next is asked for it. */
const patienceMs = 2_000;
/** Beyond it the oldest are forgotten: at worst something is fetched twice. */
const mostPending = 1_024;

/** Items too large for a datagram that are being fetched, so that ten notices of one do not fetch it ten times. */
export class Notices {
  private readonly pending = new Map<string, { version: string; since: number }>();

  get size(): number {
    return this.pending.size;
  }

  /** True: it is to be fetched now. */
  begin(key: string, version: string, now: number): boolean {
    const before = this.pending.get(key);
    if (before?.version === version && now - before.since < patienceMs) return false;
    this.pending.delete(key);
    this.pending.set(key, { version, since: now });
    const [oldest] = this.pending.keys();
    if (this.pending.size > mostPending && oldest !== undefined) this.pending.delete(oldest);
    return true;
  }

  done(key: string): void {
    this.pending.delete(key);
  }
}
