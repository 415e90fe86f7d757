import { copyFile, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { certify, createAuthority, generateKey } from "../../src/cluster/pki.ts";
import { exec } from "../../src/core/exec.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { programOf } from "./program.ts";
import { waitUntil } from "./wait.ts";
import type { Wanted } from "./packages-program.ts";

/** A throw-away OpenPGP key. */
interface SigningKey {
  fingerprint: string;
  /** What a vendor publishes. */
  file: string;
}

/**
 * Stands in for a vendor: a repository with packages made on the spot, whose names say so, signed by a throw-away key
 * and served over https at the lab's client.
 */
export class Vendor {
  readonly url: string;
  readonly #lab: Lab;
  readonly #served: string;
  /** Where its secret keys are. */
  readonly gnupg: string;
  readonly #authority: ReturnType<typeof createAuthority>;

  private constructor(lab: Lab) {
    this.#lab = lab;
    this.url = `https://${lab.client.address}`;
    this.#served = join(lab.work, "vendor");
    this.gnupg = join(lab.work, "gnupg");
    this.#authority = createAuthority({ name: "stand-in", id: "0".repeat(16) }, Date.now());
  }

  static async open(lab: Lab): Promise<Vendor> {
    const vendor = new Vendor(lab);
    await mkdir(vendor.#served);
    await mkdir(vendor.gnupg, { mode: 0o700 });
    await vendor.#serve();
    return vendor;
  }

  async #serve(): Promise<void> {
    const key = generateKey();
    const cert = certify(
      this.#authority,
      {
        cluster: { name: "stand-in", id: "0".repeat(16) },
        commonName: "stand-in",
        publicKey: key.publicKey,
        alternativeNames: [this.#lab.client.address, "repo.percona.com"],
      },
      Date.now(),
    );
    const [certFile, keyFile] = [join(this.#lab.work, "tls.crt"), join(this.#lab.work, "tls.key")];
    await writeFile(certFile, cert);
    await writeFile(keyFile, key.privateKey, { mode: 0o600 });
    const program = join(import.meta.dir, "release-program.ts");
    const server = this.#lab.client.start([process.execPath, program, this.#served, certFile, keyFile]);
    await waitUntil("the vendor's server", 20_000, () => server.lines.includes("serving"));
  }

  /** Puts Bun and the program that applies packages into a node, and has the node trust the vendor's https. */
  async prepare(node: LabNode): Promise<void> {
    await copyFile(process.execPath, node.path("/usr/local/bin/bun"));
    await node.put(
      "/root/packages-program.js",
      await programOf(join(import.meta.dir, "packages-program.ts")),
    );
    await node.put("/usr/local/share/ca-certificates/stand-in.crt", this.#authority.cert);
    await node.run(["update-ca-certificates"]);
  }

  /** Who signed its server's certificate. */
  get authority(): string {
    return this.#authority.cert;
  }

  /** Runs the program; returns what it printed. */
  async run(
    node: LabNode,
    verb: "apply" | "undo" | "bundle",
    wanted: Wanted,
  ): Promise<Record<string, unknown>> {
    const argv = ["/usr/local/bin/bun", "/root/packages-program.js", verb, JSON.stringify(wanted)];
    const { stdout } = await node.run(argv, { timeoutMs: 60_000 });
    return JSON.parse(stdout || "{}") as Record<string, unknown>;
  }

  async #gpg(...argv: string[]): Promise<string> {
    const gpg = ["gpg", "--homedir", this.gnupg, "--batch", "--yes", "--quiet"];
    return (await exec([...gpg, ...argv])).stdout;
  }

  /** A key that is published under this name. */
  async makeKey(name: string): Promise<SigningKey> {
    const unprotected = ["--pinentry-mode", "loopback", "--passphrase", ""];
    await this.#gpg(...unprotected, "--quick-gen-key", `${name} (stand-in)`, "ed25519", "sign", "never");
    const shown = await this.#gpg("--list-keys", "--with-colons", `${name} (stand-in)`);
    const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(shown)?.[1] ?? "";
    await this.publish(`/${name}.asc`, await this.#gpg("--armor", "--export", fingerprint));
    return { fingerprint, file: `${this.url}/${name}.asc` };
  }

  async publish(path: string, content: string): Promise<void> {
    const target = join(this.#served, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }

  /** An apt repository with this package and a library that it needs, at `/apt`. */
  async makeApt(name: string, key: SigningKey): Promise<void> {
    const pool = join(this.#served, "apt/pool");
    await mkdir(pool, { recursive: true });
    await this.#makeDeb(pool, `${name}-library`, {});
    await this.#makeDeb(pool, name, {
      depends: `${name}-library, debconf`,
      templates: `Template: ${name}/root-pass\nType: password\nDescription: stands in for a question\n`,
      config: `#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_input high ${name}/root-pass || :\ndb_go\n`,
      postinst: `#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_get ${name}/root-pass\necho "answer=$RET telemetry-off=$PERCONA_TELEMETRY_DISABLE" >/var/lib/${name}.notes\n`,
      postrm: `#!/bin/sh\n[ "$1" != purge ] || rm -f /var/lib/${name}.notes\n`,
    });
    await this.signApt(key);
  }

  /** Writes the lists of `/apt` anew and signs them. */
  async signApt(key: SigningKey): Promise<void> {
    const root = join(this.#served, "apt");
    const { stdout: arch } = await exec(["dpkg", "--print-architecture"]);
    const list = `main/binary-${arch.trim()}/Packages`;
    const dists = join(root, "dists/stand-in");
    await mkdir(join(dists, list, ".."), { recursive: true });
    const { stdout: packages } = await exec(["dpkg-scanpackages", "--multiversion", "pool"], { cwd: root });
    await writeFile(join(dists, list), packages);
    const sum = createHash("sha256").update(packages).digest("hex");
    const release = join(dists, "Release");
    const { size } = await stat(join(dists, list));
    await writeFile(
      release,
      `Origin: stand-in\nSuite: stand-in\nCodename: stand-in\nDate: ${new Date().toUTCString()}\nArchitectures: ${arch.trim()}\nComponents: main\nSHA256:\n ${sum} ${size} ${list}\n`,
    );
    const target = join(dists, "InRelease");
    await this.#gpg("--local-user", key.fingerprint, "--clearsign", "--output", target, release);
  }

  async #makeDeb(
    pool: string,
    name: string,
    parts: { depends?: string; templates?: string; config?: string; postinst?: string; postrm?: string },
  ): Promise<void> {
    const tree = join(this.#lab.work, `${name}-tree`);
    const control = join(tree, "DEBIAN");
    await mkdir(control, { recursive: true });
    const { depends, ...scripts } = parts;
    const about = join(tree, "usr/share/doc", name);
    await mkdir(about, { recursive: true });
    await writeFile(join(about, "copyright"), "A licence that stands in.\n");
    await writeFile(
      join(control, "control"),
      `Package: ${name}\nVersion: 1.0\nArchitecture: all\nMaintainer: stand-in <stand-in@localhost>\n${depends ? `Depends: ${depends}\n` : ""}Description: stands in for a vendor's package\n`,
    );
    for (const [file, text] of Object.entries(scripts)) {
      await writeFile(join(control, file), text, { mode: file === "templates" ? 0o644 : 0o755 });
    }
    await exec(["dpkg-deb", "--root-owner-group", "--build", tree, join(pool, `${name}_1.0_all.deb`)]);
  }

  /** The fingerprint's owner's text, as it is served. */
  async served(path: string): Promise<string> {
    return readFile(join(this.#served, path), "utf8");
  }

  /** gpg leaves an agent behind. */
  async close(): Promise<void> {
    await exec(["gpgconf", "--homedir", this.gnupg, "--kill", "all"], { ok: "any" });
  }
}
