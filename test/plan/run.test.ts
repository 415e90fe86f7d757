import { describe, expect, test } from "bun:test";
import { ChimeError, Exit, failed, refused } from "../../src/core/errors.ts";
import { outcomeJson, planJson, renderPlan } from "../../src/plan/render.ts";
import { apply, plan } from "../../src/plan/run.ts";
import type { Resource } from "../../src/resources/types.ts";
import { fakeHost, memoryLedger } from "./fake.ts";
import { failure } from "./failure.ts";

const options = () => ({ signal: new AbortController().signal, progress: () => undefined });

function refuse(): never {
  throw refused("test.no", "not today", "come back tomorrow");
}

describe("plan", () => {
  test("looks in order and touches nothing; what needs a change may not be looked at yet", async () => {
    const { fake, values } = fakeHost();
    values.set("b:2", "wanted");
    const resources = [fake("b:2", "wanted", { needs: ["a:1"], impact: "restart" }), fake("a:1", "new")];
    const changes = await plan(resources, memoryLedger());
    expect(changes).toEqual([
      { resource: "a:1", action: "create", impact: "none", diff: "new", cause: "spec" },
      { resource: "b:2", action: "update", impact: "restart", diff: "wanted", cause: "spec" },
    ]);
    expect(values.get("a:1")).toBeUndefined();
    expect(planJson(changes, 5).summary).toEqual({ create: 1, update: 1, delete: 0, unchanged: 3 });
    expect(renderPlan(changes, 5)).toBe(
      [
        "+ a:1",
        "    new",
        "~ b:2  (restart)",
        "    wanted",
        "1 to create, 1 to update, 0 to delete, 3 unchanged",
      ].join("\n"),
    );
  });

  test("tells more of a change than an apply looks up", async () => {
    const { fake } = fakeHost();
    let lookups = 0;
    const more = () => Promise.resolve(` ${++lookups}`);
    const resource: Resource = {
      ...fake("a:1", "x"),
      inspect: async (context) => {
        const change = await fake("a:1", "x").inspect(context);
        return change && { ...change, more };
      },
    };
    expect((await plan([resource], memoryLedger()))[0]?.diff).toBe("x 1");
    expect((await apply([resource], memoryLedger(), options())).changes[0]?.diff).toBe("x");
    expect(lookups).toBe(1);
  });

  test("tells a changed spec from a changed host", async () => {
    const { fake, values } = fakeHost();
    const ledger = memoryLedger();
    await apply([fake("a:1", "one")], ledger, options());
    values.set("a:1", "by hand");
    expect((await plan([fake("a:1", "one")], ledger))[0]?.cause).toBe("drift");
    expect((await plan([fake("a:1", "two")], ledger))[0]?.cause).toBe("spec");
  });

  test("what was found as desired and then changed by hand is drift too", async () => {
    const { fake, values } = fakeHost();
    const ledger = memoryLedger();
    values.set("a:1", "one");
    expect((await apply([fake("a:1", "one")], ledger, options())).changes).toEqual([]);
    expect(ledger.ids()).toEqual([]);
    values.set("a:1", "by hand");
    expect((await plan([fake("a:1", "one")], ledger))[0]?.cause).toBe("drift");
  });
});

