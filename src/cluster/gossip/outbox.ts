import { Dissemination } from "./dissemination.ts";
import { maxNews, maxNewsBytes, maxPacketBytes, maxStatements, type News, type Statement } from "./types.ts";

/** Everything in a packet but its statements and news, at its longest. */
const frameBytes = 180;
/** A statement with the longest numbers, and the comma behind it. */
const statementBytes = 82;

/** What this node has to pass on, and how it is laid into packets. */
export class Outbox {
  private readonly statements: Dissemination<Statement>;
  private readonly news = new Dissemination<News>(() => true);
  private newsFirst = false;

  /** @param holds whether a statement is still the last word on its member */
  constructor(holds: (said: Statement) => boolean) {
    this.statements = new Dissemination(holds);
  }

  get size(): number {
    return this.statements.size + this.news.size;
  }

  /** Each accuser's word is passed on by itself: together they shorten the suspicion. */
  addStatement(said: Statement, now: number): void {
    const about = said.state === "suspect" ? `${said.index}/${said.from}` : `${said.index}`;
    this.statements.add(about, said, statementBytes, now);
  }

  /** Without its body where that is too large for a datagram. */
  addNews(item: News, now: number): void {
    const bytes = Buffer.byteLength(JSON.stringify(item));
    if (bytes <= maxNewsBytes) return this.news.add(item.key, item, bytes, now);
    const notice = { key: item.key, version: item.version };
    this.news.add(item.key, notice, JSON.stringify(notice).length, now);
  }

  /**
   * For one packet.
   * @param first a statement that is to be in it in any case
   * @param members how many there are
   */
  pack(
    first: Statement | undefined,
    members: number,
    now: number,
  ): { statements: Statement[]; news: News[] } {
    const head = first ? [first] : [];
    let room = maxPacketBytes - frameBytes - head.length * statementBytes;
    // In turns, or one kind could keep the other one back.
    this.newsFirst = !this.newsFirst;
    let news: News[] = [];
    const takeNews = () => {
      const taken = this.news.take({ count: maxNews, bytes: room }, members, now);
      news = taken.items;
      room -= taken.bytes;
    };
    if (this.newsFirst) takeNews();
    const count = maxStatements - head.length;
    const { items, bytes } = this.statements.take({ count, bytes: room }, members, now);
    room -= bytes;
    if (!this.newsFirst) takeNews();
    return { statements: [...head, ...items], news };
  }
}
