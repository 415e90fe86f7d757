import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { strangersCertificate } from "./certificate.ts";
import { buildProbes, hostileDirectory } from "./programs.ts";

let directory: string;
/** BUN_OPTIONS of an attacker. */
let evil: string;
let hostile: string;
let marker: string;
let binary: string;
let programs: { hardened: string; plain: string };
let server: Bun.Server<undefined>;
let secure: Bun.Server<undefined>;
let proxy: Bun.Server<undefined>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-node-binary-"));
  hostile = join(directory, "hostile");
  marker = join(directory, "marker");
  evil = `--preload=${join(hostile, "evil.js")}`;
  await hostileDirectory(hostile, marker);
  // A copy: a build that runs beside the tests must not change it between two comparisons.
  binary = join(directory, "chime-node");
  await copyFile(await buildBinary(), binary);
  programs = await buildProbes(join(directory, "probes"));
  const { ca, ...tls } = strangersCertificate();
  await Bun.write(join(directory, "ca.pem"), ca);
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("direct") });
  proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("through the proxy") });
  secure = Bun.serve({ hostname: "127.0.0.1", port: 0, tls, fetch: () => new Response("trusted") });
}, 120_000);

afterAll(async () => {
  for (const it of [server, secure, proxy]) await it?.stop(true);
  await rm(directory, { recursive: true, force: true });
});

