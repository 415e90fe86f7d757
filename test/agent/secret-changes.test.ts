import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reportKey } from "../../src/agent/report.ts";
import { SecretChanges } from "../../src/agent/secret-changes.ts";
import { SecretStore } from "../../src/cluster/secret-store.ts";
import { saveSecrets } from "../../src/cluster/secrets.ts";
import type { Liveness, MemberView } from "../../src/cluster/types.ts";
import { member } from "./members.ts";

const name = "root_password";
/** Of applications. */
const key = "secret_key";
type Answering = (params: unknown, from: string) => Promise<unknown>;

interface Node {
  name: string;
  store: SecretStore;
  changes: SecretChanges;
  state: Liveness;
  roles: string[];
  reconciled: number;
  /** What its guard waits for. */
  awaits: string | undefined;
  /** Older versions know of no change. */
  isOld: boolean;
  answer: Answering;
}

let directory: string;
let nodes: Node[];
let now: number;

async function add(nodeName: string, roles = ["demo"]): Promise<Node> {
  const path = join(directory, `${nodeName}.toml`);
  if (!roles.includes("witness"))
    await saveSecrets(path, { demo: { [name]: "original", [key]: "originalkey" } });
  const store = await SecretStore.load(path);
  const node = {
    name: nodeName,
    store,
    state: "alive",
    roles,
    reconciled: 0,
    isOld: false,
  } as unknown as Node;
  const views = (): MemberView[] =>
    nodes.map((one) => {
      const roleState = { [reportKey]: reportOf(one) };
      return member(one.name, { roles: one.roles, state: one.state, roleState });
    });
  node.changes = new SecretChanges({
    membership: {
      get self() {
        return views().find((view) => view.name === nodeName) as MemberView;
      },
      members: views,
      handle: (_, handler) => void (node.answer = handler as Answering),
      isWitness: (other) => nodes.find((one) => one.name === other)?.roles.includes("witness") === true,
      async call(peer, method, params) {
        expect(method).toBe("secrets.value");
        const other = nodes.find((one) => one.name === peer);
        if (other?.state !== "alive") throw new Error("away");
        return other.answer(params, nodeName);
      },
    },
    store,
    roles: [{ name: "demo", rotates: [name], replaces: [key] }, { name: "witness" }],
    isServed: (role) => node.roles.includes(role),
    awaiting: (_, what) => (what === name ? node.awaits : undefined),
    async reconcile() {
      node.reconciled++;
    },
    clock: { now: () => now },
  });
  nodes.push(node);
  return node;
}

const reportOf = ({ changes, isOld }: Node) => ({
  vips: {},
  problems: [],
  events: [],
  maintenance: null,
  ...(isOld ? {} : { secrets: changes.published() }),
});
const follow = () =>
  Promise.all(nodes.filter(({ state }) => state === "alive").map((one) => one.changes.follow()));
const valueOf = ({ store }: Node) => store.all["demo"]?.[name];
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: { code?: string }) => error.code,
  );

let one: Node;
let two: Node;
let three: Node;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "changes-"));
  [nodes, now] = [[], 0];
  [one, two, three] = [await add("node1"), await add("node2"), await add("node3", ["other"])];
});
afterEach(() => rm(directory, { recursive: true }));

