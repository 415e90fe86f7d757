const authorizations = ["read", "write"].map((kind) => ({
  id: kind,
  description: `chime-node: may only ${kind}`,
  token: `token-to-${kind}`,
}));

/** s. */
interface Rule {
  everySeconds: number;
  shardGroupDurationSeconds: number;
}

const weekSeconds = 604_800;

/** A server that was set up, and holds nothing but the last point by which its node looks at it. */
export class StandInServer {
  readonly #http: Bun.Server<undefined>;
  #held: string | undefined;
  #release = Promise.withResolvers<void>();
  #refusal: { status: number; code: string; message: string; path: string } | undefined;
  #forgets = false;
  #last = "";
  /** By their names; each ID is of this server alone. */
  readonly buckets = ["chime", "chime-node", "raw"];
  /** For how long its bucket raw keeps points, s. */
  rawSeconds = 3_600;
  /** What was set of each bucket later, by its name. */
  readonly rules = new Map<string, Rule>();
  /** Of each bucket, with a field `f` each; it has no points of them. */
  readonly measurements: string[] = [];
  /** How many were asked for. */
  writes = 0;
  /** Counts, and points but that one. */
  reads = 0;

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
    if (pathname === "/api/v2/orgs") return Response.json({ orgs: [{ id: "o", name: "chime" }] });
    if (pathname === "/api/v2/buckets" && request.method === "POST") {
      const { name, orgID } = (await request.json()) as { name: string; orgID: string };
      if (orgID === "")
        return Response.json(
          { code: "invalid", message: "id must have a length of 16 bytes" },
          { status: 400 },
        );
      this.buckets.push(name);
      return Response.json(this.#described(this.buckets.at(-1) ?? ""), { status: 201 });
    }
    if (pathname === "/api/v2/buckets") return Response.json({ buckets: this.#bucketsOf(request) });
    if (request.method === "PATCH")
      return this.#change(pathname, (await request.json()) as { retentionRules: [Partial<Rule>] });
    if (pathname === "/api/v2/authorizations") return Response.json({ authorizations });
    if (pathname === "/api/v2/dbrps") return Response.json({ content: this.#databases() });
    if (pathname === "/api/v2/write") return this.#write(await request.text());
    if (pathname === "/query") return this.#query(new URLSearchParams(await request.text()).get("q") ?? "");
    return Response.json({ code: "not found", message: pathname }, { status: 404 });
  }

  #bucketsOf({ url }: Request) {
    const name = new URL(url).searchParams.get("name");
    return this.buckets
      .filter((bucket) => name === null || bucket === name)
      .map((bucket) => this.#described(bucket));
  }

  #described(name: string) {
    return { id: this.#idOf(name), orgID: "o", name, retentionRules: [this.#ruleOf(name)] };
  }

  #ruleOf(name: string): Rule {
    const everySeconds: Record<string, number> = { "chime-node": 3_600, raw: this.rawSeconds };
    const every = everySeconds[name] ?? 0;
    const made = { everySeconds: every, shardGroupDurationSeconds: every === 0 ? weekSeconds : 3_600 };
    return this.rules.get(name) ?? made;
  }

  /** As it was tried with 2.7.12. */
  #change(pathname: string, { retentionRules }: { retentionRules: [Partial<Rule>] }): Response {
    const id = decodeURIComponent(pathname.slice(pathname.lastIndexOf("/") + 1));
    const name = this.buckets.find((bucket) => this.#idOf(bucket) === id) ?? "";
    const rule = { ...this.#ruleOf(name), ...retentionRules[0] };
    if (rule.everySeconds > 0 && rule.everySeconds < rule.shardGroupDurationSeconds) {
      const message = "shard-group duration must also be updated to be smaller than new retention duration";
      return Response.json({ code: "unprocessable entity", message }, { status: 422 });
    }
    this.rules.set(name, rule);
    return Response.json(this.#described(name));
  }

  #databases() {
    return this.buckets.map((name) => ({
      database: name,
      retention_policy: "autogen",
      bucketID: this.#idOf(name),
    }));
  }

  #idOf(name: string): string {
    return `${name} at ${this.#http.hostname}`;
  }

  #write(body: string): Response {
    const [, value] = /^probe,.* value=(\d+)i/.exec(body) ?? [];
    if (value !== undefined && !this.#forgets) this.#last = value;
    return new Response(null, { status: 204 });
  }

  #query(statements: string): Response {
    const results = statements.split(";").map((statement, id) => {
      if (statement.startsWith("SELECT last(value)")) {
        const values = [[0, Number(this.#last)]];
        return { statement_id: id, series: [{ name: "probe", columns: ["time", "last"], values }] };
      }
      if (statement === "SHOW FIELD KEYS") return { statement_id: id, series: this.#fields() };
      this.reads++;
      const [, name] = /FROM "(_series)"/.exec(statement) ?? [];
      const error = `unable to use system source '${name}': use SHOW SERIES instead`;
      return { statement_id: id, ...(name !== undefined && { error }) };
    });
    return Response.json({ results });
  }

  #fields() {
    const columns = ["fieldKey", "fieldType"];
    return this.measurements.map((name) => ({ name, columns, values: [["f", "float"]] }));
  }
}
