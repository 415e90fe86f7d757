import * as v from "valibot";
import { readFileSync } from "node:fs";
import { registerSecret } from "../../core/mask.ts";
import { paths } from "../../core/paths.ts";
import { isMissing, makeParents, writeAtomically } from "../../host/files.ts";
import {
  createAuthorization,
  listAuthorizations,
  type Authorization,
  type Permission,
} from "./authorizations.ts";
import { findBucket } from "./buckets.ts";
import type { Limits } from "../http.ts";
import type { Server } from "./client.ts";

const token = v.pipe(v.string(), v.minLength(1), v.maxLength(500));
export const tokensSchema = v.object({ read: token, write: token });

/** For applications: one that may only read and one that may only write, every bucket of the organisation. */
export type Tokens = v.InferOutput<typeof tokensSchema>;

const kinds = ["read", "write"] as const;
export type TokenKind = (typeof kinds)[number];

/** What the server calls it: it makes the token's own value. */
const descriptions: Record<TokenKind, string> = {
  read: "chime-node: may only read",
  write: "chime-node: may only write",
};

/** As this node keeps them; undefined where it does not. */
export function keptTokens(path: string = paths.influxdbTokens): Tokens | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), tokensSchema), text);
  return parsed.success ? registered(parsed.output) : undefined;
}

export async function keepTokens(tokens: Tokens, path: string = paths.influxdbTokens): Promise<void> {
  await makeParents(path);
  await writeAtomically(path, JSON.stringify(registered(tokens)), { mode: 0o600, uid: 0, gid: 0 });
}

/** As the server tells them; undefined where it does not: one that keeps hashes only tells each once. @throws ChimeError `influxdb.*` */
export async function findTokens(server: Server, limits: Limits): Promise<Tokens | undefined> {
  const all = await listAuthorizations(server, limits);
  const of = (kind: TokenKind) =>
    all.find(({ description, active, token }) => active && token !== "" && description === descriptions[kind])
      ?.token;
  const [read, write] = kinds.map(of);
  return read !== undefined && write !== undefined ? registered({ read, write }) : undefined;
}

/** Which of the kept ones the server does not take any more: somebody deleted or deactivated them there. @throws ChimeError `influxdb.*` */
export async function lostTokens(server: Server, kept: Tokens, limits: Limits): Promise<TokenKind[]> {
  return lostOf(await listAuthorizations(server, limits), kept);
}

/** The same, of what it lists. One that keeps hashes only tells no token: there the description has to do. Pure. */
export function lostOf(listed: readonly Omit<Authorization, "id">[], kept: Tokens): TokenKind[] {
  const isKnown = (kind: TokenKind) =>
    listed.some(
      ({ active, token, description }) =>
        active && (token === "" ? description === descriptions[kind] : token === kept[kind]),
    );
  return kinds.filter((kind) => !isKnown(kind));
}

/** Made on one of the twins: the other one gets them with its metadata. @throws ChimeError `influxdb.*` */
export async function makeTokens(server: Server, bucket: string, limits: Limits): Promise<Tokens> {
  const { orgId } = await findBucket(server, bucket, limits);
  const make = async (kind: TokenKind) => {
    const permissions: Permission[] = [{ action: kind, resource: { type: "buckets", orgID: orgId } }];
    const wanted = { orgId, description: descriptions[kind], permissions };
    return (await createAuthorization(server, wanted, limits)).token;
  };
  return registered({ read: await make("read"), write: await make("write") });
}

function registered(tokens: Tokens): Tokens {
  for (const kind of kinds) registerSecret(tokens[kind]);
  return tokens;
}
