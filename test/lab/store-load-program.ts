/**
 * Clients of an S3 store, on the lab's client machine; their settings come on stdin. Each worker puts, gets or deletes one object
 * after the other, and tries again what fails or takes longer than 5 s. Until SIGTERM; then one line of JSON with every attempt.
 */
const timeoutMs = 5_000;

const methods = { put: "PUT", get: "GET", delete: "DELETE" } as const;

export interface Attempt {
  worker: number;
  kind: string;
  /** ms on the clock of `Date.now()`, and how long it took. */
  at: number;
  ms: number;
  /** HTTP status, with the code of an S3 error; `broken off` where an answer had begun; or what was thrown. */
  answer: number | string;
}

type Kind = "put" | "get" | "delete";

export interface LoadSettings {
  endpoint: string;
  account: { accessKey: string; secretKey: string };
  bucket: string;
  prefix: string;
  workers: number;
  bytes: number;
  /** In turns. */
  kinds: readonly Kind[];
}

if (import.meta.main) {
  console.log(JSON.stringify(await load((await Bun.stdin.json()) as LoadSettings)));
}

async function load(settings: LoadSettings): Promise<Attempt[]> {
  const { endpoint, account, bucket, prefix, workers, bytes, kinds } = settings;
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = account;
  const s3 = new Bun.S3Client({ endpoint, bucket, accessKeyId, secretAccessKey, region: "us-east-1" });
  const attempts: Attempt[] = [];
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const body = new Uint8Array(bytes).fill(7);

  async function once(worker: number, kind: Kind, key: string): Promise<boolean> {
    const at = Date.now();
    const began = performance.now();
    let answer: number | string;
    let isAnswered = false;
    try {
      const method = methods[kind];
      const response = await fetch(s3.presign(key, { method, expiresIn: 3600 }), {
        method,
        ...(kind === "put" ? { body } : {}),
        signal: AbortSignal.timeout(timeoutMs),
      });
      isAnswered = response.ok;
      const got = await response.text();
      const said = /<Code>(\w+)/.exec(got)?.[1];
      if (kind === "get" && response.ok && got.length !== body.length) answer = "short";
      else answer = said === undefined ? response.status : `${response.status} ${said}`;
    } catch (error) {
      const { code, name } = error as { code?: unknown; name: string };
      answer = isAnswered && name !== "TimeoutError" ? "broken off" : typeof code === "string" ? code : name;
    }
    if (attempts.length === 0) console.error("at work");
    attempts.push({ worker, kind, at, ms: Math.round(performance.now() - began), answer });
    return answer === 200 || answer === 204;
  }

  async function work(worker: number): Promise<void> {
    for (let i = 0; !stop.signal.aborted; i++) {
      const kind = kinds[i % kinds.length] ?? "put";
      // What this worker put last, or what an earlier one with as many workers put first.
      const key = `${prefix}-${worker}-${kinds.includes("put") ? i - (i % kinds.length) : 0}`;
      while (!stop.signal.aborted && !(await once(worker, kind, key))) await Bun.sleep(20);
    }
  }

  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return attempts;
}
