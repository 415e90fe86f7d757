import { X509Certificate } from "node:crypto";
import { expect, test } from "bun:test";
import { certifyNode, createAuthority, generateKey, readNodeCertificate } from "../../src/cluster/pki.ts";
import { Renewal, standing } from "../../src/cluster/renewal.ts";
import type { Clock } from "../../src/core/clock.ts";
import { failed } from "../../src/core/errors.ts";

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.UTC(2026, 10, 22);
const cluster = { name: "chime", id: "0123456789abcdef" };
const authority = createAuthority(cluster, start);
const ca = new X509Certificate(authority.cert);
const node = { name: "node1", index: 1, address: "10.0.0.1", publicKey: generateKey().publicKey };

/** As the other members read it. */
function validity(certificate: string): { from: number; to: number } {
  const read = new X509Certificate(certificate);
  if (!readNodeCertificate(read, [ca], undefined))
    throw new Error("it is no certificate of this cluster's node");
  return { from: Date.parse(read.validFrom), to: Date.parse(read.validTo) };
}

/** A node whose time passes as fast as it waits. `skew`: its own clock is wrong by so much; who signs has the right one. */
class Years {
  ms = 0;
  skew = 0;
  /** Nobody is there to sign: no member that holds the CA. */
  alone = false;
  signed = 0;
  asked = 0;
  /** Looks at which the others would have refused the certificate that it had. */
  refusedAt: number[] = [];
  certificate: string;
  readonly renewal: Renewal;
  /** By the dates of the certificate, ms. */
  #valid: { from: number; to: number };
  readonly #until: number;
  readonly #happens: (years: Years) => void;

  /** @param happens before each look */
  constructor(until: number, happens: (years: Years) => void = () => undefined) {
    this.#until = until;
    this.#happens = happens;
    this.certificate = this.sign();
    this.#valid = validity(this.certificate);
    const clock: Clock = {
      wall: () => this.wall() + this.skew,
      now: () => this.ms,
      sleep: (pause, signal) => this.#sleep(pause, signal),
    };
    this.renewal = new Renewal({
      certificate: () => this.certificate,
      ask: () => {
        this.asked++;
        if (this.alone) return Promise.reject(failed("cluster.no_authority", "nobody is there to sign"));
        if (Math.abs(this.skew) > 60_000)
          return Promise.reject(failed("join.clock_skew", "its clock is wrong"));
        this.signed++;
        return Promise.resolve(this.sign());
      },
      take: (certificate) => {
        this.certificate = certificate;
        this.#valid = validity(certificate);
        return Promise.resolve();
      },
      clock,
    });
  }

  wall(): number {
    return start + this.ms;
  }

  sign(): string {
    return certifyNode(authority, cluster, node, this.wall());
  }

  async #sleep(pause: number, signal?: AbortSignal): Promise<void> {
    this.ms += pause;
    this.#happens(this);
    if (this.wall() < this.#valid.from || this.wall() > this.#valid.to) this.refusedAt.push(this.ms);
    if (this.ms < this.#until) return;
    this.renewal.stop();
    signal?.throwIfAborted();
  }

  async pass(): Promise<this> {
    while (this.ms < this.#until) await new Promise(setImmediate);
    return this;
  }
}

test("an agent that runs for nine years is never refused, and asks no more often than it has to", async () => {
  const years = await new Years(9 * 365 * day).pass();
  expect(years.refusedAt).toEqual([]);
  // Each in the last third of two years: after 16 months.
  expect(years.signed).toBe(6);
  expect(years.asked).toBe(years.signed);
}, 60_000);

test("where nobody can sign for seven months it goes on asking, once an hour, and is refused at no time", async () => {
  const months = (n: number) => n * 30 * day;
  const years = await new Years(2 * 365 * day, (now) => {
    now.alone = now.ms > months(16) && now.ms < months(23);
  }).pass();
  expect(years.refusedAt).toEqual([]);
  expect(years.asked).toBeGreaterThan(4_000);
  expect(years.asked).toBeLessThan(5_000);
  expect(years.renewal.trouble).toBeUndefined();
}, 60_000);

test("after more than two years alone it is refused, says why, and has another one seconds after somebody is there", async () => {
  const end = 733 * day;
  let said: string | undefined;
  let back = 0;
  const years = await new Years(end, (now) => {
    now.alone = now.ms < 731 * day;
    if (now.alone) said = now.renewal.trouble;
    else back ||= now.ms;
  }).pass();
  expect(said).toMatch(
    /^its certificate ended on .*, by its clock, and no other could be had: nobody is there/,
  );
  expect(years.refusedAt.length).toBeGreaterThan(0);
  expect(Math.max(...years.refusedAt) - back).toBeLessThanOrEqual(5_000);
  expect(years.renewal.trouble).toBeUndefined();
  expect(standing(years.certificate, start + end)).toBe("good");
}, 60_000);

test.each([
  ["three years ahead", 3 * 365 * day, "ended"],
  ["three years behind", -3 * 365 * day, "begins"],
])(
  "a clock that jumps %s: nothing is signed for it, it says so, and once it is right again all is well",
  async (_, skew, word) => {
    let said: string | undefined;
    const years = await new Years(20 * day, (now) => {
      now.skew = now.ms > 5 * day && now.ms < 6 * day ? skew : 0;
      if (now.skew !== 0) said = now.renewal.trouble ?? said;
    }).pass();
    expect(said).toMatch(new RegExp(`^its certificate ${word}.*its clock is wrong`));
    expect(years.signed).toBe(0);
    expect(years.refusedAt).toEqual([]);
    expect(years.renewal.trouble).toBeUndefined();
  },
  60_000,
);

test("what is due, and when", () => {
  const certificate = certifyNode(authority, cluster, node, start);
  const at = (ms: number) => standing(certificate, start + ms);
  expect([at(-2 * day), at(0), at(486 * day), at(488 * day), at(729 * day), at(731 * day)]).toEqual([
    "early",
    "good",
    "good",
    "due",
    "due",
    "expired",
  ]);
});