describe("apply", () => {
  test("makes it so once; a second run changes nothing", async () => {
    const { fake, log } = fakeHost();
    const ledger = memoryLedger();
    const resources = () => [fake("b:2", "y", { needs: ["a:1"] }), fake("a:1", "x")];
    const first = await apply(resources(), ledger, options());
    expect(first).toMatchObject({ applied: ["a:1", "b:2"], failed: [], blocked: [] });
    expect(log).toEqual(["> a:1", "< a:1", "> b:2", "< b:2"]);
    const second = await apply(resources(), ledger, options());
    expect(second).toMatchObject({ changes: [], applied: [] });
    expect(outcomeJson(second, 2)).toMatchObject({
      summary: { create: 0, update: 0, delete: 0, unchanged: 2 },
      applied: 0,
      failed: 0,
      errors: [],
    });
  });

  test("independent resources go side by side", async () => {
    const { fake, log } = fakeHost();
    const both = Promise.withResolvers<void>();
    let entered = 0;
    const act = () => {
      if (++entered === 2) both.resolve();
      return both.promise;
    };
    await apply([fake("a:1", "x", { act }), fake("b:2", "x", { act })], memoryLedger(), options());
    expect(log.slice(0, 2)).toEqual(["> a:1", "> b:2"]);
  });

  test("a lane is for one at a time, or for all that are ready in one act", async () => {
    const alone = fakeHost();
    const slow = { lane: "l", act: () => Bun.sleep(2) };
    await apply([alone.fake("a:1", "x", slow), alone.fake("b:2", "x", slow)], memoryLedger(), options());
    expect(alone.log).toEqual(["> a:1", "< a:1", "> b:2", "< b:2"]);

    const batch = fakeHost();
    const grouped = { lane: "l", together: true };
    const result = await apply(
      [
        batch.fake("a:1", "x", grouped),
        batch.fake("b:2", "x", grouped),
        batch.fake("c:3", "x", { ...grouped, needs: ["a:1"] }),
      ],
      memoryLedger(),
      options(),
    );
    expect(result.applied).toEqual(["a:1", "b:2", "c:3"]);
    expect(batch.log.filter((line) => line.startsWith("together"))).toEqual(["together 2"]);
  });

  test("of what goes together, only what failed by itself has failed, with its own reason", async () => {
    const { fake } = fakeHost();
    const grouped = { lane: "l", together: true };
    const act = () => Promise.reject(failed("test.other", "nor that"));
    const result = await apply(
      [
        fake("a:1", "x", grouped),
        fake("b:2", "x", { ...grouped, act: refuse }),
        fake("c:3", "x", { ...grouped, act }),
        fake("d:4", "x", { needs: ["a:1"] }),
        fake("e:5", "x", { needs: ["c:3"] }),
      ],
      memoryLedger(),
      options(),
    );
    expect([result.applied, result.blocked]).toEqual([["a:1", "d:4"], ["e:5"]]);
    expect(result.failed.map(({ error }) => error.message)).toEqual(["b:2: not today", "c:3: nor that"]);
  });

  test("a lane waits for whoever is still looking, also when it then has nothing to do or fails", async () => {
    const { fake, values, log } = fakeHost();
    values.set("b:2", "x");
    const seen = Promise.withResolvers<void>();
    const grouped = { lane: "l", together: true };
    const done = apply(
      [
        fake("a:1", "x", grouped),
        fake("b:2", "x", { ...grouped, look: () => seen.promise }),
        fake("c:3", "x", { ...grouped, look: () => seen.promise }),
        fake("d:4", "x", { ...grouped, look: () => seen.promise.then(refuse) }),
      ],
      memoryLedger(),
      options(),
    );
    await Bun.sleep(2);
    expect(log).toEqual([]);
    seen.resolve();
    const result = await done;
    expect(log.filter((line) => line.startsWith("together"))).toEqual(["together 2"]);
    expect(result.applied).toEqual(["a:1", "c:3"]);
    expect(result.failed.map(({ resource }) => resource)).toEqual(["d:4"]);
  });

  test("a failure stops what depends on it, names its resource, and the rest is finished", async () => {
    const { fake, values } = fakeHost();
    const ledger = memoryLedger();
    const result = await apply(
      [
        fake("a:1", "x", { act: refuse }),
        fake("b:2", "x", { needs: ["a:1"] }),
        fake("c:3", "x", { needs: ["b:2"] }),
        fake("d:4", "x"),
      ],
      ledger,
      options(),
    );
    expect(result.applied).toEqual(["d:4"]);
    expect(result.blocked).toEqual(["b:2", "c:3"]);
    expect(result.failed).toHaveLength(1);
    // Something was touched, so that exit code 3 would be a lie.
    expect(result.failed[0]).toMatchObject({
      resource: "a:1",
      error: { code: "test.no", message: "a:1: not today", remedy: "come back tomorrow", exit: 1 },
    });
    expect(outcomeJson(result, 4)).toMatchObject({ applied: 1, failed: 3 });
    expect([...values.keys()]).toEqual(["d:4"]);
    expect(ledger.reached("a:1")).toBeUndefined();

    const retried = await apply([fake("a:1", "x"), fake("b:2", "x", { needs: ["a:1"] })], ledger, options());
    expect(retried.applied).toEqual(["a:1", "b:2"]);
  });

  test("beside one that failed on its way, a refusal does not say that nothing was touched", async () => {
    const { fake } = fakeHost();
    const fail = () => Promise.reject(new Error("broke off"));
    const both = [fake("a:1", "x", { act: refuse }), fake("b:2", "x", { act: fail })];
    const { failed } = await apply(both, memoryLedger(), options());
    expect(failed.map(({ error }) => error.exit)).toEqual([1, 1]);
    const alone = await apply(both.slice(0, 1), memoryLedger(), options());
    expect(alone.failed.map(({ error }) => error.exit)).toEqual([3]);
  });

  test("tells of each resource as soon as it is as desired, changed or not, and of no other", async () => {
    const { fake, values } = fakeHost();
    values.set("a:there", "as it is");
    const resources = [
      fake("a:there", "as it is"),
      fake("a:made", "new"),
      fake("a:bad", "new", { act: refuse }),
      fake("a:blocked", "new", { needs: ["a:bad"] }),
    ];
    const done: string[] = [];
    await apply(resources, memoryLedger(), { ...options(), done: (id) => done.push(id) });
    expect(done.toSorted()).toEqual(["a:made", "a:there"]);
  });

  test("what `only` leaves out is left alone, what needs it goes on", async () => {
    const { fake, values } = fakeHost();
    const resources = [fake("a:1", "x"), fake("b:2", "x", { needs: ["a:1"] })];
    const result = await apply(resources, memoryLedger(), { ...options(), only: new Set(["b:2"]) });
    expect(result.applied).toEqual(["b:2"]);
    expect([...values.keys()]).toEqual(["b:2"]);
  });

  test("what one run has made it does not look at again, unless something else is desired of it", async () => {
    const { fake } = fakeHost();
    const looked: string[] = [];
    const resource = (id: string, value: string) =>
      fake(id, value, { look: () => Promise.resolve(void looked.push(`${id} ${value}`)) });
    const made = new Map<string, string>();
    const phases = [
      [resource("a:1", "x"), resource("a:2", "x"), fake("a:bad", "x", { act: refuse })],
      [resource("a:1", "x"), resource("a:2", "y"), resource("a:bad", "x")],
    ];
    for (const phase of phases) await apply(phase, memoryLedger(), { ...options(), made });
    expect(looked).toEqual(["a:1 x", "a:2 x", "a:2 y", "a:bad x"]);
  });

  test("what another run is at work on is waited for, is done where that has made it, and fails as it does there", async () => {
    const { fake } = fakeHost();
    const looked: string[] = [];
    const look = (id: string) => () => Promise.resolve(void looked.push(id));
    const [a, b, c] = [1, 2, 3].map((n) => fake(`a:${n}`, "x", { look: look(`a:${n}`) })) as [
      Resource,
      Resource,
      Resource,
    ];
    const after = fake("b:1", "x", { needs: ["a:1"], look: look("b:1") });
    const [first, second, third] = [1, 2, 3].map(() => Promise.withResolvers<void>()) as [
      PromiseWithResolvers<void>,
      PromiseWithResolvers<void>,
      PromiseWithResolvers<void>,
    ];
    const made = new Map<string, string>();
    const done: string[] = [];
    const running = apply([a, after, b, c], memoryLedger(), {
      ...options(),
      made,
      underWay: new Map([
        ["a:1", first.promise],
        ["a:2", second.promise],
      ]),
      done: (id) => {
        done.push(id);
        third.resolve();
      },
    });
    await third.promise;
    expect(looked).toEqual(["a:3"]);
    made.set("a:1", a.desired);
    first.resolve();
    second.reject(new ChimeError(Exit.failed, "x.failed", "broke off"));
    const { failed } = await running;
    expect(failed.map(({ error }) => error.message)).toEqual(["a:2: broke off"]);
    expect(looked).toEqual(["a:3", "b:1"]);
    expect(done).toEqual(["a:3", "a:1", "b:1"]);
  });

  test("an aborted step may have last words of its own", async () => {
    const { fake } = fakeHost();
    const controller = new AbortController();
    const words = new ChimeError(Exit.interrupted, "interrupted", "what it began goes on");
    const act = () => {
      controller.abort(new Error("interrupted"));
      throw words;
    };
    const running = apply([fake("a:1", "x", { act })], memoryLedger(), {
      ...options(),
      signal: controller.signal,
    });
    expect(await failure(running)).toBe(words);
  });

  test("what an aborted step says is told, wherever it stands among those that just end", async () => {
    const { fake } = fakeHost();
    const controller = new AbortController();
    const words = new ChimeError(Exit.interrupted, "interrupted", "what it began goes on");
    const begun = Promise.withResolvers<void>();
    const waits = () =>
      begun.promise.then(() => {
        controller.abort(new Error("interrupted"));
        throw controller.signal.reason;
      });
    const goesOn = async () => {
      begun.resolve();
      await new Promise((resolve) => controller.signal.addEventListener("abort", resolve));
      throw words;
    };
    const running = apply(
      [fake("a:1", "x", { act: waits }), fake("b:2", "x", { act: goesOn })],
      memoryLedger(),
      { ...options(), signal: controller.signal },
    );
    expect(await failure(running)).toBe(words);
  });

  test("an abort rejects with its reason and starts nothing more", async () => {
    const { fake, values } = fakeHost();
    const controller = new AbortController();
    const act = () => controller.abort(new Error("interrupted"));
    const resources = [fake("a:1", "x", { act }), fake("b:2", "x", { needs: ["a:1"] })];
    const running = apply(resources, memoryLedger(), { ...options(), signal: controller.signal });
    expect(await failure(running)).toEqual(new Error("interrupted"));
    expect(values.has("b:2")).toBe(false);
  });
});
