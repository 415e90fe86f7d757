import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { protocolVersion } from "../../src/cluster/admission.ts";
import { Channel, peerFrameBytes } from "../../src/cluster/channel.ts";
import { Crowd } from "../../src/cluster/crowd.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { Turnstile } from "../../src/cluster/turnstile.ts";
import { approach, codeOf, invite, lab, until, type Lab } from "./support.ts";

describe("new connections", () => {
  let now = 0;
  const crowd = new Crowd(() => now);
  /** How many of so many a second come in. */
  const ofFlood = (addresses: readonly string[], count: number): number => {
    let admitted = 0;
    for (let i = 0; i < count; i++) {
      now += 1000 / count;
      if (crowd.admits(addresses[i % addresses.length] as string)) admitted++;
    }
    return admitted;
  };
  const some = (count: number) => Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.1`);

  test("of one address eight a second, and the others are served as ever", () => {
    ofFlood(["10.0.0.66"], 1000);
    expect(ofFlood(["10.0.0.66"], 1000)).toBe(8);
    expect(crowd.admits("10.0.0.67")).toBe(true);
  });

  test("of a thousand addresses 48 a second, and a member's is not one of them", () => {
    crowd.expect("10.9.9.9");
    ofFlood(some(1000), 1000);
    expect(ofFlood(some(1000), 1000)).toBeLessThanOrEqual(48);
    expect(crowd.admits("10.0.0.67")).toBe(false);
    for (let i = 0; i < 8; i++) expect(crowd.admits("10.9.9.9")).toBe(true);
    expect(ofFlood(["10.9.9.9"], 1000)).toBeLessThanOrEqual(2 * 32);
  });

  test("addresses are forgotten before they fill the memory", () => {
    ofFlood(some(60_000), 60_000);
    now += 10_000;
    expect(ofFlood(["10.0.0.66"], 1000)).toBeLessThanOrEqual(2 * 8);
  });
});

test("joins with an unknown token take no place from those with a right one; who comes too much hears it", async () => {
  const turnstile = new Turnstile();
  const { promise: never, resolve } = Promise.withResolvers<string>();
  const enter = (standing: "proven" | "unknown") => turnstile.through(standing, "node1", () => never);
  const unknown = [enter("unknown"), enter("unknown")];
  await expect(enter("unknown")).rejects.toMatchObject({ code: "join.busy", exit: 1 });
  const proven = Array.from({ length: 16 }, () => enter("proven"));
  await expect(enter("proven")).rejects.toMatchObject({ code: "join.busy" });
  resolve("in");
  expect(new Set(await Promise.all([...unknown, ...proven]))).toEqual(new Set(["in"]));
  await expect(enter("unknown")).resolves.toBe("in");
});

describe("a member's door in a crowd", () => {
  const port = 18_831;
  let nodes: Lab;
  let one: OpenCluster;
  let two: OpenCluster;
  beforeAll(async () => {
    nodes = await lab(port);
    one = await nodes.init("node1", "127.0.0.1");
    two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
    await until("both alive", () =>
      [one, two].every((node) => node.membership.members().every(({ state }) => state === "alive")),
    );
  });
  afterAll(() => nodes.close());

  /** As one of the cluster's, but for its secret. */
  async function wrongToken(door: string): Promise<string> {
    const { token } = await invite(one);
    const content = JSON.parse(Buffer.from(token.slice(7), "base64url").toString()) as object;
    const changed = { ...content, addresses: [door], secret: "x".repeat(32) };
    return `chime1.${Buffer.from(JSON.stringify(changed)).toString("base64url")}`;
  }

  test("a stranger asks once: a second question on the same connection ends it", async () => {
    const channel = new Channel(await approach(port), { limit: peerFrameBytes, peer: "node1" });
    const asked = [1, 2, 3].map(() => codeOf(channel.request("renew", {}, 2_000)));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["peer.unreachable"]));
    await channel.closed;
    const again = new Channel(await approach(port), { limit: peerFrameBytes, peer: "node1" });
    expect(await codeOf(again.request("renew", {}, 2_000))).toBe("renew.bad_request");
    again.close();
  });

  test("a stranger does not hear which member decides", async () => {
    const channel = new Channel(await approach(port, {}, "127.0.0.2"), {
      limit: peerFrameBytes,
      peer: "asked",
    });
    const unsigned = {
      token: { id: "abcd1234", secret: "x".repeat(32) },
      name: "node3",
      address: "127.0.0.3",
      roles: ["server"],
      publicKey: "AAAA",
      wall: Date.now(),
      protocol: protocolVersion,
      binaryVersion: "0.1.0",
    };
    const request = channel.request("join", { ...unsigned, possession: "AAAA" }, 5_000);
    await expect(request).rejects.toMatchObject({ code: "token.unknown", node: "asked" });
    channel.close();
  });

  test("wrong tokens at one member's door, many at once, are each told so, and members go on", async () => {
    const wrong = await wrongToken(`127.0.0.2:${port}`);
    const answers = Array.from({ length: 12 }, (_, i) =>
      codeOf(nodes.enter(wrong, `node1${i}`, `127.0.0.1${i}`, ["server"])),
    );
    expect(new Set(await Promise.all(answers))).toEqual(new Set(["token.unknown"]));
    expect(two.membership.members().every(({ state }) => state === "alive")).toBe(true);
  }, 60_000);

  test("from the address of a flood a right token still comes in, or hears that it is the crowd's fault", async () => {
    const { token } = await invite(one);
    const stop = new AbortController();
    let sent = 0;
    const flood = Array.from({ length: 12 }, async () => {
      while (!stop.signal.aborted) {
        const socket = connectTcp({ host: "127.0.0.1", port });
        socket.on("error", () => undefined);
        await new Promise((resolve) => socket.once("close", resolve));
        sent++;
      }
    });
    await until("the flood to run", () => sent > 50);
    const result = await codeOf(nodes.enter(token, "node4", "127.0.0.4", ["server"]));
    expect(["nothing was thrown", "join.busy"]).toContain(result);
    expect(two.membership.members().filter(({ name }) => name === "node1")[0]?.state).toBe("alive");
    stop.abort();
    await Promise.all(flood);
    expect(await codeOf(nodes.enter(token, "node4", "127.0.0.4", ["server"]))).toBe("nothing was thrown");
  }, 60_000);
});
