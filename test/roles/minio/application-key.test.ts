import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SecretStore } from "../../../src/cluster/secret-store.ts";
import { saveSecrets } from "../../../src/cluster/secrets.ts";
import { failed } from "../../../src/core/errors.ts";
import type { GuardDeps } from "../../../src/roles/guard.ts";
import { ApplicationKey } from "../../../src/roles/minio/guard/application-key.ts";
import { minio } from "../../../src/roles/minio/index.ts";
import { keyName } from "../../../src/roles/minio/keys.ts";
import type { RoleContext } from "../../../src/roles/types.ts";
import type { Liveness } from "../../../src/cluster/types.ts";
import { storeContext, storeNode } from "./context.ts";

const names = ["node1", "node2", "node3"];

/** A node of a store whose servers share their accounts. */
interface Node {
  name: string;
  store: SecretStore;
  key: ApplicationKey;
  context: () => RoleContext;
  state: Liveness;
  /** Its server does not answer, or has not taken what it was told yet. */
  broken: boolean;
  deaf: boolean;
}

let directory: string;
let nodes: Node[];
let now: number;
/** By access key the secret keys that the store takes. */
let accounts: Map<string, string>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "keys-"));
  accounts = new Map([["chime-server", "originalkey"]]);
  [nodes, now] = [[], 0];
  for (const [nth, name] of names.entries()) {
    const path = join(directory, `${name}.toml`);
    await saveSecrets(path, { minio: { root_password: "rootpassword", [keyName]: "originalkey" } });
    nodes.push(open(name, nth + 1, await SecretStore.load(path)));
  }
});
afterEach(() => rm(directory, { recursive: true }));

function open(name: string, index: number, store: SecretStore): Node {
  const node = { name, store, state: "alive", broken: false, deaf: false } as Node;
  const members = () =>
    names.map((other, nth) => ({
      ...storeNode(nth + 1, {}),
      name: other,
      state: nodes.find((one) => one.name === other)?.state ?? "alive",
    }));
  node.context = () => {
    const [self, ...others] = [...members().splice(index - 1, 1), ...members()];
    if (!self) throw new Error("there are three");
    return { ...storeContext([self, ...others]), secrets: store.all };
  };
  const deps = {
    clock: { now: () => now },
    membership: { self: storeNode(index, {}), members },
    context: node.context,
    secret: () => ({
      own: store.state("minio", keyName),
      others: () =>
        new Map(
          nodes
            .filter((one) => one !== node)
            .flatMap((one) => {
              const state = one.store.state("minio", keyName);
              return state ? [[one.name, state] as const] : [];
            }),
        ),
    }),
    takeSecret: () => store.replace("minio", keyName),
    proveSecret: () => store.prove("minio", keyName),
    retireSecret: () => store.retire("minio", keyName),
  } as unknown as GuardDeps;
  const work = async <T>(done: () => T) => {
    if (node.broken) throw failed("minio.unreachable", "down");
    return done();
  };
  node.key = new ApplicationKey(
    deps,
    { timeoutMs: 1 },
    {
      takes: ({ accessKey, secretKey }) => work(() => !node.deaf && accounts.get(accessKey) === secretKey),
      make: ({ accessKey, secretKey }) => work(() => void accounts.set(accessKey, secretKey)),
      remove: ({ accessKey }) => work(() => void accounts.delete(accessKey)),
    },
  );
  return node;
}

/** What applications are told on each node. */
const shown = () =>
  nodes.map(({ context }) => {
    const { access_key: access, secret_key: secret } = minio.connection(context()) as Record<string, string>;
    return [access, secret] as [string, string];
  });
/** Nobody is ever told of a key that is not taken. */
const turn = async () => {
  for (const node of nodes) {
    if (node.state === "alive") await node.key.advance().catch(() => undefined);
    for (const [access, secret] of shown()) expect(accounts.get(access)).toBe(secret);
  }
};
const turns = async (count: number) => {
  for (let nth = 0; nth < count; nth++) await turn();
};

const [one, two, three] = [() => nodes[0] as Node, () => nodes[1] as Node, () => nodes[2] as Node];

/** As the agents carry it from node to node. */
async function rotate() {
  const id = await one().store.begin("minio", keyName);
  const value = one().store.value("minio", keyName, id) ?? "";
  for (const { store } of nodes.slice(1)) await store.keep("minio", keyName, id, value);
  return value;
}

describe("another key of applications", () => {
  test("is told once every server takes it, and the one before is taken until it is retired on any node", async () => {
    const value = await rotate();
    await turns(5);
    const [[access], second] = shown() as [[string, string], [string, string]];
    expect(access).toMatch(/^chime-server-[A-Za-z0-9]{7}$/);
    expect(second).toEqual([access, value]);
    expect([...accounts.keys()].toSorted()).toEqual(["chime-server", access]);
    expect(nodes.map(({ key }) => key.problems().map(({ code }) => code))).toEqual([
      ["minio.old_key"],
      [],
      [],
    ]);
    await two().key.retire();
    await turns(3);
    expect([...accounts.keys()]).toEqual([access]);
    expect(nodes.flatMap(({ key }) => key.problems())).toEqual([]);
    await expect(two().key.retire()).rejects.toThrow("no earlier key");
    expect(nodes.map(({ store }) => JSON.stringify(store.all).includes("originalkey"))).toEqual([
      false,
      false,
      false,
    ]);
  });

  test.each(["broken", "deaf"] as const)("is not told while a server is %s", async (how) => {
    three()[how] = true;
    await rotate();
    await turns(5);
    expect(shown().map(([access]) => access)).toEqual(["chime-server", "chime-server", "chime-server"]);
    three()[how] = false;
    await turns(5);
    expect(new Set(shown().map(([access]) => access)).size).toBe(1);
    expect(shown()[0]?.[0]).not.toBe("chime-server");
  });

  test("a server that forgets the one before is told again, but not where a node may have retired it unheard", async () => {
    await rotate();
    await turns(5);
    const lost = () => accounts.delete("chime-server");
    lost();
    three().state = "dead";
    now += 5_000;
    await turns(2);
    expect(accounts.has("chime-server")).toBe(false);
    three().state = "alive";
    now += 5_000;
    await turns(2);
    expect(accounts.get("chime-server")).toBe("originalkey");
  });

  test.each([0, 1, 2, 3, 5, 8])("retired %d steps before the next look, it stays so", async (steps) => {
    await rotate();
    await turns(5);
    now += 5_000;
    const retired = two().key.retire();
    for (let nth = 0; nth < steps; nth++) await Promise.resolve();
    await Promise.all([retired, two().key.advance()]);
    expect(accounts.has("chime-server")).toBe(false);
  });

  test("a node that was away while it was retired refuses it when it is back", async () => {
    await rotate();
    await turns(5);
    three().state = "dead";
    await one().key.retire();
    await turns(2);
    // Its own store still has it, as one of a mirror would.
    accounts.set("chime-server", "originalkey");
    three().state = "alive";
    now += 5_000;
    await turns(2);
    expect(accounts.has("chime-server")).toBe(false);
    expect(three().store.state("minio", keyName)?.beside).toEqual({ old: null, retired: "0" });
  });
});
