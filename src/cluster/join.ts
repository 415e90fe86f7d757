import { X509Certificate } from "node:crypto";
import { isIPv6 } from "node:net";
import type { TLSSocket } from "node:tls";
import * as v from "valibot";
import { systemClock, type Clock } from "../core/clock.ts";
import { ChimeError, Exit, failed, refused } from "../core/errors.ts";
import { agentPort } from "../core/paths.ts";
import { isWitness, possessionFields, protocolVersion, removed } from "./admission.ts";
import { Channel, peerFrameBytes } from "./channel.ts";
import type { ClusterFiles } from "./files.ts";
import { firstRing } from "./gossip/keyring.ts";
import { joinKey, loadIdentity, saveCredentials, type Credentials } from "./identity.ts";
import { caHash, readNodeCertificate, signFields, type KeyPair } from "./pki.ts";
import { isSound as isSoundRollover, lastStage, type Rollover } from "./rollover.ts";
import { joinAnswer, type JoinAnswer, type JoinRequest } from "./schema.ts";
import { saveSecrets } from "./secrets.ts";
import { fileStore, hasLeft } from "./store.ts";
import { ClosedEarly, openTls, serverNameOf } from "./tls-transport.ts";
import type { Token } from "./token.ts";
import { busy } from "./turnstile.ts";
import type { Identity } from "./types.ts";

/** The contract: connecting takes at most so long for one address, and for all of them. */
const addressMs = 10_000;
const totalMs = 30_000;
/** The next address is tried when the one before it has not answered by then, without giving that one up. */
const staggerMs = 1_000;
/** The cluster may have to wait for another member's word (coordinator.ts: 10 s). */
const answerMs = 15_000;
/** Before a member that is too busy is asked again, and as much more at random, so that many do not come back at once. */
const busyMs = 500;

export interface EnterOptions {
  token: Token;
  node: { name: string; address: string };
  roles: readonly string[];
  /** How many disks it gives to them, which the cluster compares with its layout; undefined: they have theirs. */
  disks?: number | undefined;
  binaryVersion: string;
  /** Progress: what is being tried. */
  progress?: (line: string) => void;
  clock?: Clock;
}

/**
 * Enters the cluster that the token names. The secret goes only to somebody who has proved to hold a certificate of the
 * CA that the token pins. Interrupted anywhere, it can be run again: the same key gets the same admission.
 * @throws ChimeError `token.*`, `join.*` (exit 3: the cluster said no), `join.unreachable` (exit 1), `cluster.exists`
 */
export async function enterCluster(files: ClusterFiles, options: EnterOptions): Promise<Identity> {
  const { token, node } = options;
  const clock = options.clock ?? systemClock;
  const existing = await loadIdentity(files.pki);
  if (existing && existing.cluster.id !== token.cluster) {
    throw refused(
      "cluster.exists",
      `this node belongs to cluster ${existing.cluster.name} (${existing.cluster.id}); the token is for ${token.cluster}`,
      "chime-node reset, if it is to leave that cluster",
    );
  }
  if (existing) {
    if (await hasLeft(files.state, existing.self)) throw removed(existing.self.name);
    return existing;
  }
  const key = await joinKey(files.pki);
  const answer = await ask(options, key, clock);
  const identity: Identity = { cluster: answer.cluster, self: { ...node, index: answer.index } };
  if (answer.secrets && !isWitness(options.roles)) await saveSecrets(files.secrets, answer.secrets);
  await fileStore(files.state).save({ incarnation: 0, state: answer.state });
  await saveCredentials(files.pki, joinedWith(answer, identity, key));
  return identity;
}

/** What a joiner is given. During a rotation of the CA that is by the one that comes. */
export function joinedWith(answer: JoinAnswer, identity: Identity, key: KeyPair): Credentials {
  const { ca, caKey, certificate, rollover } = answer;
  const isUnderWay = rollover !== undefined && rollover.stage < lastStage;
  return {
    identity,
    certificate,
    key,
    keyRing: answer.keyRing ?? firstRing(answer.gossipKey),
    rollover,
    ...(isUnderWay ? { ca: rollover.before, caKey: undefined, next: { caKey, certificate } } : { ca, caKey }),
  };
}

