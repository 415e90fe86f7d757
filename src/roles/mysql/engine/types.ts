import type { Session } from "../client.ts";

/** What a probe sees of the local server. */
export interface ServerState {
  /** One run of the server process: another after each restart. */
  life: string;
  readOnly: boolean;
  /** How far it has come, in the engine's own words (`Engine.reaches`). */
  position: string;
  /** The writer's half of semi-synchronous replication. */
  source: {
    enabled: boolean;
    /** Every commit waits for an acknowledgement, without a limit, also while no replica is connected. */
    strict: boolean;
    /** A connected replica acknowledges: commits wait for it. */
    active: boolean;
    replicas: number;
    /** Sessions whose commit waits for an acknowledgement now. */
    waiting: number;
    /** Commits acknowledged so far. */
    acknowledged: number;
  };
  replica: {
    /** Address it is configured to receive from; null: none. */
    from: string | null;
    receiver: "running" | "connecting" | "stopped";
    applier: boolean;
    /** How far it has received completely, in the same words. */
    received: string;
    /** Where in the source's binary log it reads: another place after each piece that arrives. */
    reading: string;
    /** Something received is not applied yet. */
    pending: boolean;
    semiSync: boolean;
    /** Why a thread stopped or cannot connect, one line. */
    error: string | null;
    /** Seconds, null while nothing can tell. */
    lag: number | null;
  };
}

/** How a replica reaches the writer. */
export interface SourceAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  ca: string;
  cert: string;
  key: string;
}

export interface ConfigInput {
  serverId: number;
  address: string;
  vip: string;
  /** 1 or 2 of two: which half of the generated keys this server takes. */
  incrementOffset: number;
  pidFile: string;
  tls: { ca: string; cert: string; key: string };
}

/** Where in a server's binary logs the transactions begin that another server does not have, and which these are. */
export interface Tail {
  /** Paths of the files from the one on in which they begin. */
  files: readonly string[];
  /** Of the first event in the first of them. */
  offset: number;
  /** When that was written, seconds since the epoch. */
  at: number;
  gtids: readonly string[];
}

/** What makes a line harmless: what `line` matches at its beginning is replaced by `put`. */
export interface Inertness {
  line: RegExp;
  put: string;
}

export interface TailReader {
  /** @param theirs what the other server holds (`Engine.contents`) */
  find(data: string, theirs: string): Promise<Tail | undefined>;
  /** Prints these transactions as SQL that people can read. */
  dump(binlog: string, tail: Tail): readonly string[];
  /**
   * Statements of that which give the transactions their old numbers: on the writer these are taken, and the node that
   * had them would not take back what bears its own.
   */
  readonly inert: Inertness;
}

/** Programs and places of a product on this node (catalog). */
export interface CopyPlaces {
  backup: string;
  unpack: string;
  socket: string;
  data: string;
  /** Who the server runs as. */
  user: string;
}

/** What both ways of copying all data of a running server to another node have. */
interface AnyCopying {
  /** Files of the data directory that are not copied: binary logs, relay logs, temporary tables. */
  readonly skips: RegExp;
  /** What making a copy takes beside the copy itself (bytes). */
  readonly aside: number;
  /** Tells a server that was started on a copy what it holds: where to go on, and what every server's last was. */
  takeUp(session: Session, copy: { position: string; contents: string }): Promise<void>;
}

/** By programs that the server's own user runs, over the agents' connection. */
export interface Streaming extends AnyCopying {
  readonly by: "stream";
  /** Writes a consistent copy of the running server's data to its standard output, while it serves. */
  backup(places: CopyPlaces): readonly string[];
  /** Unpacks that from standard input into `directory`. */
  unpack(places: CopyPlaces, directory: string): readonly string[];
  /** Makes what was unpacked a data directory that the server can start on. */
  prepare(places: CopyPlaces, directory: string): readonly string[];
  /** Files in the copy that are not the server's; the first that is there tells where the copy ends. */
  readonly notes: readonly string[];
  /** The last transaction in the copy, from that file. @throws TypeError */
  position(note: string): string;
  /** What a copy that ends there holds, from its source's `contents` before and after. @throws TypeError where unknown */
  contents(before: string, position: string, after: string): string;
}

/** Places of a clone: the server's program, and what lies in the copy's own directory. */
export interface ClonePlaces {
  server: string;
  /** An empty data directory, for the server that fetches. */
  empty: string;
  socket: string;
  /** Where the copy grows. The server makes it. */
  directory: string;
}

/** Settings in which a server on a copy has to agree with the source, by name. They come from the network. */
export type SourceSettings = Readonly<Record<string, string>>;

