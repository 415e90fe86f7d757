const buckets = ["chime", "chime-node", "raw"].map((name, i) => ({ id: `b${i}`, orgID: "o", name }));
const databases = buckets.map(({ id, name }) => ({
  database: name,
  retention_policy: "autogen",
  bucketID: id,
}));
const authorizations = ["read", "write"].map((kind) => ({
  id: kind,
  description: `chime-node: may only ${kind}`,
  token: `token-to-${kind}`,
}));

/** A server that was set up, and holds nothing but the last point by which its node looks at it. */
export class StandInServer {
  readonly #http: Bun.Server<undefined>;
  #held: string | undefined;
  #release = Promise.withResolvers<void>();
  #refusal: { status: number; code: string; message: string; path: string } | undefined;
  #forgets = false;
  #last = "";
  /** For how long its bucket raw keeps points, s. */
  rawSeconds = 3_600;
  /** How many were asked for. */
  writes = 0;

  private constructor(hostname: string, port: number) {
    this.#http = Bun.serve({ hostname, port, idleTimeout: 0, fetch: (request) => this.#answer(request) });
  }

  static start(address: string, port: number): StandInServer {
    return new StandInServer(address, port);
  }

  /** Its connections end. */
  async stop(): Promise<void> {
    await this.#http.stop(true);
  }

  /** Nothing that is asked of a path is answered any more, until it is released. */
  hold(on: boolean, path = ""): void {
    this.#held = on ? path : undefined;
    if (on) return;
    this.#release.resolve();
    this.#release = Promise.withResolvers();
  }

  /** Whatever is asked of a path is refused; default: points. */
  refuse(status: number, message: string, code = "internal error", path = "/api/v2/write"): void {
    this.#refusal = { status, code, message, path };
  }

  /** Points are taken, and are not there. */
  forget(): void {
    this.#forgets = true;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/v2/write") this.writes++;
    if (this.#held !== undefined && pathname.startsWith(this.#held)) await this.#release.promise;
    if (pathname === "/ping") return new Response(null, { status: 204 });
    if (pathname === "/api/v2/setup") return Response.json({ allowed: false });
    if (this.#refusal && pathname.startsWith(this.#refusal.path)) {
      const { status, code, message } = this.#refusal;
      return Response.json({ code, message }, { status });
    }
    if (pathname === "/api/v2/buckets") return Response.json({ buckets: this.#bucketsOf(request) });
    if (pathname === "/api/v2/authorizations") return Response.json({ authorizations });
    if (pathname === "/api/v2/dbrps") return Response.json({ content: databases });
    if (pathname === "/api/v2/write") return this.#write(await request.text());
    if (pathname === "/query") return this.#query(new URLSearchParams(await request.text()).get("q") ?? "");
    return Response.json({ code: "not found", message: pathname }, { status: 404 });
  }

  #bucketsOf({ url }: Request) {
    const name = new URL(url).searchParams.get("name");
    const everySeconds: Record<string, number> = { "chime-node": 3_600, raw: this.rawSeconds };
    return buckets
      .filter((bucket) => name === null || bucket.name === name)
      .map((bucket) => ({ ...bucket, retentionRules: [{ everySeconds: everySeconds[bucket.name] ?? 0 }] }));
  }

  #write(body: string): Response {
    const [, value] = /^probe,.* value=(\d+)i/.exec(body) ?? [];
    if (value !== undefined && !this.#forgets) this.#last = value;
    return new Response(null, { status: 204 });
  }

  #query(statements: string): Response {
    const results = statements.split(";").map((statement, id) => ({
      statement_id: id,
      ...(statement.startsWith("SELECT last(value)") && {
        series: [{ name: "probe", columns: ["time", "last"], values: [[0, Number(this.#last)]] }],
      }),
    }));
    return Response.json({ results });
  }
}
