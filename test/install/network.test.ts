import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { snapshot } from "../resources/tree.ts";
import { makeKey, makeTinyRelease, ReleaseServer } from "./release.ts";
import { makePath, runScript, shells, type Machine } from "./shells.ts";

let work: string;
let served: string;
let server: ReleaseServer;
let key: Awaited<ReturnType<typeof makeKey>>;
let other: Awaited<ReturnType<typeof makeKey>>;
let prefix: string;

const echo = `echo "ran: $*"; echo "token: $CHIME_TOKEN" >&2; cat`;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "chime-node-release-"));
  served = join(work, "served");
  server = new ReleaseServer(served);
  key = await makeKey(join(work, "key"));
  other = await makeKey(join(work, "other"));
  const signed = { key: key.key, baseUrl: server.url, body: echo };
  await makeTinyRelease(served, { version: "2.0.0", ...signed, xz: true });
  await makeTinyRelease(join(served, "v1.0.0"), { version: "1.0.0", ...signed });
  await makeTinyRelease(join(served, "unsigned"), { version: "2.0.0", baseUrl: `${server.url}/unsigned` });
});
afterAll(async () => {
  await server.stop();
  await rm(work, { recursive: true, force: true });
});
beforeEach(async () => {
  prefix = await mkdtemp(join(tmpdir(), "chime-node-prefix-"));
  server.tamper = undefined;
  server.asked.length = 0;
});
afterEach(() => rm(prefix, { recursive: true, force: true }));

const script = () => join(served, "install.sh");
const target = () => join(prefix, "bin/chime-node");
const install = (...args: string[]) => runScript(["/bin/sh"], script(), ["--prefix", prefix, ...args]);

async function onMachine(machine: Machine, args: string[], env: Record<string, string> = {}) {
  const path = await makePath(await mkdtemp(join(work, "path-")), machine);
  return runScript(["/bin/dash"], script(), ["--prefix", prefix, ...args], { PATH: path, ...env });
}

describe.each(shells)("with $name", ({ argv }) => {
  test("curl … | sh installs, then runs the command with the token from the environment", async () => {
    const answer = await exec([...argv, "-s", "--", "--prefix", prefix, "join", "--role", "mysql"], {
      stdin: await readFile(script(), "utf8"),
      env: { CHIME_TOKEN: "chime1.token" },
      ok: "any",
    });
    // Nothing but the command's own words: with --json it must be one document.
    expect([answer.code, answer.stdout]).toEqual([0, "ran: join --role mysql\n"]);
    expect(answer.stderr).toContain("token: chime1.token");
    expect(answer.stderr).toContain(`installed ${target()} (chime-node 2.0.0)`);
    expect((await stat(target())).mode & 0o7777).toBe(0o755);
    expect(snapshot(prefix).map((line) => line.split(" ")[0])).toEqual([
      "bin",
      "bin/chime-node",
      "lib",
      "lib/chime-node",
      "lib/chime-node/made",
    ]);
  });

  test("upgrades, goes back, and leaves nothing after --uninstall", async () => {
    const run = (...args: string[]) => runScript(argv, script(), ["--prefix", prefix, ...args]);
    expect((await run("--version", "1.0.0")).stdout).toBe(`installed ${target()} (chime-node 1.0.0)\n`);
    expect((await run()).stdout).toBe(`installed ${target()} (chime-node 2.0.0)\n`);
    const { ino } = await stat(target());
    expect((await run()).stdout).toBe(`${target()} is up to date (chime-node 2.0.0)\n`);
    expect((await stat(target())).ino).toBe(ino);
    expect((await run("--rollback")).stdout).toBe(`installed ${target()} (chime-node 1.0.0)\n`);
    expect((await run("--rollback")).stdout).toBe(`installed ${target()} (chime-node 2.0.0)\n`);
    expect((await run("--uninstall")).stdout).toBe(`removed ${target()}\n`);
    expect((await run("--uninstall")).stdout).toBe(`${target()} is not there\n`);
    expect(await readdir(prefix)).toEqual([]);
  });

  test("what cannot be downloaded, a wrong checksum and a wrong signature leave nothing", async () => {
    const before = snapshot(prefix);
    const run = () => runScript(argv, script(), ["--prefix", prefix]);
    server.tamper = (path) => (path.endsWith(".gz") ? 404 : undefined);
    const missing = await run();
    expect([missing.code, missing.stdout]).toEqual([1, ""]);
    expect(missing.stderr).toMatch(/chime-node-linux-\w+\.gz cannot be downloaded: .*404/);
    server.tamper = (path, body) => (path.endsWith(".gz") ? flip(body) : undefined);
    const flipped = await run();
    expect(flipped.code).toBe(3);
    expect(flipped.stderr).toContain("is not what release 2.0.0 says");
    server.tamper = (path, body) => (path.endsWith(".sig") ? flip(body) : undefined);
    const forged = await run();
    expect([forged.code, lastLine(forged.stderr)]).toEqual([
      3,
      `install.sh: the signature at ${server.url}/manifest.json.sig is by none of the trusted keys`,
    ]);
    expect(snapshot(prefix)).toEqual(before);
  });

  test("cut off anywhere, it does nothing", async () => {
    const text = await readFile(script(), "utf8");
    // Each byte of the end, and every line's end before it.
    const cuts = [...text.matchAll(/\n/g)].map(({ index }) => index).filter((_, i) => i % 25 === 0);
    for (let cut = text.length - 30; cut < text.length - 1; cut++) cuts.push(cut);
    for (const cut of cuts) {
      await exec([...argv, "-s", "--", "--prefix", prefix], { stdin: text.slice(0, cut), ok: "any" });
    }
    expect(server.asked).toEqual([]);
    expect(await readdir(prefix)).toEqual([]);
  });
});

