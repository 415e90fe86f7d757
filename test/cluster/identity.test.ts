import { randomBytes, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCluster, newClusterId } from "../../src/cluster/create.ts";
import type { ClusterFiles } from "../../src/cluster/files.ts";
import {
  issueServiceCertificate,
  joinKey,
  loadCredentials,
  loadIdentity,
  saveKeyRing,
} from "../../src/cluster/identity.ts";
import { firstRing, nextRing, signRing, type KeyRing } from "../../src/cluster/gossip/keyring.ts";
import {
  caHash,
  generateKey,
  isUsableKey,
  readNodeCertificate,
  signFields,
  verifyFields,
} from "../../src/cluster/pki.ts";
import { ensureSecrets, loadSecrets, saveSecrets } from "../../src/cluster/secrets.ts";
import { fileStore, Saver, type Stored } from "../../src/cluster/store.ts";
import type { Identity } from "../../src/cluster/types.ts";
import { mask } from "../../src/core/mask.ts";
import { codeOf } from "./support.ts";

let directory: string;
let files: ClusterFiles;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-identity-"));
  files = {
    pki: join(directory, "pki"),
    secrets: join(directory, "secrets.toml"),
    state: join(directory, "cluster.json"),
  };
});
afterEach(() => rm(directory, { recursive: true }));

function create() {
  return createCluster(files, {
    id: newClusterId(),
    name: "chime",
    node: { name: "node1", address: "10.0.0.1" },
    toml: "",
    roleSecrets: { mysql: ["replication"] },
  });
}

