import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { loadCredentials, saveCertificate, type Credentials } from "../../src/cluster/identity.ts";
import { Channel } from "../../src/cluster/channel.ts";
import type { OpenCluster } from "../../src/cluster/open.ts";
import { certifyNode, generateKey, signFields } from "../../src/cluster/pki.ts";
import { openTls } from "../../src/cluster/tls-transport.ts";
import { codeOf, invite, lab, until, type Lab } from "./support.ts";

let nodes: Lab;
beforeEach(async () => {
  nodes = await lab(18821);
});
afterEach(() => nodes.close());

describe("a cluster over TLS", () => {
  test("two nodes know each other, their records, the spec and the secrets", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const { token } = await invite(one);
    const two = await nodes.join(token, "node2", "127.0.0.2", ["mysql"]);
    const alive = () =>
      [one, two].every(
        ({ membership }) => membership.members().filter((m) => m.state === "alive").length === 2,
      );
    await until("both see both alive", alive);
    expect(two.membership.self).toMatchObject({ name: "node2", index: 2, roles: ["mysql"] });
    await two.membership.update({ phase: { mysql: "installed" } });
    expect(one.membership.members()[1]?.phase).toEqual({ mysql: "installed" });
    expect(two.membership.spec()).toEqual(one.membership.spec());
    expect(two.secrets.all).toEqual(one.secrets.all);
    expect(two.secrets.all["mysql"]?.["replication"]).toMatch(/^[A-Za-z0-9]{32}$/);
  });

  test("a peer answers a call, and its errors come back as they are", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
    two.membership.handle("test", async (params, from, method) => {
      if (method === "hang") await new Promise(() => undefined);
      return { method, params, from };
    });
    await until("node2 is alive", () => one.membership.members()[1]?.state === "alive");
    expect(await one.membership.call("node2", "test.echo", { a: 1 }, 1000)).toEqual({
      method: "echo",
      params: { a: 1 },
      from: "node1",
    });
    expect(await codeOf(one.membership.call("node2", "other.echo", {}, 1000))).toBe("peer.no_method");
    expect(await codeOf(one.membership.call("node9", "echo", {}, 1000))).toBe("member.unknown");
    expect(await codeOf(one.membership.call("node2", "test.hang", {}, 50))).toBe("peer.timeout");
  });

  test("a stopped agent is suspect, then dead, and alive again after its restart", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
    const seen = () => one.membership.members()[1]?.state;
    await until("alive", () => seen() === "alive");
    expect(await codeOf(one.membership.call("node2", "test.echo", {}, 1000))).toBe("peer.no_method");
    await two.stop();
    await until("suspect at once", () => seen() === "suspect", 200);
    await until("dead", () => seen() === "dead", 1500);
    expect(await codeOf(one.membership.call("node2", "echo", {}, 1000))).toBe("peer.unreachable");
    const again = await nodes.open("node2", "127.0.0.2");
    expect(again.membership.self).toMatchObject({ roles: ["mysql"], incarnation: 2 });
    await until("alive again", () => seen() === "alive");
  });

  test("a certificate in the last third of its life is renewed, a witness's by a member with the CA", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["witness"]);
    await two.stop();
    await one.stop();
    const { ca, caKey } = (await loadCredentials(nodes.files("node1").pki)) as Credentials;
    for (const node of ["node1", "node2"]) {
      const { identity, key } = (await loadCredentials(nodes.files(node).pki)) as Credentials;
      const then = Date.now() - 600 * 86_400_000;
      const self = { ...identity.self, publicKey: key.publicKey };
      const old = certifyNode({ cert: ca, key: caKey as string }, identity.cluster, self, then);
      await saveCertificate(nodes.files(node).pki, old);
    }
    const certificate = async (node: string) =>
      (await loadCredentials(nodes.files(node).pki))?.certificate ?? "";
    for (const [node, address] of [
      ["node1", "127.0.0.1"],
      ["node2", "127.0.0.2"],
    ] as const) {
      const before = await certificate(node);
      await nodes.open(node, address);
      await until("renewed", async () => (await certificate(node)) !== before);
      expect(Date.parse(new X509Certificate(await certificate(node)).validTo)).toBeGreaterThan(
        Date.now() + 729 * 86_400_000,
      );
    }
  });

  /** Has the node's certificate made out by a clock that is off by so many days. */
  async function madeOut(node: string, days: number): Promise<void> {
    const { ca, caKey } = (await loadCredentials(nodes.files("node1").pki)) as Credentials;
    const { identity, key } = (await loadCredentials(nodes.files(node).pki)) as Credentials;
    const self = { ...identity.self, publicKey: key.publicKey };
    const then = Date.now() + days * 86_400_000;
    const certificate = certifyNode({ cert: ca, key: caKey as string }, identity.cluster, self, then);
    await saveCertificate(nodes.files(node).pki, certificate);
  }

  for (const [what, days] of [
    ["ended while it was switched off", -800],
    ["was signed by a clock that was ahead", 90],
  ] as const) {
    test(`a certificate that ${what}: the node gets another one by itself, a witness, too`, async () => {
      const one = await nodes.init("node1", "127.0.0.1");
      const { token } = await invite(one);
      for (const [node, address, role] of [
        ["node2", "127.0.0.2", "mysql"],
        ["node3", "127.0.0.3", "witness"],
      ] as const) {
        const joined = await nodes.join(token, node, address, [role]);
        await joined.stop();
        await madeOut(node, days);
        const again = await nodes.open(node, address);
        const sees = (of: OpenCluster, name: string) =>
          of.membership.members().find((member) => member.name === name)?.state === "alive";
        await until("both ways", () => sees(one, node) && sees(again, "node1"));
        expect(again.renewal.trouble).toBeUndefined();
        expect(one.membership.members().find(({ name }) => name === node)?.refused).toBeNull();
      }
    });
  }

  test("a certificate that is renewed while the agent runs is the one that it shows from then on", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
    await two.stop();
    await madeOut("node2", -600);
    const before = (await loadCredentials(nodes.files("node2").pki))?.certificate ?? "";
    await nodes.open("node2", "127.0.0.2");
    const shown = async () => {
      const socket = await openTls("127.0.0.2", 18821, { rejectUnauthorized: false }, 1_000);
      const { raw } = socket.getPeerCertificate();
      socket.destroy();
      return new X509Certificate(raw).fingerprint256;
    };
    await until("shown", async () => (await shown()) !== new X509Certificate(before).fingerprint256);
  });

  test("nobody else gets a member's certificate, a member with a wrong clock none, and is told so", async () => {
    const one = await nodes.init("node1", "127.0.0.1");
    const two = await nodes.join((await invite(one)).token, "node2", "127.0.0.2", ["mysql"]);
    await two.stop();
    const { identity, key } = (await loadCredentials(nodes.files("node2").pki)) as Credentials;
    const ask = async (wall: number, signer = key.privateKey, index = 2) => {
      const socket = await openTls("127.0.0.1", 18821, { rejectUnauthorized: false }, 1_000);
      const channel = new Channel(socket, { limit: 16_384, peer: "node1" });
      const possession = signFields(signer, ["chime-renew-1", identity.cluster.id, index, wall]);
      return await channel
        .request("renew", { index, wall, possession }, 1_000)
        .finally(() => channel.close());
    };
    expect(await ask(Date.now())).toHaveProperty("certificate");
    expect(await codeOf(ask(Date.now(), generateKey().privateKey))).toBe("renew.bad_request");
    expect(await codeOf(ask(Date.now(), key.privateKey, 7))).toBe("renew.bad_request");
    expect(await codeOf(ask(Date.now() + 3_600_000))).toBe("join.clock_skew");
    const seen = () => one.membership.members().find(({ name }) => name === "node2");
    // As long as it counts as alive nothing is said of it.
    await until("node2 to be missed", () => seen()?.state !== "alive");
    expect(seen()?.refused).toBe(
      "node2's clock is 60 minutes ahead of the cluster's; 60 seconds are allowed",
    );
    await one.membership.remove("node2");
    expect(await codeOf(ask(Date.now()))).toBe("member.removed");
  });
});
