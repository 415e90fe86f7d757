import { afterAll } from "bun:test";
import { sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteSource } from "../../src/bundle/bytes.ts";
import { chunksOf } from "../../src/bundle/chunks.ts";
import { readPrivateKey, readPublicKey } from "../../src/bundle/keys.ts";
import { parseManifest, renderManifest } from "../../src/bundle/manifest.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { parseSimulation } from "../../src/bundle/apt-simulation.ts";
import { dearmor, armor } from "../../src/host/openpgp/armor.ts";
import { readKeys } from "../../src/host/openpgp/keys.ts";
import { about, contents, entry, forge, maker, manifestOf, trailer, trust } from "../bundle/forge.ts";
import { version6 } from "../host/openpgp/sample.ts";
import { onslaught } from "./onslaught.ts";

/** Bundles, keys and package lists, from whoever hands them over. */
const directory = mkdtempSync(join(tmpdir(), "chime-hostile-"));
afterAll(() => rmSync(directory, { recursive: true }));

const refusals = [
  "bundle.not_a_bundle",
  "bundle.unsigned",
  "bundle.untrusted_key",
  "bundle.truncated",
  "bundle.changed",
  "bundle.duplicate",
  "bundle.unsafe_name",
  "bundle.not_a_file",
  "bundle.format",
];
const whole = forge();
const manifestText = renderManifest(manifestOf());

/** What a bundle gives, by name. */
async function read(bytes: Uint8Array): Promise<Map<string, number>> {
  const path = join(directory, "bundle.tar");
  writeFileSync(path, bytes);
  const given = new Map<string, number>();
  let open = "";
  await ByteSource.over(path, (source) =>
    readBundle(source, trust, undefined, () => ({
      begin: (name) => Promise.resolve(void given.set((open = name), 0)),
      write: (chunk) => Promise.resolve(void given.set(open, (given.get(open) ?? 0) + chunk.length)),
      close: () => Promise.resolve(),
    })),
  );
  return given;
}

onslaught("bundles", {
  make: (inputs) => inputs.damagedBytes(whole),
  parse: read,
  codes: refusals,
  holds(given, bytes) {
    if (!whole.equals(bytes)) throw new Error("a changed bundle is taken");
    if (given.size !== Object.keys(contents).length) throw new Error("not all of it");
  },
  fewer: 5,
});

onslaught("bundles by a stolen key", {
  make(inputs) {
    // Signed whatever it says: names and sizes alone stand between it and the files of this machine.
    const text = Buffer.from(inputs.damagedJson(JSON.parse(manifestText)));
    const files = Object.entries(contents).map(([name, content]) =>
      inputs.damagedBytes(entry(name, content)),
    );
    return Buffer.concat([
      entry("manifest.json", text),
      entry("manifest.json.sig", sign(null, text, maker.privateKey)),
      ...(inputs.once(2) ? files : Object.entries(contents).map(([name, content]) => entry(name, content))),
      trailer,
    ]);
  },
  parse: read,
  codes: refusals,
  holds(given) {
    for (const name of given.keys()) {
      if (name.startsWith("/") || name.split("/").some((part) => part.startsWith(".") || part === "")) {
        throw new Error(`it writes ${name}`);
      }
    }
  },
  fewer: 5,
});

const large = {
  ...about("repo/big.deb", ""),
  size: 9 << 20,
  chunks: ["0".repeat(64), "1".repeat(64), "2".repeat(64)],
};

onslaught("manifests", {
  make: (inputs) =>
    inputs.once(2)
      ? inputs.damagedText(manifestText)
      : inputs.damagedJson({ ...manifestOf(), files: [...manifestOf().files, large] }),
  parse: parseManifest,
  codes: ["bundle.format", "bundle.unsafe_name", "bundle.duplicate"],
  holds(manifest) {
    if (!Bun.deepEquals(parseManifest(renderManifest(manifest)), manifest)) throw new Error("no round trip");
    for (const file of manifest.files) {
      const size = chunksOf(file).reduce((sum, chunk) => sum + chunk.size, 0);
      if (size !== file.size) throw new Error("its chunks are another file");
    }
  },
});

const pub = maker.publicKey.export({ type: "spki", format: "pem" });
const key = maker.privateKey.export({ type: "pkcs8", format: "pem" });

onslaught("keys of makers", {
  make: (inputs) => inputs.damagedText(inputs.once(2) ? pub : key, ["-----BEGIN PUBLIC KEY-----\n"]),
  async parse(text) {
    const path = join(directory, "key.pem");
    writeFileSync(path, text);
    const open = text.includes("PRIVATE")
      ? readPrivateKey(path).then(() => trust.keys[0])
      : readPublicKey(path);
    return open;
  },
  codes: ["bundle.bad_key"],
  holds(line) {
    if (line === undefined || !/^[A-Za-z0-9+/=]{60}$/.test(line)) throw new Error("no key");
  },
  fewer: 5,
});

const certificate = dearmor(Buffer.from(version6.text));

onslaught("OpenPGP keys", {
  make: (inputs) =>
    inputs.once(2)
      ? inputs.damagedBytes(certificate)
      : Buffer.from(inputs.damagedText(version6.text, ["-----BEGIN PGP PUBLIC KEY BLOCK-----", "\n\n", "="])),
  parse: (bytes) => readKeys(dearmor(bytes)),
  codes: ["openpgp.broken"],
  holds(keys) {
    for (const { fingerprint, expires, bytes } of keys) {
      if (!/^([0-9A-F]{40}|[0-9A-F]{64})$/.test(fingerprint)) throw new Error("no fingerprint");
      if (expires !== undefined && !Number.isSafeInteger(expires)) throw new Error("no time");
      const [again, ...more] = readKeys(dearmor(Buffer.from(armor(bytes))));
      if (again?.fingerprint !== fingerprint || more.length > 0) throw new Error("no round trip");
    }
  },
});

const simulated =
  "Inst perl [5.36.0-7] (5.36.0-7+deb12u2 Debian:12.11/stable [amd64]) []\nConf perl (5.36 x [amd64])\n";

onslaught("what apt would install", {
  make: (inputs) => inputs.damagedText(simulated, ["Inst ", "(", "[", "]", " "]),
  parse: parseSimulation,
  holds(planned) {
    for (const { name } of planned) if (/\s/.test(name)) throw new Error("no name");
  },
});