describe("the signature", () => {
  test("is of a key that the release names, or of the one that the operator trusts instead", async () => {
    expect((await install("--trust", key.pub)).code).toBe(0);
    expect((await install("--trust", other.line, "--trust", key.line)).code).toBe(0);
    const foreign = await install("--trust", other.pub, "--version", "1.0.0");
    expect([foreign.code, lastLine(foreign.stderr)]).toEqual([
      3,
      `install.sh: the signature at ${server.url}/v1.0.0/manifest.json.sig is by none of the trusted keys`,
    ]);
  });

  test("must be there, where a key is known", async () => {
    server.tamper = (path) => (path.endsWith(".sig") ? 404 : undefined);
    const answer = await install();
    expect([answer.code, lastLine(answer.stderr)]).toEqual([
      3,
      `install.sh: the release has no signature at ${server.url}/manifest.json.sig, and it must have one`,
    ]);
    expect(await readdir(prefix)).toEqual([]);
  });

  test("of another release does not do", async () => {
    const old = await Promise.all(
      ["manifest.json", "manifest.json.sig"].map((name) => Bun.file(join(served, "v1.0.0", name)).bytes()),
    );
    server.tamper = (path) => ({ "/manifest.json": old[0], "/manifest.json.sig": old[1] })[path];
    const answer = await install();
    expect(answer.code).toBe(3);
    expect(answer.stderr).toContain("does not name the file that this install.sh names");
    const named = await install("--base-url", `${server.url}/v1.0.0/..`, "--version", "3.0.0");
    expect([named.code, lastLine(named.stderr)]).toEqual([
      1,
      expect.stringContaining("/v3.0.0/manifest.json cannot be downloaded"),
    ]);
  });

  const unchecked: [string, Machine, string][] = [
    ["no openssl", { without: ["openssl"] }, "because openssl is not installed"],
    ["an old openssl", { instead: { openssl: "echo ' -verify'" } }, "because this openssl is older than 3.0"],
  ];
  test.each(unchecked)("with %s: says that it was not checked; the checksum is", async (_, machine, said) => {
    const answer = await onMachine(machine, ["--version", "1.0.0"]);
    expect([answer.code, answer.stdout]).toEqual([0, `installed ${target()} (chime-node 1.0.0)\n`]);
    expect(answer.stderr).toContain(`the signature is not checked, ${said}; the checksum is`);
    server.tamper = (path, body) => (path.endsWith(".gz") ? flip(body) : undefined);
    expect((await onMachine(machine, [])).code).toBe(3);
  });

  test("of an unsigned release is missed aloud", async () => {
    const answer = await runScript(["/bin/sh"], join(served, "unsigned/install.sh"), ["--prefix", prefix]);
    expect(answer.code).toBe(0);
    expect(answer.stderr).toContain("the release is not signed: only its checksum is checked");
  });
});

