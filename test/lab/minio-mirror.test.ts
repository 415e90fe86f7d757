import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Status } from "../../src/agent/status.ts";
import { isOlderRead, isUndeleted } from "../../src/operations/drill/conceded.ts";
import type { DrillReport } from "../../src/operations/drill/report.ts";
import type { ReplaceResult } from "../../src/operations/replace-disk.ts";
import type { RotateResult } from "../../src/operations/rotate-secrets.ts";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { minioBinary } from "./minio-binary.ts";
import { untilCurrent, untilLevel } from "./mirror.ts";
import type { LabNode } from "./node.ts";
import { type ObjectLoad, startApplications, startObjects } from "./object-load.ts";
import {
  applicationStore,
  formStore,
  joinStore,
  openStoreLab,
  problemsOf,
  rootPassword,
  useStore,
} from "./store.ts";
import { bodyOf, sha256 } from "./store-program.ts";
import { waitUntil } from "./wait.ts";

const minio = await minioBinary();
const why = minio ? "" : " (skipped: needs Go >= 1.24 and its modules)";
const long = process.env["CHIME_LONG"] !== undefined;

/** On a loaded machine much of it is the start of a server. */
const levelMs = 180_000;

/** By HTTP as a rule, in the long run by TLS, too. */
const two = describe.skipIf(!minio).each(long ? ["false", "true"] : ["false"]);

