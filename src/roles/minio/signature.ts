import { createHash, createHmac } from "node:crypto";

/** One account of a store. */
export interface Credentials {
  accessKey: string;
  secretKey: string;
}

/** A request as it will be sent, but for its signature. */
export interface Signable {
  method: string;
  /** As it stands in the request line: see `encodePath`. */
  path: string;
  query: Readonly<Record<string, string>>;
  /** With `host`; each of them is signed. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** MinIO takes any region as long as none is configured. */
const region = "us-east-1";
const service = "s3";
const algorithm = "AWS4-HMAC-SHA256";

/**
 * The headers that prove who asks, AWS Signature Version 4 with the body under the signature: nobody on the way can
 * change a byte, nor ask again later than a quarter of an hour (so clocks have to agree within that).
 * @param at ms since 1970
 * @returns all headers of the request
 */
export function signed(
  request: Signable,
  { accessKey, secretKey }: Credentials,
  at: number,
): Record<string, string> {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const bodyHash = sha256(request.body);
  const headers = { ...request.headers, "x-amz-content-sha256": bodyHash, "x-amz-date": time };
  const sorted = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, " ")] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = sorted.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    request.path,
    encodeQuery(request.query),
    ...sorted.map((header) => header.join(":")),
    "",
    names,
    bodyHash,
  ].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = [algorithm, time, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(
    (outer, part) => hmac(outer, part).digest(),
    `AWS4${secretKey}`,
  );
  const signature = hmac(key, toSign).digest("hex");
  const authorization = `${algorithm} Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization };
}

/** A path from its parts; a part (an object's key) may have slashes, which stay. */
export function encodePath(...parts: string[]): string {
  return `/${parts.map((part) => part.split("/").map(encode).join("/")).join("/")}`;
}

/** Sorted by name, as it is signed and sent. */
export function encodeQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.join("="))
    .join("&");
}

/** By RFC 3986, which is stricter than encodeURIComponent: both sides must write the same. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, percent);
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Buffer, data: string) {
  return createHmac("sha256", key).update(data);
}
