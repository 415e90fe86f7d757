/**
 * Clients of an S3 store, on the lab's client machine: `ENDPOINT BUCKET PREFIX WORKERS BYTES KINDS`. Each worker puts or gets
 * (KINDS: `put`, `get`, `put,get`) one object after the other, and tries again what fails or takes longer than 5 s. Until
 * SIGTERM; then one line of JSON with every attempt.
 */
const timeoutMs = 5_000;

export interface Attempt {
  worker: number;
  kind: string;
  /** ms on the clock of `Date.now()`, and how long it took. */
  at: number;
  ms: number;
  /** HTTP status, with the code of an S3 error; or what was thrown. */
  answer: number | string;
}

interface Settings {
  endpoint: string;
  bucket: string;
  prefix: string;
  workers: number;
  bytes: number;
  kinds: readonly string[];
}

if (import.meta.main) {
  const [endpoint = "", bucket = "", prefix = "", workers = "1", bytes = "1024", kinds = "put,get"] =
    process.argv.slice(2);
  const options = { workers: Number(workers), bytes: Number(bytes), kinds: kinds.split(",") };
  console.log(JSON.stringify(await load({ endpoint, bucket, prefix, ...options })));
}

function client(endpoint: string, bucket: string): Bun.S3Client {
  const account = { accessKeyId: "labadmin", secretAccessKey: "labadminsecret", region: "us-east-1" };
  return new Bun.S3Client({ endpoint, bucket, ...account });
}

async function load({ endpoint, bucket, prefix, workers, bytes, kinds }: Settings): Promise<Attempt[]> {
  const s3 = client(endpoint, bucket);
  const attempts: Attempt[] = [];
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const body = new Uint8Array(bytes).fill(7);

  async function once(worker: number, kind: string, key: string): Promise<boolean> {
    const at = Date.now();
    const began = performance.now();
    let answer: number | string;
    try {
      const method = kind === "put" ? "PUT" : "GET";
      const response = await fetch(s3.presign(key, { method, expiresIn: 3600 }), {
        method,
        ...(kind === "put" ? { body } : {}),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const got = await response.text();
      const said = /<Code>(\w+)/.exec(got)?.[1];
      if (kind === "get" && response.ok && got.length !== body.length) answer = "short";
      else answer = said === undefined ? response.status : `${response.status} ${said}`;
    } catch (error) {
      const { code, name } = error as { code?: unknown; name: string };
      answer = typeof code === "string" ? code : name;
    }
    if (attempts.length === 0) console.error("at work");
    attempts.push({ worker, kind, at, ms: Math.round(performance.now() - began), answer });
    return answer === 200;
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