describe("the machine", () => {
  const able: [string, Machine][] = [
    ["wget and no curl", { without: ["curl"], with: ["wget"] }],
    ["xz and no gzip", { without: ["gzip"], with: ["xz"] }],
    ["openssl and no sha256sum", { without: ["sha256sum"] }],
  ];
  test.each(able)("%s will do", async (_, machine) => {
    const answer = await onMachine(machine, []);
    expect([answer.code, answer.stdout]).toEqual([0, `installed ${target()} (chime-node 2.0.0)\n`]);
  });

  const unable: [string, Machine, string][] = [
    ["neither curl nor wget", { without: ["curl"] }, "neither curl nor wget is installed"],
    ["neither gzip nor xz", { without: ["gzip"] }, "neither gzip nor xz is installed"],
    ["no checksum tool", { without: ["sha256sum", "openssl"] }, "neither sha256sum nor openssl is installed"],
    ["another system", { instead: { uname: "echo FreeBSD" } }, "chime-node runs on Linux only"],
    [
      "another CPU",
      { instead: { uname: "[ $1 = -s ] && echo Linux || echo riscv64" } },
      "there is no chime-node for riscv64",
    ],
    [
      "a 64-bit kernel without its libc",
      { instead: { uname: "[ $1 = -s ] && echo Linux || echo aarch64" } },
      "chime-node needs glibc (/lib/ld-linux-aarch64.so.1)",
    ],
    [
      "too little space",
      { instead: { df: "echo head; echo 'tmpfs 1 1 100 1% /'" } },
      "has 0 MiB free and this needs 1 MiB",
    ],
  ];
  test.each(unable)(
    "%s is refused in one sentence before anything is asked for",
    async (_, machine, said) => {
      const answer = await onMachine(machine, []);
      expect([answer.code, answer.stdout]).toEqual([3, ""]);
      expect(answer.stderr).toStartWith("install.sh: ");
      expect(answer.stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(answer.stderr).toContain(said);
      expect(server.asked).toEqual([]);
      expect(await readdir(prefix)).toEqual([]);
    },
  );

  test("a proxy that does not answer is named, without its password", async () => {
    const answer = await onMachine({ without: ["openssl"] }, [], {
      http_proxy: "http://me:secret@127.0.0.1:1/",
    });
    expect(answer.code).toBe(1);
    expect(lastLine(answer.stderr)).toContain(
      ".gz cannot be downloaded through the proxy 127.0.0.1:1 that the environment names: ",
    );
    expect(answer.stderr).not.toContain("secret");
    expect(await readdir(prefix)).toEqual([]);
  });

  test("a binary that does not run leaves the old one in place", async () => {
    expect((await install()).code).toBe(0);
    const before = snapshot(prefix);
    const broken = await makeTinyRelease(join(served, "broken"), {
      version: "3.0.0",
      program: "#!/bin/sh\nexit 9\n",
    });
    const args = ["--prefix", prefix, "--base-url", `${server.url}/broken`];
    const answer = await runScript(["/bin/sh"], join(broken, "install.sh"), args);
    expect([answer.code, lastLine(answer.stderr)]).toEqual([
      1,
      expect.stringMatching(/chime-node-linux-\w+\.gz does not run on this machine \(exit 9\)$/),
    ]);
    expect(snapshot(prefix)).toEqual(before);
  });

  test("a web page in the place of a binary is not run as a script", async () => {
    const page = await makeTinyRelease(join(served, "page"), {
      version: "3.0.0",
      program: "<html>touch x\n",
    });
    const args = ["--prefix", prefix, "--base-url", `${server.url}/page`];
    const answer = await runScript(["/bin/sh"], join(page, "install.sh"), args);
    expect([answer.code, lastLine(answer.stderr)]).toEqual([3, expect.stringMatching(/\.gz is no program$/)]);
    expect(await readdir(prefix)).toEqual([]);
  });
});

const wrong: [string, string[], string][] = [
  ["a typo", ["--prefx", "x"], "unknown argument --prefx"],
  ["an option without its value", ["--version"], "--version needs a value"],
  ["a relative prefix", ["--prefix", "x"], "--prefix must be an absolute path"],
  ["a version that is a path", ["--version", "../x"], "../x is no version"],
  ["a base that is no address", ["--base-url", "ftp://x"], "--base-url must begin with http:// or https://"],
  ["a key that is none", ["--trust", "x"], "x is neither an Ed25519 public key nor a file with one"],
  ["a private key", ["--trust", "KEY"], "is neither an Ed25519 public key nor a file with one"],
  ["two actions", ["--rollback", "--uninstall"], "exclude each other"],
  ["an action with a version", ["--rollback", "--version", "1"], "--version and --rollback exclude"],
  ["a command after --uninstall", ["--uninstall", "status"], "--uninstall takes no command"],
];
test.each(wrong)("%s is wrong usage and touches nothing", async (_, args, message) => {
  const answer = await install(...args.map((arg) => (arg === "KEY" ? key.key : arg)));
  expect(answer.code).toBe(2);
  expect(answer.stderr).toContain(message);
  expect(server.asked).toEqual([]);
  expect(await readdir(prefix)).toEqual([]);
});

test("no way back without an earlier binary", async () => {
  expect((await install("--rollback")).code).toBe(3);
  expect((await install()).code).toBe(0);
  const answer = await install("--rollback");
  expect([answer.code, answer.stderr]).toEqual([
    3,
    `install.sh: there is no earlier binary to go back to at ${prefix}/lib/chime-node/previous\n`,
  ]);
});

test("directories that it made go, those that were there stay", async () => {
  prefix = join(prefix, "a/b");
  expect((await install()).code).toBe(0);
  expect((await install("--version", "1.0.0")).code).toBe(0);
  await Bun.write(join(prefix, "lib/theirs"), "");
  expect((await install("--uninstall")).code).toBe(0);
  expect(snapshot(prefix).map((line) => line.split(" ")[0])).toEqual(["lib", "lib/theirs"]);
  prefix = join(prefix, "../..");
});

function flip(body: Uint8Array): Uint8Array {
  const changed = body.slice();
  const middle = changed.length >> 1;
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  return changed;
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