async function run(argv: string[], env: Record<string, string> = {}, cwd = "/") {
  const child = Bun.spawn(argv, {
    cwd,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout: stdout.trim(), stderr, code };
}

/** Whether the attack's code has run since the last call. */
async function hijacked(): Promise<boolean> {
  const yes = await Bun.file(marker).exists();
  await rm(marker, { force: true });
  return yes;
}

/** Verbs that only look; what they say must not depend on where and how they are started. */
const verbs = [
  ["--version"],
  ["version", "--json"],
  ["--help"],
  ["init", "--help"],
  ["completion", "bash"],
  ["statsu"],
];

describe("a hostile working directory", () => {
  test("runs its code in a plain binary", async () => {
    await run([programs.plain, "environment"], {}, hostile);
    expect(await hijacked()).toBe(true);
  });

  test.each(verbs)("changes nothing for chime-node %s", async (...argv) => {
    const there = await run([binary, ...argv], {}, hostile);
    expect(await hijacked()).toBe(false);
    expect(there).toEqual(await run([binary, ...argv]));
  });

  test(".env is read by a plain binary and not by ours", async () => {
    await rm(join(hostile, "bunfig.toml"), { force: true });
    expect((await run([programs.plain, "environment"], {}, hostile)).stdout).toContain("from-dotenv");
    expect((await run([programs.hardened, "environment"], {}, hostile)).stdout).not.toMatch(
      /from-dotenv|evil/,
    );
    await hostileDirectory(hostile, marker);
  });
});

describe("BUN_OPTIONS", () => {
  test("runs code in a plain binary", async () => {
    await run([programs.plain, "environment"], { BUN_OPTIONS: evil });
    expect(await hijacked()).toBe(true);
  });

  test.each(verbs)("changes nothing for chime-node %s", async (...argv) => {
    const there = await run([binary, ...argv], { BUN_OPTIONS: evil });
    expect(await hijacked()).toBe(false);
    expect(there).toEqual(await run([binary, ...argv]));
  });
});

/** Whether it opens a port within `ms` from its first word on: the debugger's thread may come later than that. */
async function debuggable(program: string, ms: number): Promise<boolean> {
  // A port that was free a moment ago.
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = free;
  free.stop(true);
  const env = { PATH: "/usr/bin:/bin", BUN_INSPECT: `ws://127.0.0.1:${port}/evil` };
  const child = Bun.spawn([program, "wait"], { cwd: "/", env, stdout: "pipe", stderr: "ignore" });
  try {
    const reader = child.stdout.getReader();
    await reader.read();
    for (const end = performance.now() + ms; performance.now() < end; await Bun.sleep(5))
      if (await answers(port)) return true;
    return false;
  } finally {
    child.kill("SIGKILL");
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

describe("BUN_INSPECT", () => {
  test("opens a port in a plain binary and none in ours", async () => {
    const started = performance.now();
    expect(await debuggable(programs.plain, 20_000)).toBe(true);
    // Ours is watched for several times as long as a plain one took.
    expect(await debuggable(programs.hardened, 4 * (performance.now() - started))).toBe(false);
  });

  test("stops chime-node with the reason before any of its code runs", async () => {
    const result = await run([binary, "--version"], { BUN_INSPECT: "ws://127.0.0.1:0/evil?wait=1" });
    expect([result.code, result.stdout]).toEqual([1, ""]);
    expect(result.stderr).toContain("BUN_INSPECT cannot be used");
  });
});

describe("proxy variables", () => {
  test.each(["HTTP_PROXY", "http_proxy"])("%s takes a plain binary's requests and not ours", async (name) => {
    const env = { [name]: `http://127.0.0.1:${proxy.port}` };
    expect((await run([programs.plain, "fetch", server.url.href], env)).stdout).toBe("through the proxy");
    expect((await run([programs.hardened, "fetch", server.url.href], env)).stdout).toBe("direct");
  });
});

describe("trust variables", () => {
  const cases: [string, () => string][] = [
    ["NODE_TLS_REJECT_UNAUTHORIZED", () => "0"],
    ["NODE_EXTRA_CA_CERTS", () => join(directory, "ca.pem")],
    ["SSL_CERT_FILE", () => join(directory, "ca.pem")],
  ];

  test("without any, an unknown certificate is refused", async () => {
    expect((await run([programs.plain, "fetch", secure.url.href])).stdout).toStartWith("refused");
  });

  test.each(cases)("%s makes a plain binary trust a stranger and not ours", async (name, value) => {
    const env = { [name]: value() };
    expect((await run([programs.plain, "fetch", secure.url.href], env)).stdout).toBe("trusted");
    expect((await run([programs.hardened, "fetch", secure.url.href], env)).stdout).toStartWith("refused");
  });
});

describe("database variables", () => {
  const cases: [string, string][] = [
    ["DATABASE_URL", "mysql://evil:evil@10.66.66.66:66/evil"],
    ["MYSQL_URL", "mysql://evil:evil@10.66.66.66:66/evil"],
    ["MYSQL_USER", "evil"],
    ["MYSQL_PASSWORD", "evil"],
    ["MYSQL_DATABASE", "evil"],
  ];

  test.each(cases)("%s fills a plain binary's empty fields and not ours", async (name, value) => {
    const env = { [name]: value };
    expect((await run([programs.plain, "sql"], env)).stdout).toContain("evil");
    expect((await run([programs.hardened, "sql"], env)).stdout).not.toContain("evil");
  });
});

test("what stays of the environment is a list, and the process image holds nothing else either", async () => {
  const env = {
    TERM: "dumb",
    NO_COLOR: "1",
    CHIME_TOKEN: "kept",
    NODE_OPTIONS: "--evil",
    SSL_CERT_DIR: "/",
    EVIL: "1",
  };
  const seen = JSON.parse((await run([programs.hardened, "environment"], env)).stdout) as Record<
    string,
    string
  >;
  expect(Object.keys(seen).sort()).toEqual(["CHIME_TOKEN", "NO_COLOR", "PATH", "TERM"]);
  const child = Bun.spawn([programs.hardened, "wait"], { cwd: "/", env, stdout: "pipe" });
  try {
    await child.stdout.getReader().read();
    const image = await Bun.file(`/proc/${child.pid}/environ`).text();
    expect(image).toContain("CHIME_TOKEN=kept");
    expect(image).not.toMatch(/NODE_OPTIONS|SSL_CERT_DIR|EVIL/);
  } finally {
    child.kill("SIGKILL");
  }
});