describe("a changed secret", () => {
  test("is held by all, and goes on to be used only as the guards say", async () => {
    expect(one.changes.progress("demo")).toEqual({ done: true, awaiting: null });
    await one.changes.begin("demo");
    expect(one.changes.progress("demo").awaiting).toBe("waiting for node2 to hear of it");
    await follow();
    const id = one.store.state("demo", name)?.next;
    for (const node of nodes) {
      expect(node.store.state("demo", name)?.next).toBe(id as string);
      expect(valueOf(node)).toBe("original");
    }
    await one.changes.take("demo", name);
    await two.changes.take("demo", name);
    expect([one.reconciled, two.reconciled]).toEqual([1, 1]);
    expect(valueOf(one)).not.toBe("original");
    expect(valueOf(two)).toBe(valueOf(one) as string);
    // It serves the role to nobody: what it holds is for those who join.
    await follow();
    expect(valueOf(three)).toBe(valueOf(one) as string);
    expect(three.store.state("demo", name)).toEqual({
      current: id as string,
      next: null,
      used: id as string,
    });
    await one.changes.use("demo", name);
    expect(one.changes.progress("demo").awaiting).toBe("waiting for the server of node2 to go by it");
    await two.changes.use("demo", name);
    expect(one.changes.progress("demo").done).toBe(true);
  });

  test("comes to a node that was away when it was changed", async () => {
    three.state = "dead";
    await one.changes.begin("demo");
    await follow();
    for (const node of [one, two]) {
      await node.changes.take("demo", name);
      await node.changes.use("demo", name);
    }
    three.state = "alive";
    await follow();
    await follow();
    expect(valueOf(three)).toBe(valueOf(one) as string);
  });

  test("comes to it though one of those that have it is dead", async () => {
    three.state = "dead";
    await one.changes.begin("demo");
    await follow();
    for (const node of [one, two]) await node.changes.take("demo", name);
    [one.state, three.state] = ["dead", "alive"];
    await follow();
    expect(three.store.state("demo", name)?.next).toBe(two.store.state("demo", name)?.current as string);
  });

  test("is at its end where nothing runs that could go by it, though a power cut came in between", async () => {
    await three.store.begin("demo", name);
    await three.store.take("demo", name);
    const { current } = three.store.state("demo", name) ?? {};
    await three.changes.follow();
    expect(three.store.state("demo", name)?.used).toBe(current as string);
    await one.changes.follow();
    await one.store.take("demo", name);
    await one.changes.follow();
    expect(one.store.state("demo", name)).toMatchObject({ current: current as string, used: "0" });
  });

  test("begun on two nodes at once is the same on all", async () => {
    await Promise.all([one.changes.begin("demo"), two.changes.begin("demo")]);
    await follow();
    await follow();
    const held = nodes.map(({ store }) => store.state("demo", name)?.next);
    expect(new Set(held).size).toBe(1);
    const values = nodes.map(({ store }) => store.value("demo", name, held[0] as string));
    expect(new Set(values).size).toBe(1);
  });

  test("is begun once: the same again goes on with it", async () => {
    await one.changes.begin("demo");
    const id = one.store.state("demo", name)?.next;
    await follow();
    await two.changes.begin("demo");
    expect(two.store.state("demo", name)?.next).toBe(id as string);
  });

  test("is not begun while a node of the role is away, or knows of no change", async () => {
    two.state = "dead";
    expect(await codeOf(one.changes.begin("demo"))).toBe("secrets.member_away");
    [two.state, two.isOld] = ["alive", true];
    expect(await codeOf(one.changes.begin("demo"))).toBe("secrets.old_member");
    expect(one.store.state("demo", name)?.next).toBeNull();
  });

  test("is told to no witness, and of nothing else than what is changed by this", async () => {
    const witness = await add("node4", ["witness"]);
    await one.changes.begin("demo");
    await follow();
    expect(witness.store.all).toEqual({});
    expect(await codeOf(witness.changes.begin("demo"))).toBe("secrets.not_here");
    const id = one.store.state("demo", name)?.next;
    expect(await codeOf(one.answer({ role: "demo", name, id }, "node4"))).toBe("secrets.not_here");
    expect(await codeOf(one.answer({ role: "demo", name: "other", id }, "node2"))).toBe("secrets.unknown");
    expect(await codeOf(one.answer({ role: "demo", name, id }, "node2"))).toBe("none");
  });

  test("that does not come to its end is told after a minute", async () => {
    await one.changes.begin("demo");
    expect(one.changes.problems()).toEqual([]);
    now += 61_000;
    expect(one.changes.problems()).toMatchObject([
      { code: "secrets.changing", severity: "warning", node: "node1" },
    ]);
    expect(one.changes.problems()[0]?.message).toContain("waiting for node2 to hear of it");
    two.state = "dead";
    expect(one.changes.progress("demo").awaiting).toBe("waiting for node2 (not heard) to hear of it");
    expect(one.changes.problems()[0]?.remedy).toEndWith("rotate --role demo goes on waiting");
  });
});

