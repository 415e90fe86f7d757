import * as v from "valibot";
import { usageError } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { ask, askJson, askWell, type Server } from "./client.ts";

export interface Setup {
  username: string;
  password: string;
  org: string;
  bucket: string;
  /** Of the administrator: the same on both twins. */
  token: string;
  /** 0: for ever. */
  retentionSeconds: number;
}

/** As the server checks a part of them only after it has made user and organisation, and then never again. */
const password = { least: 8, most: 72 };
const leastRetentionSeconds = 3600;

/** Its process answers. Says nothing of whether it can store anything: it is well on a full disk, too. */
export async function isUp(server: Server, limits: Limits): Promise<boolean> {
  return ask(server, { method: "GET", path: "/ping" }, limits).then(
    ({ status }) => status === 204,
    () => {
      limits.signal?.throwIfAborted();
      return false;
    },
  );
}

/** Nobody has set this server up yet. @throws ChimeError `influxdb.*` */
export async function isNew(server: Server, limits: Limits): Promise<boolean> {
  const schema = v.object({ allowed: v.boolean() });
  return (await askJson(server, { method: "GET", path: "/api/v2/setup" }, schema, limits)).allowed;
}

/**
 * What a server does only once: its first user, organisation, bucket and token.
 * @throws ChimeError `influxdb.setup` (exit 2) where it would be burnt by it, `influxdb.partial` where it is set up already
 */
export async function setUp(server: Server, wanted: Setup, limits: Limits): Promise<void> {
  requireValid(wanted);
  const { retentionSeconds: retentionPeriodSeconds, ...rest } = wanted;
  const body = JSON.stringify({ ...rest, retentionPeriodSeconds });
  await askWell(server, { method: "POST", path: "/api/v2/setup", body, once: true }, limits);
}

/** @throws ChimeError `influxdb.setup` */
function requireValid({ username, password: given, org, bucket, token, retentionSeconds }: Setup): void {
  const bytes = Buffer.byteLength(given);
  const why =
    ([username, org, bucket, token].some((word) => word === "") && "a name or the token is empty") ||
    ((bytes < password.least || bytes > password.most) &&
      `the password needs ${password.least} to ${password.most} bytes`) ||
    (!isRetention(retentionSeconds) && `a retention of ${retentionSeconds} s is too short`) ||
    (bucket.startsWith("_") && "a bucket's name must not begin with _");
  if (why)
    throw usageError("influxdb.setup", `InfluxDB would not survive this setup: ${why}`, "correct the spec");
}

/** 0 is for ever. */
function isRetention(seconds: number): boolean {
  return Number.isSafeInteger(seconds) && (seconds === 0 || seconds >= leastRetentionSeconds);
}
