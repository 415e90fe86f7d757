import { expect, test } from "bun:test";
import { Clients } from "../../src/agent/clients.ts";
import type { Connection } from "../../src/host/tcp.ts";
import { member } from "./members.ts";

const vip = { role: "minio", address: "10.0.0.50", others: [{ name: "node2", incarnation: 1 }] };
const members = () => [member("node1", { roles: ["minio"] }), member("node3", { roles: ["witness"] })];
const membership = { members, call: () => Promise.reject(new Error("nobody is asked")) };
const told = { role: "minio", clients: [[9000, "10.0.0.100", 45_678]] };
const connection: Connection = {
  local: { address: "10.0.0.50", port: 9000 },
  remote: { address: "10.0.0.100", port: 45_678 },
};

/** Takes the VIP over; returns what was sent at which time. */
async function takeOver(clients: Clients, isHere: (now: number) => boolean = () => true) {
  const sent: [at: number, connections: readonly Connection[]][] = [];
  let now = 0;
  await clients.takeOver(
    vip,
    () => isHere(now),
    (connections) => sent.push([now, connections]),
    (ms) => Promise.resolve(void (now += ms)),
  );
  return sent;
}

test("who takes the VIP over tells the clients of the one before, a few times", async () => {
  const clients = new Clients(membership);
  clients.heard(told, "node1");
  expect(await takeOver(clients)).toEqual([
    [50, [connection]],
    [300, [connection]],
    [1000, [connection]],
  ]);
});

test("nobody is told twice, and nobody of whom nothing was heard", async () => {
  const clients = new Clients(membership);
  expect(await takeOver(clients)).toEqual([]);
  clients.heard(told, "node1");
  await takeOver(clients);
  expect(await takeOver(clients)).toEqual([]);
});

test("who may hold it next is told when that changes, or its agent was started anew", async () => {
  const asked: string[] = [];
  const clients = new Clients({ members, call: (peer) => Promise.resolve(void asked.push(peer)) });
  const share = (incarnation: number) =>
    clients.share({ ...vip, others: [{ name: "node2", incarnation }] }).then(() => asked.length);
  expect([await share(1), await share(1), await share(2), await share(2)]).toEqual([1, 1, 2, 2]);
});

test("a VIP that went on meanwhile is another's business", async () => {
  const clients = new Clients(membership);
  clients.heard(told, "node1");
  expect((await takeOver(clients, (now) => now < 200)).map(([at]) => at)).toEqual([50]);
});

test.each([
  ["not a list", { role: "minio", clients: "all" }],
  ["no address", { role: "minio", clients: [[9000, "node1", 1]] }],
  ["a port that is none", { role: "minio", clients: [[9000, "10.0.0.100", 65_536]] }],
  ["too many", { role: "minio", clients: Array.from({ length: 1001 }, () => told.clients[0]) }],
])("refused: %s", (_, params) => {
  expect(() => new Clients(membership).heard(params, "node1")).toThrow();
});

/** A holder that looks so many times; what comes to it, by look, and what its peers were told. */
async function watch(looks: number, came: Record<number, Connection[]>, answers: () => Promise<unknown>) {
  const told: [peer: string, clients: unknown][] = [];
  const sleeps: number[] = [];
  const clients = new Clients({
    members,
    call(peer, _method, params) {
      told.push([peer, (params as { clients: unknown }).clients]);
      return answers();
    },
  });
  let closed = false;
  await clients.watch(
    vip,
    () => sleeps.length < looks,
    () => ({ read: () => came[sleeps.length] ?? [], close: () => void (closed = true) }),
    async (ms) => {
      sleeps.push(ms);
      await Bun.sleep(0);
    },
  );
  expect(closed).toBe(true);
  return { told, sleeps };
}

test("who connects is told at once, and looked for less often when nobody does", async () => {
  const { told, sleeps } = await watch(103, { 1: [connection] }, () => Promise.resolve());
  expect(told).toEqual([["node2", [[9000, "10.0.0.100", 45_678]]]]);
  expect([sleeps[0], sleeps[1], sleeps[100], sleeps[101]]).toEqual([100, 10, 10, 100]);
});

test("who comes while the VIP leaves is told as well, also to a peer that has not answered yet", async () => {
  const { told } = await watch(2, { 0: [connection], 2: [connection] }, () => Bun.sleep(5));
  expect(told).toEqual(Array.from({ length: 2 }, () => ["node2", [[9000, "10.0.0.100", 45_678]]]));
});

test("what a peer cannot be told while it answers is told with what comes next", async () => {
  let answer = (): void => undefined;
  const first = new Promise<void>((resolve) => (answer = resolve));
  const another = { ...connection, remote: { address: "10.0.0.101", port: 1 } };
  let asked = 0;
  const { told } = await watch(5, { 0: [connection], 1: [another], 2: [connection] }, () => {
    if (asked++ > 0) return Promise.resolve();
    setTimeout(answer, 0);
    return first.then(() => Bun.sleep(5));
  });
  expect(told.length).toBeLessThan(3);
  expect(told[0]).toEqual(["node2", [[9000, "10.0.0.100", 45_678]]]);
});

test("who came since the last list is told, too, for some seconds", async () => {
  const clients = new Clients(membership);
  clients.heard({ role: "minio", clients: [] }, "node1");
  clients.heardOf({ ...told, clients: [[9000, "10.0.0.99", 1]] }, "node1", 1_000);
  clients.heardOf(told, "node1", 4_500);
  expect((await takeOver(clients))[0]).toEqual([50, [connection]]);
  expect(await takeOver(clients)).toEqual([]);
});

test("who is heard of when the VIP is here already is told, too", async () => {
  const clients = new Clients(membership);
  const sent = await takeOver(clients, (now) => {
    if (now === 300) clients.heardOf(told, "node1");
    return true;
  });
  expect(sent).toEqual([
    [300, [connection]],
    [1000, [connection]],
  ]);
  expect(await takeOver(clients)).toEqual([]);
});

test("what a member without the role says is nothing: it could end anybody's connections", async () => {
  const clients = new Clients(membership);
  for (const from of ["node3", "node9"]) {
    expect(() => clients.heard(told, from)).toThrow(`${from} has no part in minio`);
    expect(() => clients.heardOf(told, from)).toThrow(`${from} has no part in minio`);
  }
  expect(await takeOver(clients)).toEqual([]);
});