/** By a server for the purpose alone, which has the source send it everything, as a replica would, but at once. */
export interface Cloning extends AnyCopying {
  readonly by: "clone";
  /** Asked of the source. */
  settings(session: Session): Promise<SourceSettings>;
  /** Makes the empty data directory. */
  initialize(places: ClonePlaces, settings: SourceSettings): readonly string[];
  /** The server that fetches. It listens on `socket` alone. */
  fetcher(places: ClonePlaces, settings: SourceSettings, source: SourceAddress): readonly string[];
  /** Fetches everything; returns when it is on disk. */
  fetch(session: Session, places: ClonePlaces, source: SourceAddress): Promise<void>;
  /** Bytes so far; to be asked in another session. */
  progress(session: Session): Promise<number>;
  /** A server upon the copy, by which it becomes whole. It listens on `socket` alone. */
  finisher(places: ClonePlaces, settings: SourceSettings): readonly string[];
  /** Takes out of the copy what is the source's own affair. Returns what it holds. */
  finish(session: Session): Promise<string>;
}

export type Copying = Streaming | Cloning;

/** What a server product does in its own words: the guard speaks of roles only. One file a product. */
export interface Engine {
  readonly name: string;
  /** The server's configuration file. Pure. */
  config(input: ConfigInput): string;
  /** What makes this server check that file (its path as `{}`) without touching the running server (law 5). */
  readonly configCheck: (server: string) => readonly string[];
  /**
   * Shell command that systemd runs before it sends SIGTERM (ExecStop): where a stop alone would tell waiting clients OK.
   */
  readonly beforeStop?: string;
  /**
   * After which time systemd kills a server that does not stop, s (TimeoutStopSec). Only for one that asks systemd for
   * more time while its stop gets on. Undefined: what the package's unit says.
   */
  readonly stopSeconds?: number;
  /** The statement that has the running server read its key and certificate anew. */
  readonly reloadTls: string;
  /** A variable in the environment of the unit's server, and of no other one that is started on this configuration. */
  readonly environment?: string;
  /**
   * How an empty database is made that lets root in by the socket and nobody else: a program, by its name among the
   * catalog's paths, and a shell script for the server's user, of which $1 is the empty directory and $2 the program.
   */
  readonly first: { program: string; script: string };
  /** Accounts that a new server has by itself. */
  readonly systemAccounts: readonly string[];
  /** What `own` holds and `other` does not (both from `contents`), as text. @throws TypeError */
  extras(own: string, other: string): string[];
  /** Whether a position has come as far as `wanted`. @throws TypeError */
  reaches(position: string, wanted: string): boolean;
  /** The clause of CREATE USER for a password, with its hash: the binary log keeps these statements. */
  credential(password: string): string;
  /** Whether an account's HEX(authentication_string) is of this password. */
  isCredential(kept: string, password: string): boolean;
  probe(session: Session): Promise<Omit<ServerState, "life">>;
  /**
   * Stops every write, then stops waiting for acknowledgements: kill, read-only, kill. Clients in a commit lose their
   * connection; none is told that it succeeded.
   * @param hand a second session: the first hangs while a commit is in flight
   * @throws ChimeError `mysql.hung` where a commit goes on waiting and the engine cannot end that
   */
  fence(session: Session, hand: Session): Promise<void>;
  /** Stops receiving; what was received goes on being applied. Fast also when the source has vanished. */
  stopReceiver(session: Session): Promise<void>;
  /** Waits at most `ms` until everything received is applied. */
  applied(session: Session, received: string, ms: number): Promise<boolean>;
  /** Makes the server the writer, alone for now: commits wait for a replica only while one acknowledges. */
  open(session: Session): Promise<void>;
  /** From here on no commit succeeds without a replica. */
  protect(session: Session): Promise<void>;
  /**
   * Lets commits succeed alone; a replica that is level is waited for, shortly.
   * @param cut also ends the replicas' connections: a replica that lost its power counts as connected until then
   */
  release(session: Session, cut: boolean): Promise<void>;
  /**
   * Commits something without any effect, on a server that accepts writes alone; it may wait for the replica, too.
   * Undefined: a replica of this product acknowledges what it holds by itself.
   */
  nudge?(session: Session): Promise<void>;
  /** Replicates from `source`, going on where this server's own binary log ends. */
  follow(session: Session, source: SourceAddress): Promise<void>;
  /** All that is in its binary log, acknowledged or not, to compare two servers' contents (`extras`). */
  contents(session: Session): Promise<string>;
  /**
   * Before a start, of a server that was killed and outrun: it is to give up what it flushed and no client was told of.
   * Where the engine cannot tell what that is, all stays, and comparing the contents shows it later.
   * @param theirs the writer's `contents`, of after it had applied all that it received
   * @returns options for that one start
   */
  rewind(data: string, theirs: string): Promise<string>;
  /** Reads this product's binary logs without its server: what is cut off is saved before. */
  readonly tail: TailReader;
  /** How a node is filled from another one. */
  readonly copy: Copying;
}