two(`two nodes whose stores copy to each other, roles.minio.tls = %s${why}`, (tls) => {
  let lab: Lab;
  let load: ObjectLoad;
  beforeAll(async () => {
    lab = await openStoreLab(2, 2, minio ?? "");
    await formStore(lab, { "roles.minio.topology": "mirror", "roles.minio.tls": tls });
    // Both have said that they are level before they are compared.
    load = await startObjects(lab, { levelMs: 5_000 });
  }, 300_000);
  afterAll(() => lab?.close());

  const statusOf = async (node: LabNode) => (await chime<Status>(node, ["status"])).json;
  const running = () => lab.nodes.filter((node) => node.running);
  const untilWhole = () =>
    waitUntil("both to be level, with everything on all drives", levelMs, async () =>
      Bun.deepEquals(await problemsOf(lab.node("node1")), ["minio.margin"]),
    );
  /** Nobody was refused, or waited as long as for a connection that is gone; and nothing is lost. */
  const expectAnswered = async (what: string, applications: ObjectLoad) => {
    const { requests, misread, faults: found } = await applications.report();
    const longest = Math.round(Math.max(...requests.map(({ ms }) => ms)));
    const failed = requests.filter(({ error }) => error !== null);
    // An upload in parts that was begun on a store which is restarted: conceded (docs/minio.md).
    const isTorn = ({ kind, error }: (typeof failed)[number]) =>
      kind === "parts" && error?.endsWith(" 502") === true;
    const [torn, lost] = [failed.filter(isTorn), failed.filter((request) => !isTorn(request))];
    console.error(`${what}: ${requests.length} requests, ${torn.length} torn, the longest ${longest} ms`);
    expect(lost.slice(0, 5)).toEqual([]);
    expect([misread, ...Object.values(found).flat()]).toEqual([[]]);
    expect(longest).toBeLessThan(20_000);
  };
  const holder = async (): Promise<LabNode> => {
    const [node] = running();
    if (!node) throw new Error("no node runs");
    const [name = ""] = (await statusOf(node)).vips[0]?.holders ?? [];
    return lab.node(name);
  };

  test("both serve, a plan finds nothing to do, and what is conceded is said", async () => {
    await untilLevel(lab);
    await waitUntil("nothing but the margin to be said", 60_000, async () =>
      Bun.deepEquals(await problemsOf(lab.node("node2")), ["minio.margin"]),
    );
    for (const node of lab.nodes) {
      const { stdout } = await node.run(["chime-node", "plan"]);
      expect(stdout).toContain("0 to create, 0 to update");
      expect(stdout).toContain("for writes any 1 of 4 drives or 1 of 2 nodes");
    }
  }, 200_000);

  const faults = [
    ["kill -9 of the active store", (node: LabNode) => node.kill("minio")],
    ["a power cut of the active node", (node: LabNode) => node.powerOff()],
  ] as const;
  for (const [what, strike] of faults) {
    test(`${what}: the other one takes over, and both are level after the return`, async () => {
      const victim = await holder();
      const outage = await load.outageAfter(await strike(victim));
      expect(outage.ended).toBe(true);
      // Told at once: whoever takes the other one away because both may serve would end all.
      if (victim.running) expect((await statusOf(victim)).healthy).toBe(false);
      expect(await holder()).not.toBe(victim);
      if (!victim.running) await victim.boot();
      const back = performance.now();
      await untilCurrent(victim);
      await untilLevel(lab);
      const levelled = Math.round((performance.now() - back) / 100) / 10;
      console.error(
        `${what}: ${Math.round(outage.ms)} ms without an acknowledged change, level in ${levelled} s`,
      );
    }, 300_000);
  }

  test("whatever was acknowledged is on both", async () => {
    const { requests, misread, faults: found } = await load.report();
    const all = Object.values(found).flat();
    // What is conceded (docs/minio.md): until a lost node is back, what it took last is not there, and what of that was
    // deleted meanwhile comes back with it.
    const undeleted = all.filter((fault) => typeof fault !== "string" && isUndeleted(fault));
    const changed = misread.filter((fault) => !isOlderRead(fault));
    console.error(
      `${requests.length} requests, ${misread.length} GETs of an older state, ${undeleted.length} undeleted`,
    );
    expect({ changed, found: all.filter((fault) => !undeleted.includes(fault)) }).toEqual({
      changed: [],
      found: [],
    });
  }, 200_000);

  test.skipIf(!long)(
    "the administrator gets another password under load: nobody is refused, and the VIP stays",
    async () => {
      const before = await holder();
      const [node1, node2] = [lab.node("node1"), lab.node("node2")];
      const old = await rootPassword(node1);
      const applications = await startApplications(lab, lab.nodes, "rotation/");
      const { code, json } = await chime<RotateResult>(node2, [
        "secrets",
        "rotate",
        "--role",
        "minio",
        "--yes",
      ]);
      expect([code, json.error]).toEqual([0, undefined]);
      await untilLevel(lab);
      expect((await holder()).name).toBe(before.name);
      const { requests, misread, faults: found } = await applications.report();
      const longest = Math.max(...requests.map(({ ms }) => ms));
      console.error(`another password: ${json.seconds} s, the longest request ${Math.round(longest)} ms`);
      expect(requests.filter(({ error }) => error !== null)).toEqual([]);
      expect([misread, ...Object.values(found).flat()]).toEqual([[]]);
      expect(await rootPassword(node1)).not.toBe(old);
      expect(await rootPassword(node2)).toBe(await rootPassword(node1));
      for (const node of lab.nodes) {
        expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
      }
    },
    400_000,
  );

  test.skipIf(!long)(
    "another program, given to both nodes at the same time: one server after the other, each when the VIP has left it",
    async () => {
      await untilWhole();
      const applications = await startApplications(lab, lab.nodes, "program/");
      const since = Date.now() / 1_000;
      await Promise.all(lab.nodes.map((node) => node.sh("printf x >>/root/minio")));
      const applied = await Promise.all(lab.nodes.map((node) => chime(node, ["apply", "--yes"])));
      expect(applied.map(({ code }) => code)).toEqual([0, 0]);
      await untilLevel(lab);
      const lines = await Promise.all(
        lab.nodes.map(async (node) => {
          const units = "-u chime-node.service -u minio.service";
          const { stdout } = await node.sh(`journalctl -o short-unix --since=@${since.toFixed(3)} ${units}`);
          return stdout.split("\n");
        }),
      );
      /** When it was said on each node, the first time, s since 1970. */
      const said = (what: RegExp) =>
        lines.map((own) => Number.parseFloat(own.find((line) => what.test(line)) ?? "NaN"));
      const [stopped, started] = [said(/: Stopping /), said(/: Started /)];
      const isFirst = (stopped[0] ?? Number.NaN) < (stopped[1] ?? Number.NaN);
      const [first, second] = isFirst ? [0, 1] : [1, 0];
      expect(stopped[second]).toBeGreaterThan(started[first] ?? Number.NaN);
      // Level again before the other one was let go: so it has clients at every moment.
      const left = said(/VIP minio: .*→ FAULT/);
      const levelled = said(/are level$/);
      expect(stopped[second]).toBeGreaterThan(levelled[first] ?? Number.NaN);
      expect(stopped[second]).toBeGreaterThan(left[second] ?? Number.NaN);
      console.error(`stopped ${stopped.join(", ")}, started ${started.join(", ")}`);
      await expectAnswered("another program", applications);
      for (const node of lab.nodes) {
        expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
      }
    },
    600_000,
  );

  test.skipIf(!long)(
    "the VIP is moved as planned work, there and back: nobody is refused",
    async () => {
      await untilWhole();
      const applications = await startApplications(lab, lab.nodes, "moves/");
      for (let moves = 0; moves < 4; moves++) {
        const before = await holder();
        expect((await chime(before, ["maintenance", "on"])).code).toBe(0);
        // As a client sees it: those that were not let in ask again after a second.
        await applications.acknowledgedAfter(Date.now() + 1_000);
        expect((await holder()).name).not.toBe(before.name);
        expect((await chime(before, ["maintenance", "off"])).code).toBe(0);
        await untilWhole();
      }
      await expectAnswered("four planned moves", applications);
    },
    400_000,
  );

  const stops = [
    ["a restart of the active store by hand", (node: LabNode) => node.run(["systemctl", "restart", "minio"])],
    ["a shutdown of the active node", (node: LabNode) => node.shutdown()],
  ] as const;
  for (const [what, stop] of stops) {
    test.skipIf(!long)(
      `${what}: nobody is refused`,
      async () => {
        await untilWhole();
        const applications = await startApplications(lab, lab.nodes, "stops/");
        const before = await holder();
        await stop(before);
        await applications.acknowledgedAfter(Date.now() + 1_000);
        expect((await holder()).name).not.toBe(before.name);
        if (!before.running) await before.boot();
        await untilCurrent(before);
        await untilLevel(lab);
        await expectAnswered(what, applications);
      },
      400_000,
    );
  }

  test.skipIf(!long)(
    "a disk of the active store fails: the other one goes on, and a new disk is filled by the one beside it",
    async () => {
      const place = "/minio/disk2";
      const victim = await holder();
      const { stdout } = await victim.run(["blockdev", "--getsize64", victim.devices[0] ?? ""]);
      const spare = await LoopDevice.attach(join(lab.work, "spare.img"), { bytes: Number(stdout) });
      await victim.plug(spare.path);
      const replace = () =>
        chime<ReplaceResult>(victim, ["disk", "replace", place, "--disk", spare.path, "--yes"]);
      await untilWhole();
      // Both of its disks are needed to write.
      expect(verdict(await replace())).toEqual([3, "disk.needed"]);
      const applications = await startApplications(lab, lab.nodes, "disk/");
      await victim.run(["xfs_io", "-x", "-c", "shutdown", place]);
      await waitUntil("the other one to take over", 60_000, async () => {
        const { vips } = await statusOf(victim);
        return Bun.deepEquals(
          vips[0]?.holders,
          lab.nodes.flatMap(({ name }) => (name === victim.name ? [] : [name])),
        );
      });
      const { code, json } = await replace();
      expect([code, json.error, json.filled, json.removed?.name]).toEqual([
        0,
        undefined,
        true,
        victim.devices[1],
      ]);
      victim.devices = [victim.devices[0] ?? "", spare.path];
      await untilWhole();
      const { misread, faults: found } = await applications.report();
      expect([misread, ...Object.values(found).flat()]).toEqual([[]]);
      expect((await victim.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    },
    400_000,
  );

  test.skipIf(!long)(
    "chime-node drill kills a server, takes a disk away, and fills one; nothing is lost",
    async () => {
      const words = ["drill", "--role", "minio", "--kind", "kill,disk-pulled,disk-full", "--rounds", "1"];
      await untilWhole();
      const { code, json } = await chime<DrillReport>(lab.node("node1"), [...words, "--cluster", "chime"]);
      console.error(
        json.rounds?.map(({ kind, victim, outage_ms }) => `${kind} of ${victim}: ${outage_ms} ms`),
        json.conceded,
      );
      expect(code).toBe(0);
      expect(json).toMatchObject({ passed: true, misread: 0, missing: { node1: 0, node2: 0 } });
    },
    400_000,
  );

  test.skipIf(!long)(
    "both lose their power; one comes back alone and waits for the other",
    async () => {
      const application = await applicationStore(lab.node("node1"));
      const put = await useStore(lab, { store: application, verb: "put", key: "last", patienceMs: 60_000 });
      expect(put.error).toBeNull();
      await Promise.all(lab.nodes.map((node) => node.powerOff()));
      const [node1, node2] = [lab.node("node1"), lab.node("node2")];
      await node1.boot();
      await waitUntil("what it waits for to be said", 120_000, async () =>
        (await statusOf(node1)).problems.some(({ remedy }) => remedy.includes("chime-node remove node2")),
      );
      await node2.boot();
      await untilLevel(lab);
      const got = await useStore(lab, { store: application, verb: "get", key: "last", patienceMs: 60_000 });
      expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
    },
    400_000,
  );

  test.skipIf(!long)(
    "a reset of one leaves the other alone, which serves; joined anew it is filled",
    async () => {
      const application = await applicationStore(lab.node("node1"));
      const [node1, node2] = [lab.node("node1"), lab.node("node2")];
      expect((await chime(node2, ["reset", "--yes", "--delete-data=chime"])).code).toBe(0);
      const read = () => useStore(lab, { store: application, verb: "get", key: "last", patienceMs: 60_000 });
      expect((await read()).error).toBeNull();
      await waitUntil("it to say that it is alone", 60_000, async () =>
        (await problemsOf(node1)).includes("minio.incomplete"),
      );
      expect((await statusOf(node1)).healthy).toBe(true);
      const { json } = await chime<{ token: string }>(node1, ["token", "create"]);
      await joinStore(node2, json.token);
      await untilLevel(lab);
      await node1.powerOff();
      expect(await read()).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
    },
    400_000,
  );
});
