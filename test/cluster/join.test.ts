import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { possessionFields, protocolVersion } from "../../src/cluster/admission.ts";
import { Channel, peerFrameBytes } from "../../src/cluster/channel.ts";
import { joinKey, loadCredentials, loadIdentity, type Credentials } from "../../src/cluster/identity.ts";
import { enterCluster, splitAddress } from "../../src/cluster/join.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { certifyNode, createAuthority, generateKey, signFields } from "../../src/cluster/pki.ts";
import { openTls, TlsTransport } from "../../src/cluster/tls-transport.ts";
import { formatToken, parseToken, type Token } from "../../src/cluster/token.ts";
import { systemClock } from "../../src/core/clock.ts";
import { ChimeError } from "../../src/core/errors.ts";
import { approach, codeOf, invite, lab, seeded, until, type Lab } from "./support.ts";

const port = 18822;
let nodes: Lab;
let one: OpenCluster;
beforeEach(async () => {
  nodes = await lab(port);
  one = await nodes.init("node1", "127.0.0.1");
});
afterEach(() => nodes.close());

/** The token with something else in it. */
function altered(token: string, change: Partial<Token>): string {
  return formatToken({ ...parseToken(token), ...change });
}

async function refusal(promise: Promise<unknown>): Promise<ChimeError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ChimeError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("each reason has its own answer", () => {
  test.each([
    ["of another cluster", { cluster: "fedcba9876543210" }, "token.wrong_cluster"],
    ["that pins another CA", { ca: "A".repeat(43) }, "token.other_ca"],
  ])("token %s: nothing is sent", async (_, change, code) => {
    const { token } = await invite(one);
    const error = await refusal(nodes.enter(altered(token, change), "node2", "127.0.0.2", ["mysql"]));
    expect(error).toMatchObject({ code, exit: 3 });
    expect(one.membership.tokens.list()[0]?.used_by).toEqual([]);
  });

  test("who shows the right CA without a certificate of it hears no secret", async () => {
    const { token } = await invite(one);
    const { ca, identity } = (await loadCredentials(nodes.files("node1").pki)) as Credentials;
    const key = generateKey();
    const self = { ...identity.self, publicKey: key.publicKey };
    const forged = certifyNode(
      createAuthority(identity.cluster, Date.now()),
      identity.cluster,
      self,
      Date.now(),
    );
    let heard = 0;
    const server = createTlsServer({ cert: forged + ca, key: key.privateKey }, (socket) => {
      socket.on("data", (chunk) => (heard += chunk.length));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.6", resolve));
    try {
      const lured = altered(token, { addresses: [`127.0.0.6:${port}`] });
      expect(await codeOf(nodes.enter(lured, "node2", "127.0.0.2", ["mysql"]))).toBe("join.unreachable");
      expect(heard).toBe(0);
    } finally {
      server.close();
    }
  });

  test("a token that the cluster does not know, and one with a wrong secret, are told apart by nobody", async () => {
    const { token } = await invite(one);
    const strange = altered(token, { id: "aaaaaaaa" });
    const guessed = altered(token, { secret: "x".repeat(32) });
    const first = await refusal(nodes.enter(strange, "node2", "127.0.0.2", ["mysql"]));
    const second = await refusal(nodes.enter(guessed, "node2", "127.0.0.2", ["mysql"]));
    expect(first).toMatchObject({ code: "token.unknown", exit: 3, message: second.message });
  });

  test("expired", async () => {
    const { token } = await invite(one, { ttlSeconds: 0 });
    expect(await codeOf(nodes.enter(token, "node2", "127.0.0.2", ["mysql"]))).toBe("token.expired");
  });

  test("used up, by whoever came first", async () => {
    const { token } = await invite(one, { uses: 1 });
    await nodes.enter(token, "node2", "127.0.0.2", ["mysql"]);
    expect(one.membership.tokens.list()[0]).toMatchObject({ used_by: ["node2"], state: "used_up" });
    expect(await codeOf(nodes.enter(token, "node3", "127.0.0.3", ["witness"]))).toBe("token.used_up");
  });

  test("revoked", async () => {
    const { token, id } = await invite(one);
    await one.membership.tokens.revoke(id);
    expect(await codeOf(nodes.enter(token, "node2", "127.0.0.2", ["mysql"]))).toBe("token.revoked");
    expect(await codeOf(one.membership.tokens.revoke("nonesuch"))).toBe("token.unknown");
  });

  test("role not allowed by the token, and role that does not exist", async () => {
    const { token } = await invite(one, { roles: ["witness"] });
    expect(await codeOf(nodes.enter(token, "node2", "127.0.0.2", ["mysql"]))).toBe("token.role_not_allowed");
    const { token: any } = await invite(one);
    expect(await codeOf(nodes.enter(any, "node2", "127.0.0.2", ["mysqld"]))).toBe("join.unknown_role");
    expect(await codeOf(invite(one, { roles: ["mysqld"] }))).toBe("role.unknown");
  });

  test("role that cluster.toml does not configure: every agent would have to ask what it is", async () => {
    const { token } = await invite(one);
    const error = await refusal(nodes.enter(token, "node2", "127.0.0.2", ["unconfigured"]));
    expect(error).toMatchObject({ code: "join.role_unconfigured", exit: 3 });
    expect(await codeOf(one.membership.takeRoles(["unconfigured"]))).toBe("join.role_unconfigured");
  });

  test("name or address taken", async () => {
    const { token } = await invite(one);
    const enter = (name: string, address: string) =>
      codeOf(
        enterCluster(nodes.files("machine2"), {
          token: parseToken(token),
          node: { name, address },
          roles: ["mysql"],
          binaryVersion: "0.1.0",
        }),
      );
    expect(await enter("node1", "127.0.0.2")).toBe("join.name_taken");
    expect(await enter("node2", "127.0.0.1")).toBe("join.address_taken");
  });

  test("a third node for a pair, with the reason", async () => {
    const { token } = await invite(one);
    await nodes.enter(token, "node2", "127.0.0.2", ["mysql"]);
    await nodes.enter(token, "node3", "127.0.0.3", ["mysql"]);
    const error = await refusal(nodes.enter(token, "node4", "127.0.0.4", ["mysql"]));
    expect(error).toMatchObject({ code: "join.role_full", exit: 3 });
    expect(error.message).toContain("node2 and node3: a pair has two nodes");
    expect(await codeOf(one.membership.takeRoles(["mysql"]))).toBe("join.role_full");
    expect(await codeOf(nodes.enter(token, "node4", "127.0.0.4", ["witness"]))).toBe("nothing was thrown");
  });

  test("fewer disks than the layout takes: nothing is left, neither here nor there", async () => {
    const { token } = await invite(one);
    const enter = (disks: number) =>
      enterCluster(nodes.files("node2"), {
        token: parseToken(token),
        node: { name: "node2", address: "127.0.0.2" },
        roles: ["store"],
        disks,
        binaryVersion: "0.1.0",
      });
    expect(await refusal(enter(2))).toMatchObject({ code: "disk.count", exit: 3 });
    expect(await loadIdentity(nodes.files("node2").pki)).toBeUndefined();
    expect(one.membership.members().map(({ name }) => name)).toEqual(["node1"]);
    expect(one.membership.tokens.list()[0]?.used_by).toEqual([]);
    expect((await enter(3)) as unknown).toMatchObject({ self: { name: "node2" } });
  });

  test("no node is a witness beside its other roles: it would fall with them", async () => {
    await one.membership.takeRoles(["mysql"]);
    expect(await codeOf(one.membership.takeRoles(["witness"]))).toBe("role.witness");
  });

  test("a clock that is off by an hour, either way", async () => {
    const { token } = await invite(one);
    for (const [offset, words] of [
      [3_600_000, "60 minutes ahead of"],
      [-3_600_000, "60 minutes behind"],
    ] as const) {
      const error = await refusal(
        enterCluster(nodes.files("node2"), {
          token: parseToken(token),
          node: { name: "node2", address: "127.0.0.2" },
          roles: ["mysql"],
          binaryVersion: "0.1.0",
          clock: { ...systemClock, wall: () => Date.now() + offset },
        }),
      );
      expect(error).toMatchObject({ code: "join.clock_skew", exit: 3 });
      expect(error.message).toContain(words);
    }
  });

  test("unreachable: says what each address said, at once", async () => {
    const { token } = await invite(one);
    const gone = altered(token, { addresses: [`127.0.0.8:${port}`, `127.0.0.9:${port}`] });
    const start = performance.now();
    const error = await refusal(nodes.enter(gone, "node2", "127.0.0.2", ["mysql"]));
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(error).toMatchObject({ code: "join.unreachable", exit: 1 });
    expect(error.message).toContain(`127.0.0.8:${port}: connection refused`);
    expect(error.message).toContain(`127.0.0.9:${port}: connection refused`);
  });

  test("an address that is dead, or silent, does not keep from the next one", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.9", resolve));
    try {
      const { token } = await invite(one);
      const mixed = altered(token, {
        addresses: [`127.0.0.8:${port}`, `127.0.0.9:${port}`, ...parseToken(token).addresses],
      });
      await nodes.enter(mixed, "node2", "127.0.0.2", ["mysql"]);
    } finally {
      silent.close();
    }
  });
});

describe("who comes in", () => {
  test("gets CA key, secrets and members; a witness neither key nor secrets", async () => {
    const { token } = await invite(one);
    const two = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
    const witness = await nodes.join(token, "node3", "127.0.0.3", ["witness"]);
    expect(await readdir(nodes.files("node2").pki)).toContain("ca.key");
    expect(await readdir(nodes.files("node3").pki)).not.toContain("ca.key");
    expect(witness.secrets.all).toEqual({});
    expect(await codeOf(invite(witness))).toBe("token.witness");
    expect(await codeOf(witness.membership.takeRoles(["mysql"]))).toBe("role.witness");
    for (const file of await readdir(nodes.files("node2").pki)) {
      expect((await stat(join(nodes.files("node2").pki, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(nodes.files("node2").pki)).mode & 0o777).toBe(0o700);
    expect((await stat(nodes.files("node2").secrets)).mode & 0o777).toBe(0o600);
    // The second node admits as well as the first, and a witness never, not even for another member.
    const { token: second } = await invite(two);
    const atWitness = altered(second, { addresses: [`127.0.0.3:${port}`] });
    expect(await codeOf(nodes.enter(atWitness, "node4", "127.0.0.4", ["server"]))).toBe("join.unreachable");
    const atTwo = altered(second, { addresses: [`127.0.0.2:${port}`] });
    await nodes.enter(atTwo, "node4", "127.0.0.4", ["server"]);
    expect(one.membership.members().map((m) => [m.name, m.index])).toEqual([
      ["node1", 1],
      ["node2", 2],
      ["node3", 3],
      ["node4", 4],
    ]);
  });

  test("the same machine may ask again: same admission, one use", async () => {
    const { token } = await invite(one, { uses: 1 });
    await nodes.enter(token, "node2", "127.0.0.2", ["mysql"]);
    const before = await loadCredentials(nodes.files("node2").pki);
    await rm(join(nodes.files("node2").pki, "identity.json"));
    await nodes.enter(token, "node2", "127.0.0.2", ["mysql"]);
    const after = await loadCredentials(nodes.files("node2").pki);
    expect(after?.identity).toEqual(before?.identity as NonNullable<typeof before>["identity"]);
    expect(after?.key.publicKey).toBe(before?.key.publicKey as string);
    expect(one.membership.members()).toHaveLength(2);
    expect(one.membership.tokens.list()[0]?.used_by).toEqual(["node2"]);
  });

  test("under one name at once, through two members: exactly one", async () => {
    const { token } = await invite(one);
    const two = await nodes.join(token, "node2", "127.0.0.2", ["server"]);
    await until("both alive", () =>
      [one, two].every((c) => c.membership.members().every((m) => m.state === "alive")),
    );
    const through = (door: string) => altered(token, { addresses: [`${door}:${port}`] });
    const attempt = (door: string, machine: number) =>
      codeOf(
        enterCluster(nodes.files(`machine${machine}`), {
          token: parseToken(through(door)),
          node: { name: "node3", address: `127.0.0.${10 + machine}` },
          roles: ["mysql"],
          binaryVersion: "0.1.0",
        }),
      );
    const codes = await Promise.all([1, 2, 3, 4].map((n) => attempt(n % 2 ? "127.0.0.1" : "127.0.0.2", n)));
    expect(codes.filter((code) => code === "nothing was thrown")).toHaveLength(1);
    expect(codes.filter((code) => code === "join.name_taken")).toHaveLength(3);
  });

  test("at once for the last place of a pair, through two members: never three", async () => {
    const { token } = await invite(one);
    const two = await nodes.join(token, "node2", "127.0.0.2", ["server"]);
    await until("both alive", () =>
      [one, two].every((c) => c.membership.members().every((m) => m.state === "alive")),
    );
    const codes = await Promise.all(
      [3, 4, 5, 6].map((n) =>
        codeOf(
          nodes.enter(
            altered(token, { addresses: [`127.0.0.${1 + (n % 2)}:${port}`] }),
            `node${n}`,
            `127.0.0.${n}`,
            ["mysql"],
          ),
        ),
      ),
    );
    expect(codes.filter((code) => code === "nothing was thrown")).toHaveLength(2);
    expect(codes.filter((code) => code === "join.role_full")).toHaveLength(2);
  });
});

async function knock(method: string, params: unknown): Promise<ChimeError> {
  const socket = await openTls("127.0.0.1", port, { rejectUnauthorized: false }, 1000);
  const channel = new Channel(socket, { limit: peerFrameBytes, peer: "node1" });
  return await refusal(channel.request(method, params, 1000)).finally(() => channel.close());
}

async function request(change: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const { id, secret } = parseToken((await invite(one)).token);
  const key = await joinKey(nodes.files("node2").pki);
  const unsigned = {
    token: { id, secret },
    name: "node2",
    address: "127.0.0.2",
    roles: ["mysql"],
    publicKey: key.publicKey,
    wall: Date.now(),
    protocol: protocolVersion,
    binaryVersion: "0.1.0",
  };
  return { ...unsigned, possession: signFields(key.privateKey, possessionFields(unsigned)), ...change };
}

describe("the door itself", () => {
  test("another protocol version is told so, whatever else the request says", async () => {
    const error = await knock("join", { protocol: protocolVersion + 1, binaryVersion: "9.0.0" });
    expect(error).toMatchObject({ code: "join.version_incompatible", exit: 3 });
    expect(error.message).toContain("9.0.0");
  });

  test("a stranger can ask nothing but to join", async () => {
    for (const method of ["exchange", "push", "beat", "decide", "call.guard.mysql.state", ""]) {
      expect((await knock(method, {})).code).toBe("join.bad_request");
    }
  });

  test("the key to be certified must be the asker's", async () => {
    const stolen = { publicKey: generateKey().publicKey };
    expect((await knock("join", await request(stolen))).code).toBe("join.bad_request");
  });

  test("random, truncated and oversized requests get no useful answer and harm nobody", async () => {
    const good = await request();
    const random = seeded(7);
    const junk = [
      null,
      0,
      -1,
      "",
      "x".repeat(9000),
      [],
      {},
      true,
      Number.MAX_VALUE,
      ["mysql", 1],
      { id: "x" },
    ];
    for (let round = 0; round < 24; round++) {
      // The version's text is free, so nothing in its place is bad.
      const keys = Object.keys(good).filter((key) => key !== "binaryVersion");
      const key = keys[Math.floor(random() * keys.length)] as string;
      const { [key]: _left, ...rest } = good;
      const bad = random() < 0.3 ? rest : { ...rest, [key]: junk[Math.floor(random() * junk.length)] };
      const channel = new Channel(await approach(port), { limit: peerFrameBytes, peer: "node1" });
      const answer = await channel.request("join", bad, 1000).then(
        () => "admitted",
        (error: ChimeError) => error.code,
      );
      channel.close();
      expect(["join.bad_request", "join.version_incompatible", "token.unknown", "join.clock_skew"]).toContain(
        answer,
      );
    }
    expect(one.membership.members()).toHaveLength(1);
    expect(await codeOf(nodes.enter((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]))).toBe(
      "nothing was thrown",
    );
  });
});

test("an answer that cannot be right is not taken, and leaves this node outside", async () => {
  const { token } = await invite(one);
  const credentials = (await loadCredentials(nodes.files("node1").pki)) as Credentials;
  const genuine = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
  const theirs = (await loadCredentials(nodes.files("node2").pki)) as Credentials;
  const good = {
    cluster: theirs.identity.cluster,
    index: 3,
    certificate: theirs.certificate,
    ca: theirs.ca,
    gossipKey: theirs.keyRing.keys[0],
    state: {},
  };
  const answers: unknown[] = [
    null,
    [],
    "x",
    {},
    // Whole, but made out to another node.
    good,
    { ...good, certificate: "x" },
    { ...good, ca: "x" },
    { ...good, cluster: { name: "other", id: "other" } },
    { ...good, state: { admissions: [{}] } },
    { ...good, state: "x".repeat(2_000_000) },
  ];
  for (const answer of answers) {
    const liar = new TlsTransport(() => credentials, "127.0.0.7", port);
    await liar.listen(
      async () => answer,
      () => undefined,
    );
    const code = await codeOf(
      nodes.enter(altered(token, { addresses: [`127.0.0.7:${port}`] }), "node3", "127.0.0.3", ["mysql"]),
    );
    expect(["join.bad_answer", "join.unreachable"]).toContain(code);
    expect(await loadIdentity(nodes.files("node3").pki)).toBeUndefined();
    await liar.close();
  }
  await genuine.stop();
});

test.each([
  ["10.0.0.1", "10.0.0.1", 8820],
  ["10.0.0.1:99", "10.0.0.1", 99],
  ["fd00::1", "fd00::1", 8820],
  ["[fd00::1]:99", "fd00::1", 99],
])("address %s of a token", (text, host, port) => {
  expect(splitAddress(text)).toEqual({ host, port });
});
