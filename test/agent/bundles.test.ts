import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleHandlers, serveBundles } from "../../src/agent/bundles.ts";
import type { Handler } from "../../src/cluster/membership.ts";
import { failed } from "../../src/core/errors.ts";
import { failure } from "../plan/failure.ts";
import { member } from "./members.ts";

const bundle = { id: "0123456789ab", system: "debian12", arch: "x64", roles: ["mysql"], version: "0.1.0" };

test("offers come from living members that answer, and from no witness whatever it says of itself", async () => {
  const asked: string[] = [];
  const answers: Record<string, () => unknown> = {
    node2: () => [bundle],
    node3: () => {
      throw failed("peer.timeout", "it did not answer");
    },
    node4: () => [{ ...bundle, id: "../../etc" }],
    node5: () => [bundle],
    node6: () => [{ ...bundle, whole: false }],
  };
  const handlers = bundleHandlers({
    self: member("node1"),
    members: () => [
      ...["node1", "node2", "node3", "node4", "node5", "node6"].map((name) => member(name)),
      member("node7", { state: "dead" }),
    ],
    isWitness: (name) => name === "node5",
    async call(name) {
      asked.push(name);
      return await Promise.resolve(answers[name]?.());
    },
  });
  expect(await handlers["bundle.offers"]()).toEqual([
    // Of a version that knows whole ones alone.
    { ...bundle, whole: true, node: "node2" },
    { ...bundle, whole: false, node: "node6" },
  ]);
  expect(asked.sort()).toEqual(["node2", "node3", "node4", "node6"]);
});

describe("what a member answers of a piece", () => {
  const read = async (answer: unknown) => {
    const asked: unknown[] = [];
    const handlers = bundleHandlers({
      self: member("node1"),
      members: () => [],
      isWitness: () => false,
      call: (...question) => Promise.resolve((asked.push(question), answer)),
    });
    const what = { id: bundle.id, name: "repo/a.deb", offset: 5 };
    const piece = await handlers["bundle.read"]({ node: "node2", ...what });
    expect(asked).toEqual([["node2", "bundle.read", { ...what, bytes: true }, expect.any(Number)]]);
    return Buffer.from(piece).toString();
  };

  test("may be bytes, or base64 from an agent from before", async () => {
    expect(await read(Buffer.from("abc"))).toBe("abc");
    expect(await read({ data: Buffer.from("abc").toString("base64") })).toBe("abc");
  });

  test.each([null, "abc", {}, { data: 1 }])("may not be %p", async (answer) => {
    expect(((await failure(read(answer))) as Error).name).toBe("ValiError");
  });
});

describe("a member that asks for a piece", () => {
  const store = mkdtempSync(join(tmpdir(), "chime-node-bundles-"));
  afterAll(() => rmSync(store, { recursive: true }));
  const handlers = new Map<string, Handler>();
  serveBundles({ handle: (method, handler) => void handlers.set(method, handler) }, store);
  const ask = (method: string, params: unknown) =>
    handlers.get(method)?.(params, "node2", method, 2) ?? Promise.resolve();

  test.each([
    ["bundle.read", { id: "../../../etc", name: "passwd", offset: 0 }],
    ["bundle.read", { id: bundle.id, name: "../../../../../etc/passwd", offset: 0 }],
    ["bundle.read", { id: bundle.id, name: "/etc/passwd", offset: 0 }],
    ["bundle.read", { id: bundle.id, name: "install.sh", offset: -1 }],
    ["bundle.manifest", { id: ".." }],
    ["bundle.files", { id: "../x" }],
  ])("%s %p gets none", async (method, params) => {
    expect(((await failure(ask(method, params))) as Error).name).toBe("ValiError");
  });

  test("gets bytes, or base64 where it is of a version that does not ask for them", async () => {
    mkdirSync(join(store, bundle.id, "repo"), { recursive: true });
    writeFileSync(join(store, bundle.id, "repo", "a.deb"), "01234567");
    const what = { id: bundle.id, name: "repo/a.deb", offset: 5 };
    expect(await ask("bundle.read", { ...what, bytes: true })).toEqual(Buffer.from("567"));
    expect(await ask("bundle.read", what)).toEqual({ data: Buffer.from("567").toString("base64") });
    expect(await ask("bundle.read", { ...what, offset: 8, bytes: true })).toEqual(Buffer.alloc(0));
  });

  test("of a bundle that is not there is told so", async () => {
    const params = { id: bundle.id, name: "install.sh", offset: 0 };
    expect(await failure(ask("bundle.read", params))).toMatchObject({ code: "bundle.gone" });
  });
});
