import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzip, xz } from "../../scripts/release/compress.ts";
import { oneLine, readPrivateKey } from "../../src/bundle/keys.ts";
import type { ReleaseFile } from "../../scripts/release/manifest.ts";
import { publish } from "../../scripts/release/release.ts";
import { allTargets, type Target } from "../../scripts/targets.ts";

export interface TinyRelease {
  version: string;
  /** File of the private key; absent: unsigned. */
  key?: string;
  baseUrl?: string;
  /** Of the state that the stand-in says it writes. */
  state?: number;
  /** Shell, for what else the stand-in does with its words. */
  body?: string;
  /** The stand-in itself; overrides state and body. */
  program?: string | Uint8Array;
  xz?: boolean;
  /** All by default. */
  targets?: readonly Target[];
}

/** What install.sh needs of a binary, as a shell script. */
export function standIn({ version, state = 1, body = ":" }: TinyRelease): string {
  return `#!/bin/sh
if [ "$*" = --version ]; then echo "chime-node ${version}"; exit 0; fi
if [ "$*" = "version --json" ]; then printf '{\\n  "version": "${version}",\\n  "state": ${state}\\n}\\n'; exit 0; fi
${body}
`;
}

/** A release as scripts/build makes it, but for the binaries: they are stand-ins, so that it takes no time. */
export async function makeTinyRelease(directory: string, release: TinyRelease): Promise<string> {
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, ".build-"));
  const key = release.key === undefined ? undefined : await readPrivateKey(release.key);
  const binaries: ReleaseFile[] = [];
  for (const target of release.targets ?? allTargets) {
    const file = join(work, `chime-node-${target}`);
    await writeFile(file, release.program ?? standIn(release));
    await chmod(file, 0o755);
    binaries.push(await gzip(file, 1));
    if (release.xz ?? false) binaries.push(await xz(file));
  }
  const info = { commit: null, modified: false, parts: [], trustedKeys: key ? [oneLine(key)] : [] };
  const { version, baseUrl = "" } = release;
  await publish({ directory, baseUrl, version, info, binaries, work, key });
  await rm(work, { recursive: true });
  return directory;
}

/** Makes a key pair as `openssl genpkey` does: PREFIX, and PREFIX.pub. */
export async function makeKey(prefix: string): Promise<{ key: string; pub: string; line: string }> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await writeFile(prefix, privateKey, { mode: 0o600 });
  await writeFile(`${prefix}.pub`, publicKey);
  return { key: prefix, pub: `${prefix}.pub`, line: oneLine(createPrivateKey(privateKey)) };
}

/** What a server may do to a file on its way. */
export type Tamper = (path: string, body: Uint8Array) => Uint8Array | number | undefined;

/** Serves a directory on loopback. */
export class ReleaseServer {
  /** Changes what is sent, or answers with a status. */
  tamper: Tamper | undefined;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor(directory: string) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const path = new URL(request.url).pathname;
        this.asked.push(path);
        const file = Bun.file(join(directory, path));
        if (!(await file.exists())) return new Response("no such file", { status: 404 });
        const body = await file.bytes();
        const changed = this.tamper?.(path, body);
        if (typeof changed === "number") return new Response("an error page", { status: changed });
        return new Response(changed ?? body);
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