test("what a node's guard waits for is told while it has not taken a value, or its server not, and no longer", async () => {
  await one.changes.begin("demo");
  await follow();
  one.awaits = "nothing is changed before node2, not heard, is there";
  expect(one.changes.progress("demo").awaiting).toBe(one.awaits);
  for (const node of [one, two]) await node.changes.take("demo", name);
  one.awaits = "waiting for node2 to restart all servers at once";
  expect(one.changes.progress("demo").awaiting).toBe(one.awaits);
  await one.changes.use("demo", name);
  two.state = "dead";
  expect(one.changes.progress("demo").awaiting).toBe(
    "waiting for the server of node2 (not heard) to go by it",
  );
});

describe("what applications hold", () => {
  const keyOf = ({ store }: Node) => store.state("demo", key);
  const begin = async () => {
    await one.changes.begin("demo", "application");
    await follow();
  };
  /** As the guards of the role's nodes do it. */
  const told = async () => {
    for (const node of [one, two]) await node.changes.prove("demo", key);
    for (const node of [one, two]) await node.changes.take("demo", key);
    await follow();
  };

  test("is replaced by another one beside it, on nodes without the role, too, and nothing else is changed", async () => {
    await begin();
    expect(one.changes.progress("demo")).toEqual({ done: true, awaiting: null });
    expect(one.changes.progress("demo", "application").awaiting).toBe("waiting for this node to take it");
    await told();
    expect(one.changes.progress("demo", "application").done).toBe(true);
    expect(new Set(nodes.map((node) => JSON.stringify(keyOf(node)))).size).toBe(1);
    expect(keyOf(three)).toMatchObject({ next: null, beside: { old: "0", retired: null } });
    expect(nodes.map(valueOf)).toEqual(["original", "original", "original"]);
  });

  test("is not replaced once more before the one before is retired; that goes on whoever is away", async () => {
    await begin();
    await told();
    expect(await codeOf(two.changes.begin("demo", "application"))).toBe("secrets.not_retired");
    expect(await codeOf(two.changes.begin("demo"))).toBe("none");
    three.state = "dead";
    expect(one.changes.retiring("demo").awaiting).toBe("waiting for this node and node2 to refuse it");
    await one.changes.retire("demo", key);
    expect(one.changes.retiring("demo").awaiting).toBe("waiting for node2 to refuse it");
    await two.changes.retire("demo", key);
    expect(one.changes.retiring("demo")).toEqual({ done: true, awaiting: null });
    three.state = "alive";
    await follow();
    expect(keyOf(three)?.beside).toEqual({ old: null, retired: "0" });
    expect(await codeOf(two.changes.begin("demo", "application"))).toBe("none");
  });

  test("that is not replaced on every node is told for itself, and nothing is retired meanwhile", async () => {
    await begin();
    one.changes.problems();
    now += 61_000;
    expect(one.changes.problems()).toMatchObject([
      {
        message: expect.stringContaining("waiting for this node to take it"),
        remedy: expect.stringContaining("secrets rotate --role demo --application goes on waiting"),
      },
    ]);
    for (const node of [one, two]) await node.changes.prove("demo", key);
    await one.changes.take("demo", key);
    await one.changes.retire("demo", key);
    // The other one has not taken it yet: after that it takes both.
    expect(one.changes.retiring("demo").done).toBe(true);
    const refusal = { code: "secrets.changing", exit: 3, message: expect.stringContaining("node2") };
    expect(() => one.changes.requireChanged("demo")).toThrow(expect.objectContaining(refusal));
    await two.changes.take("demo", key);
    expect(() => one.changes.requireChanged("demo")).not.toThrow();
  });

  test("and an administrator's password changed at the same time are told each", async () => {
    await begin();
    await one.changes.begin("demo");
    one.changes.problems();
    now += 61_000;
    expect(one.changes.problems().map(({ remedy }) => remedy.includes("--application"))).toEqual([
      false,
      true,
    ]);
  });

  test("is not replaced while a node knows of no such change", async () => {
    two.isOld = true;
    expect(await codeOf(one.changes.begin("demo", "application"))).toBe("secrets.old_member");
  });
});