/** Finds a member to ask, and asks it; the next one when the connection breaks, until the time is up. */
async function ask(options: EnterOptions, key: KeyPair, clock: Clock): Promise<JoinAnswer> {
  const deadline = clock.now() + totalMs;
  const failures = new Map<string, string>();
  const lost: string[] = [];
  let candidates = options.token.addresses;
  while (candidates.length > 0 && clock.now() < deadline) {
    const door = await firstDoor(options, clock, candidates, deadline - clock.now(), failures);
    if (door) {
      const channel = new Channel(door.socket, { limit: peerFrameBytes, peer: door.address });
      try {
        const answer = await channel.request("join", request(options, key, clock), answerMs);
        return checkAnswer(v.parse(joinAnswer, answer), options, key);
      } catch (error) {
        if (!isConnectionTrouble(error)) throw withoutPeer(error);
        if (error.code === "peer.unreachable") lost.push(door.address);
        const isLost = lost.filter((address) => address === door.address).length === mostLost;
        const isCrowded = error.code === "join.busy" || (error.code === "peer.unreachable" && !isLost);
        failures.set(door.address, isCrowded ? crowded : error.message);
      } finally {
        channel.close();
      }
    }
    candidates = candidates.filter((address) => {
      const failure = failures.get(address);
      return failure === undefined || failure === crowded;
    });
    if (candidates.some((address) => failures.has(address))) {
      options.progress?.("many want to join just now: waiting for a turn");
      await clock.sleep(busyMs * (1 + Math.random()));
    } else if (!door) break;
  }
  throw nobodyThere(options.token, failures);
}

function request(options: EnterOptions, key: KeyPair, clock: Clock): JoinRequest {
  const { token, node, roles, disks, binaryVersion } = options;
  const unsigned = {
    token: { id: token.id, secret: token.secret },
    ...node,
    roles: [...roles],
    ...(disks !== undefined && { disks }),
    publicKey: key.publicKey,
    wall: clock.wall(),
    protocol: protocolVersion,
    binaryVersion,
  };
  return { ...unsigned, possession: signFields(key.privateKey, possessionFields(unsigned)) };
}

/** These say nothing about this join, only about that member. */
function isConnectionTrouble(error: unknown): error is ChimeError {
  const codes = ["peer.unreachable", "peer.timeout", "peer.left", "join.witness", "join.busy"];
  return error instanceof ChimeError && codes.includes(error.code);
}

/** A refusal is about this node; which member spoke it does not matter. Trouble over there is that member's. */
function withoutPeer(error: unknown): unknown {
  if (v.isValiError(error))
    return failed("join.bad_answer", "the cluster's answer cannot be read", { cause: error });
  if (!(error instanceof ChimeError) || error.exit !== Exit.refused) return error;
  return new ChimeError(error.exit, error.code, error.message, { remedy: error.remedy });
}

/** Only what fits the token and the request is written to disk. */
function checkAnswer(answer: JoinAnswer, options: EnterOptions, key: KeyPair): JoinAnswer {
  try {
    if (isSound(answer, options, key)) return answer;
  } catch {
    // Not even a certificate.
  }
  throw failed("join.bad_answer", "the cluster's answer does not fit the token and the request");
}

function isSound(answer: JoinAnswer, { token, node }: EnterOptions, key: KeyPair): boolean {
  const ca = new X509Certificate(answer.ca);
  const read = readNodeCertificate(new X509Certificate(answer.certificate), [ca], undefined);
  return (
    caHash(answer.ca) === token.ca &&
    (answer.rollover === undefined || isOf(answer.rollover, answer.ca, token.cluster)) &&
    answer.cluster.id === token.cluster &&
    read?.cluster === token.cluster &&
    read.peer.name === node.name &&
    read.peer.index === answer.index &&
    read.peer.publicKey === key.publicKey
  );
}

/** Nobody without the key of the CA that the token pins says which other one is trusted beside it. */
function isOf(rollover: Rollover, ca: string, cluster: string): boolean {
  return rollover.stage > 1 && rollover.after === ca && isSoundRollover(cluster, rollover);
}

interface Door {
  address: string;
  socket: TLSSocket;
}