describe("createCluster", () => {
  test("makes an identity that a restart finds again", async () => {
    expect(await loadIdentity(files.pki)).toBeUndefined();
    const identity = await create();
    expect(identity).toMatchObject({ cluster: { name: "chime" }, self: { name: "node1", index: 1 } });
    expect(identity.cluster.id).toMatch(/^[0-9a-f]{16}$/);
    expect(await loadIdentity(files.pki)).toEqual(identity);
    expect(await codeOf(create())).toBe("cluster.exists");
  });

  test("keeps keys to root", async () => {
    await create();
    expect((await stat(files.pki)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(files.pki)) {
      expect((await stat(join(files.pki, file))).mode & 0o777).toBe(0o600);
    }
    for (const file of [files.secrets, files.state]) expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test("killed before its last step it has made nothing, and runs again with the same key", async () => {
    await create();
    await rm(join(files.pki, "identity.json"));
    const key = await joinKey(files.pki);
    await create();
    expect((await loadCredentials(files.pki))?.key.publicKey).toBe(key.publicKey);
  });

  test("a part that is missing is said, not guessed", async () => {
    await create();
    await rm(join(files.pki, "ca.crt"));
    expect(await codeOf(loadCredentials(files.pki))).toBe("identity.damaged");
    await Bun.write(join(files.pki, "identity.json"), "{");
    expect(await codeOf(loadIdentity(files.pki))).toBe("identity.damaged");
  });
});

describe("gossip's keys", () => {
  const path = () => join(files.pki, "gossip.key");
  const loaded = async () => (await loadCredentials(files.pki))?.keyRing as KeyRing;

  test("are one line until they are rotated, as from the first version on", async () => {
    await create();
    const line = await readFile(path(), "utf8");
    expect(await loaded()).toEqual(firstRing(line));
    expect(line).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    await Bun.write(path(), `${line}\n`);
    expect(await loaded()).toEqual(firstRing(line));
  });

  test("are kept to root after a rotation, too, and known as secrets", async () => {
    await create();
    const { caKey, identity } = (await loadCredentials(files.pki)) as { caKey: string; identity: Identity };
    const fresh = randomBytes(32).toString("base64");
    const ring = signRing(caKey, identity.cluster.id, nextRing(await loaded(), fresh) as KeyRing);
    await saveKeyRing(files.pki, ring);
    expect(await loaded()).toEqual(ring);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    for (const key of ring.keys) expect(mask(`a ${key}`)).toBe("a ********");
  });

  test.each(["", "x", "{}", "{", `{"version":1,"keys":[],"primary":"00000000","signature":null}`])(
    "that are damaged are said to be, without what stands there: %p",
    async (text) => {
      await create();
      await Bun.write(path(), text);
      expect(await codeOf(loadCredentials(files.pki))).toBe("identity.damaged");
    },
  );
});

describe("certificates", () => {
  test("the CA signs the node, for ten years and two", async () => {
    await create();
    const { ca, certificate } = (await loadCredentials(files.pki)) as { ca: string; certificate: string };
    const [authority, node] = [new X509Certificate(ca), new X509Certificate(certificate)];
    expect(authority.ca).toBe(true);
    expect(node.ca).toBe(false);
    expect(node.verify(authority.publicKey) && node.checkIssued(authority)).toBe(true);
    expect(node.subjectAltName).toContain("DNS:node1, IP Address:10.0.0.1, URI:chime://");
    const days = [authority, node].map((c) => Math.round((Date.parse(c.validTo) - Date.now()) / 86_400_000));
    expect(days).toEqual([3650, 730]);
    expect(caHash(ca)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test("a service's certificate has its names, and is no agent's", async () => {
    await create();
    const service = await issueServiceCertificate(files.pki, {
      name: "node1.chime.com",
      addresses: ["10.0.0.1", "fd00::1:2", "::ffff:10.0.0.9"],
    });
    const [certificate, ca] = [new X509Certificate(service.cert), new X509Certificate(service.ca)];
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.checkHost("node1.chime.com")).toBe("node1.chime.com");
    for (const address of ["10.0.0.1", "fd00::1:2", "::ffff:10.0.0.9"]) {
      expect(certificate.checkIP(address)).toBe(address);
    }
    expect(readNodeCertificate(certificate, [ca], undefined)).toBeUndefined();
    expect(service.key).toContain("BEGIN PRIVATE KEY");
  });

  test("without the CA's key there are none", async () => {
    await create();
    await rm(join(files.pki, "ca.key"));
    expect(await codeOf(issueServiceCertificate(files.pki, { name: "x", addresses: [] }))).toBe(
      "pki.no_authority",
    );
  });

  test.each(["", "AAAA", "not base64", generateKey().publicKey.slice(4), `${generateKey().publicKey}AAAA`])(
    "%# is no key to certify",
    (text) => expect(isUsableKey(text)).toBe(false),
  );

  test("a signature holds for these fields and this key only", () => {
    const [key, other] = [generateKey(), generateKey()];
    const signature = signFields(key.privateKey, ["a", 1]);
    expect(isUsableKey(key.publicKey)).toBe(true);
    expect(verifyFields(key.publicKey, ["a", 1], signature)).toBe(true);
    expect(verifyFields(key.publicKey, ["a", 2], signature)).toBe(false);
    expect(verifyFields(other.publicKey, ["a", 1], signature)).toBe(false);
    expect(verifyFields("rubbish", ["a", 1], "rubbish")).toBe(false);
  });
});

describe("secrets", () => {
  test("are generated once, kept, and masked", async () => {
    const first = ensureSecrets({}, { mysql: ["replication"] });
    const second = ensureSecrets(first, { mysql: ["replication", "application"], influxdb: ["token"] });
    expect(second["mysql"]?.["replication"]).toBe(first["mysql"]?.["replication"] as string);
    for (const value of [
      ...Object.values(second["mysql"] ?? {}),
      ...Object.values(second["influxdb"] ?? {}),
    ]) {
      expect(value).toMatch(/^[A-Za-z0-9]{32}$/);
      expect(mask(value)).toBe("********");
    }
    await saveSecrets(files.secrets, second);
    expect(await loadSecrets(files.secrets)).toEqual(second);
  });

  test("none where there is no file; a damaged file is not quoted", async () => {
    expect(await loadSecrets(files.secrets)).toEqual({});
    await Bun.write(files.secrets, '[mysql]\nreplication = "hunter2hunter2');
    await chmod(files.secrets, 0o600);
    try {
      await loadSecrets(files.secrets);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "secrets.unreadable" });
      expect((error as Error).message).not.toContain("hunter2");
    }
  });
});

function stored(incarnation: number): Stored {
  return { incarnation, state: { admissions: [], records: [], tokens: [], spec: null } };
}

describe("state on disk", () => {
  test("comes back, and what is damaged is said", async () => {
    const store = fileStore(files.state);
    expect(await store.load()).toBeUndefined();
    await store.save(stored(3));
    expect(await store.load()).toEqual(stored(3));
    const text = await readFile(files.state, "utf8");
    await Bun.write(files.state, text.slice(0, -5));
    expect(await codeOf(store.load())).toBe("state.damaged");
  });

  test("a disk that takes no more is named", async () => {
    await Bun.write(join(directory, "file"), "");
    const store = fileStore(join(directory, "file", "cluster.json"));
    expect(await codeOf(store.save(stored(1)))).toBe("state.not_saved");
  });

  test("one write at a time, the newest last, and `save` waits for what it was called for", async () => {
    let now = 0;
    let running = 0;
    const written: number[] = [];
    const store = {
      load: async () => undefined,
      async save({ incarnation }: Stored) {
        expect(++running).toBe(1);
        await Bun.sleep(1);
        running--;
        written.push(incarnation);
      },
    };
    const saver = new Saver(store, () => stored(now));
    const saves = [1, 2, 3, 4].map(async (value) => {
      now = value;
      await saver.save();
      expect(written.at(-1)).toBeGreaterThanOrEqual(value);
    });
    await Promise.all(saves);
    expect(written).toEqual([1, 4]);
  });

  test("a write that failed does not stop the next one", async () => {
    let broken = true;
    const store = {
      load: async () => undefined,
      save: async () => {
        if (broken) throw new Error("disk full");
      },
    };
    const saver = new Saver(store, () => stored(1));
    expect(await codeOf(saver.save())).toContain("disk full");
    broken = false;
    expect(await codeOf(saver.save())).toBe("nothing was thrown");
  });
});
