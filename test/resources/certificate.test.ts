import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certify, createAuthority, generateKey, type Authority } from "../../src/cluster/pki.ts";
import { openLedger, type Ledger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply, plan } from "../../src/plan/run.ts";
import { certificate, judge, type CertificateOptions, type Issued } from "../../src/resources/certificate.ts";
import { kinds } from "../../src/resources/index.ts";

const cluster = { name: "chime", id: "c1" };
const day = 86_400_000;
const now = Date.now();

function issueBy(authority: Authority, names: readonly string[], at = now): Issued {
  const key = generateKey();
  const subject = { cluster, commonName: "mysql", publicKey: key.publicKey, alternativeNames: names };
  return { key: key.privateKey, cert: certify(authority, subject, at), ca: authority.cert };
}

const ours = createAuthority(cluster, now);
const other = createAuthority(cluster, now);
const good = issueBy(ours, ["10.0.0.1", "node1.chime.com"]);

describe("judge", () => {
  test.each<[string, Issued, readonly string[], string, number, RegExp | undefined]>([
    ["good", good, ["10.0.0.1", "node1.chime.com"], ours.cert, now, undefined],
    ["a new address", good, ["10.0.0.1", "10.0.0.2"], ours.cert, now, /does not name 10\.0\.0\.2/],
    ["a new name", good, ["node2.chime.com"], ours.cert, now, /does not name node2/],
    ["a new CA", good, ["10.0.0.1"], other.cert, now, /CA has changed/],
    [
      "signed by another",
      { ...issueBy(other, ["10.0.0.1"]), ca: ours.cert },
      ["10.0.0.1"],
      ours.cert,
      now,
      /another CA/,
    ],
    ["half replaced", { ...good, key: generateKey().privateKey }, ["10.0.0.1"], ours.cert, now, /do not fit/],
    ["a month before its end", good, ["10.0.0.1"], ours.cert, now + 705 * day, /ends on/],
    ["not yet", good, ["10.0.0.1"], ours.cert, now + 690 * day, undefined],
    ["torn", { ...good, cert: good.cert.slice(0, 80) }, ["10.0.0.1"], ours.cert, now, /cannot be read/],
    ["empty key", { ...good, key: "" }, ["10.0.0.1"], ours.cert, now, /cannot be read/],
  ])("%s", (_name, present, subjects, ca, at, wanted) => {
    const found = judge(present, subjects, { trusted: ca, signer: ca }, at);
    if (wanted) expect(found).toMatch(wanted);
    else expect(found).toBeUndefined();
  });
});