/** The first address behind which a member of the token's cluster is; `failures` gets what the others said. */
async function firstDoor(
  { token, progress }: EnterOptions,
  clock: Clock,
  addresses: readonly string[],
  limitMs: number,
  failures: Map<string, string>,
): Promise<Door | undefined> {
  const found = new AbortController();
  const limit = setTimeout(() => found.abort(), limitMs);
  let before: Promise<unknown> = Promise.resolve();
  const attempts = addresses.map(async (address) => {
    const turn = before;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    before = Promise.race([
      over,
      turn.then(() => clock.sleep(staggerMs, found.signal)).catch(() => undefined),
    ]);
    try {
      await turn;
      if (found.signal.aborted) throw new Error("not tried, the time was up");
      progress?.(`asking ${address} to let this node in`);
      const socket = await openDoor(token, address, found.signal);
      if (found.signal.aborted) {
        socket.destroy();
        throw new Error("not needed");
      }
      found.abort();
      return { address, socket };
    } catch (error) {
      // An attempt that was given up in favour of another says nothing about its address.
      if (!found.signal.aborted) failures.set(address, whyNot(error));
      throw error;
    } finally {
      resolve();
    }
  });
  try {
    return await Promise.any(attempts);
  } catch {
    return undefined;
  } finally {
    clearTimeout(limit);
  }
}

const wrongCluster = "belongs to another cluster";
const otherCa = "goes by another CA";
const crowded = "lets nobody in at the moment";
/** Connections that one member closes without an answer: in a crowd it does so where it was not asked yet. */
const mostLost = 3;

/** A member in a crowd closes before it says anything (crowd.ts). */
function whyNot(error: unknown): string {
  if (error instanceof ClosedEarly) return crowded;
  return error instanceof Error ? error.message : String(error);
}

/** Connects without trust, then checks before anything is said: the CA is the pinned one, and it signed this agent. */
async function openDoor(token: Token, door: string, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port } = splitAddress(door);
  // During a rotation of the CA, by that of the token.
  const wanted = { rejectUnauthorized: false, servername: serverNameOf(token.ca) };
  const socket = await openTls(host, port, wanted, addressMs, signal);
  const chain = socket.getPeerCertificate(true);
  const leaf = chain.raw && new X509Certificate(chain.raw);
  const issuer = chain.issuerCertificate?.raw && new X509Certificate(chain.issuerCertificate.raw);
  // Dates are not judged: if this node's clock is off, the cluster says so in words.
  const read = leaf && issuer && readNodeCertificate(leaf, [issuer], undefined);
  const isPinned = issuer !== undefined && caHash(issuer.toString()) === token.ca;
  if (read?.cluster === token.cluster && isPinned) return socket;
  socket.destroy();
  if (!read) throw new Error("is no chime-node agent");
  throw new Error(read.cluster === token.cluster ? otherCa : wrongCluster);
}

/** `ADDRESS`, `ADDRESS:PORT`, `V6`, `[V6]:PORT`. */
export function splitAddress(text: string): { host: string; port: number } {
  if (isIPv6(text)) return { host: text, port: agentPort };
  const match = /^\[?([^\]]+?)\]?(?::(\d{1,5}))?$/.exec(text);
  return { host: match?.[1] ?? text, port: match?.[2] ? Number(match[2]) : agentPort };
}

function nobodyThere(token: Token, failures: ReadonlyMap<string, string>): ChimeError {
  const said = token.addresses
    .map((address) => `${address}: ${failures.get(address) ?? "no answer in time"}`)
    .join("; ");
  if ([...failures.values()].includes(wrongCluster)) {
    return refused(
      "token.wrong_cluster",
      `the token is not of the cluster that answers (${said})`,
      "chime-node token create, on a member of the cluster that this node is to join",
    );
  }
  if ([...failures.values()].includes(otherCa)) {
    return refused(
      "token.other_ca",
      `the cluster's CA is not the one that the token pins: it was rotated since, or this is not the cluster (${said})`,
      "chime-node token create, on a member of the cluster that this node is to join",
    );
  }
  if ([...failures.values()].includes(crowded)) return busy(said);
  return failed("join.unreachable", `no member of cluster ${token.cluster} could be reached (${said})`, {
    remedy: "is TCP port 8820 open to those addresses, and is chime-node.service running there?",
  });
}