describe("certificate", () => {
  let directory: string;
  let ledger: Ledger;
  let issued = 0;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "chime-certificate-"));
    ledger = await openLedger(join(directory, "state/ledger.jsonl"));
    issued = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const options = (subjects: readonly string[]): CertificateOptions => ({
    name: "mysql",
    paths: {
      key: join(directory, "tls/key.pem"),
      cert: join(directory, "tls/cert.pem"),
      ca: join(directory, "tls/ca.pem"),
    },
    subjects,
    authority: { trusted: ours.cert, signer: ours.cert },
    issue() {
      issued++;
      return Promise.resolve(issueBy(ours, subjects));
    },
  });
  const run = (subjects: readonly string[]) =>
    apply([certificate(options(subjects))], ledger, {
      signal: new AbortController().signal,
      progress: () => undefined,
    });

  test("is issued once, again when it will not do, and taken back", async () => {
    const { key } = options([]).paths;
    const planned = await plan([certificate(options(["10.0.0.1"]))], ledger);
    expect(planned).toMatchObject([{ action: "create", diff: "+ certificate for 10.0.0.1" }]);
    await run(["10.0.0.1"]);
    expect((await run(["10.0.0.1"])).changes).toEqual([]);
    expect(issued).toBe(1);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect((await run(["10.0.0.1", "10.0.0.2"])).changes).toMatchObject([
      { action: "update", cause: "spec" },
    ]);
    expect(issued).toBe(2);
    chmodSync(key, 0o644);
    expect(await plan([certificate(options(["10.0.0.1", "10.0.0.2"]))], ledger)).toMatchObject([
      { cause: "drift", diff: `owner or mode of ${key} have changed` },
    ]);
    await undoAll(ledger, kinds, { progress: () => undefined });
    expect(existsSync(join(directory, "tls"))).toBe(false);
  });

  test("one more CA to trust leaves key and certificate alone, and another certificate the CA file", async () => {
    const { key, cert, ca } = options([]).paths;
    // Not their times: two changes within one tick of the kernel's clock have the same.
    const files = () =>
      [key, cert, ca].map((path) => {
        const { ino, mode } = statSync(path);
        return `${ino} ${mode}`;
      });
    const changed = async (what: Partial<CertificateOptions>) => {
      const before = files();
      const resource = certificate({ ...options(["10.0.0.1"]), ...what });
      await apply([resource], ledger, { signal: new AbortController().signal, progress: () => undefined });
      return files().map((file, nth) => file !== before[nth]);
    };
    await run(["10.0.0.1"]);
    const authority = { trusted: ours.cert + other.cert, signer: ours.cert };
    expect(await changed({ authority })).toEqual([false, false, true]);
    const issue = async () => ({ ...issueBy(other, ["10.0.0.1"]), ca: authority.trusted });
    const next = { authority: { ...authority, signer: other.cert }, issue };
    expect(await changed(next)).toEqual([true, true, false]);
    // What belongs to somebody else is put right all the same.
    chmodSync(ca, 0o600);
    expect(await changed(next)).toEqual([false, false, true]);
    expect(statSync(ca).mode & 0o777).toBe(0o644);
  });

  describe("in its last month", () => {
    let reloads = 0;
    let fails = false;
    const renewing = () =>
      certificate({
        ...options(["10.0.0.1"]),
        async reload() {
          reloads++;
          if (fails) throw new Error("the service does not take it");
        },
      });
    const cert = () => readFileSync(options([]).paths.cert, "utf8");
    const again = () => apply([renewing()], ledger, { signal: new AbortController().signal, progress() {} });
    beforeEach(async () => {
      [reloads, fails] = [0, false];
      await again();
      const old = issueBy(ours, ["10.0.0.1"], now - 705 * day);
      for (const file of ["key", "cert", "ca"] as const) writeFileSync(options([]).paths[file], old[file]);
    });

    test("it is nobody's drift: the agent renews it, and the service takes it up", async () => {
      expect(reloads).toBe(0);
      expect((await again()).changes).toMatchObject([{ cause: "spec", impact: "none" }]);
      expect(reloads).toBe(1);
      expect((await again()).changes).toEqual([]);
    });

    test("the old one stays where the service does not take the new one, so that it is tried again", async () => {
      const before = cert();
      fails = true;
      expect((await again()).failed).toHaveLength(1);
      expect(cert()).toBe(before);
      fails = false;
      expect((await again()).failed).toEqual([]);
      expect(cert()).not.toBe(before);
    });

    test("an owner that was changed besides is drift", async () => {
      chmodSync(options([]).paths.key, 0o644);
      expect(await plan([renewing()], ledger)).toMatchObject([{ cause: "drift" }]);
    });
  });

  test("follows a rotation of the CA: others to trust are a new CA file alone, another signer a new certificate", async () => {
    const texts = () => {
      const { key, cert, ca } = options([]).paths;
      return [key, cert, ca].map((path) => readFileSync(path, "utf8"));
    };
    let reloads = 0;
    const go = (trusted: string, by: Authority) =>
      apply(
        [
          certificate({
            ...options(["10.0.0.1"]),
            authority: { trusted, signer: by.cert },
            issue: () => Promise.resolve({ ...issueBy(by, ["10.0.0.1"]), ca: trusted }),
            reload: () => Promise.resolve(void reloads++),
          }),
        ],
        ledger,
        { signal: new AbortController().signal, progress: () => undefined },
      );
    await run(["10.0.0.1"]);
    const [key, cert] = texts();
    const both = ours.cert + other.cert;
    const unasked = [{ action: "update", cause: "spec", impact: "none" }];
    expect((await go(both, ours)).changes).toMatchObject(unasked);
    expect(texts()).toEqual([key, cert, both] as string[]);
    expect((await go(both, ours)).changes).toEqual([]);
    expect((await go(both, other)).changes).toMatchObject(unasked);
    const [nextKey, nextCert, ca] = texts();
    expect([nextKey === key, nextCert === cert, ca]).toEqual([false, false, both]);
    expect((await go(other.cert, other)).changes).toMatchObject(unasked);
    expect(texts()).toEqual([nextKey, nextCert, other.cert] as string[]);
    expect(reloads).toBe(3);
  });
});
