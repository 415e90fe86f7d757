import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { ReplaceResult } from "../../src/operations/replace-disk.ts";
import type { RotateResult } from "../../src/operations/rotate-secrets.ts";
import type { Status } from "../../src/agent/status.ts";
import { users } from "../../src/roles/minio/layout.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
import { startApplications } from "./object-load.ts";
import type { Initialized } from "./pair.ts";
import {
  applicationStore,
  joinStore,
  openStoreLab,
  problemsOf,
  rootPassword,
  storeInit,
  storeStatus,
  useStore,
} from "./store.ts";
import { bodyOf, sha256 } from "./store-program.ts";
import { waitUntil } from "./wait.ts";

const minio = await minioBinary();
const long = process.env["CHIME_LONG"] !== undefined;
const why = minio ? (long ? "" : " (skipped: CHIME_LONG=1)") : " (skipped: needs Go >= 1.24 and its modules)";

const place = "/minio/disk2";

const later = describe.skipIf(!minio || !long).each([
  ["HTTP", "false"],
  ["TLS", "true"],
] as const);

later(`three nodes with three disks each, later on, by %s${why}`, (_, tls) => {
  let lab: Lab;
  let node1: LabNode;
  let node2: LabNode;
  let node3: LabNode;
  /** Comes in the place of node3. */
  let node4: LabNode;
  let token: string;
  let store: Store;
  /** Objects of the application. */
  const stored = new Set<string>();
  let spares: LoopDevice[];
  beforeAll(async () => {
    lab = await openStoreLab(4, 3, minio ?? "");
    [node1, node2, node3, node4] = lab.nodes as [LabNode, LabNode, LabNode, LabNode];
    ({ token } = (await chime<Initialized>(node1, storeInit(3, 3, { "roles.minio.tls": tls }))).json);
    await Promise.all([node1, node2, node3].map((node) => joinStore(node, token)));
    store = await applicationStore(node1);
    const { stdout } = await node1.run(["blockdev", "--getsize64", node1.devices[0] ?? ""]);
    const bytes = Number(stdout);
    const sizes = [bytes, bytes, bytes, bytes - 2 ** 20];
    spares = await Promise.all(
      sizes.map((size, i) => LoopDevice.attach(join(lab.work, `spare${i}.img`), { bytes: size })),
    );
    for (const { path } of spares) await node1.plug(path);
    await untilWhole();
  }, 300_000);
  afterAll(() => lab?.close());

  const untilWhole = () =>
    waitUntil("the store to be whole", 120_000, async () => {
      const { json } = await chime<Status>(node1, ["status"]);
      const incomplete = json.problems?.some(({ code }) => code === "minio.completing");
      return json.healthy && !incomplete && (await storeStatus(node1)).drives.online === 9;
    });
  const spare = (nth: number) => spares[nth]?.path ?? "";
  const replace = (disk: string, ...more: string[]) =>
    chime<ReplaceResult>(node1, ["disk", "replace", place, "--disk", disk, ...more], { timeoutMs: 240_000 });
  const put = async (...keys: string[]) => {
    for (const key of keys) {
      const { error } = await useStore(lab, { store, verb: "put", key, seed: key, patienceMs: 30_000 });
      expect(error).toBeNull();
      stored.add(key);
    }
  };
  /** How many of the application's objects each of the nine drives has. */
  const counts = async () => {
    const script =
      "for d in 1 2 3; do find /minio/disk$d/chime -name xl.meta -not -path '*.chime-node*' | wc -l; done";
    const nodes = [node1, node2, node3.running ? node3 : node4];
    const said = await Promise.all(nodes.map((node) => node.sh(script)));
    return said.flatMap(({ stdout }) => stdout.trim().split("\n").map(Number));
  };
  const onAll = () => Array.from({ length: 9 }, () => stored.size);

  test("a store whose bucket keeps nothing that is written over says so, and keeps it from an operator's apply on, who is asked", async () => {
    const nodes = [node1, node2, node3];
    const credentials = { accessKey: users.root, secretKey: await rootPassword(node1) };
    // They would make it themselves.
    await Promise.all(nodes.map((node) => node.run(["systemctl", "stop", "chime-node"])));
    const at = { ...store, address: node1.address, credentials };
    expect((await useStore(lab, { store: at, verb: "remake", key: "" })).error).toBeNull();
    await Promise.all(nodes.map((node) => node.run(["systemctl", "start", "chime-node"])));
    await waitUntil("it to be said", 60_000, async () =>
      (await problemsOf(node1)).includes("minio.unversioned"),
    );
    const words = ["apply", "--role", "minio"];
    expect(verdict(await chime(node2, words))[0]).toBe(2);
    const { json } = await chime(node2, [...words, "--yes"]);
    expect(json).toMatchObject({
      applied: 1,
      changes: [{ resource: "s3-versions:chime", impact: "data", cause: "drift" }],
    });
    await waitUntil("it to be kept", 60_000, async () => (await storeStatus(node1)).older_states === "day");
    const { summary } = (await chime<{ summary: Record<string, number> }>(node3, ["plan"])).json;
    expect(summary).toMatchObject({ create: 0, update: 0, delete: 0 });
    await untilWhole();
    expect(await problemsOf(node1)).not.toContain("minio.unversioned");
  }, 200_000);

  test("what is no disk for it, or cannot be spared, is refused, and nothing is touched", async () => {
    await put("a", "b");
    const before = await node1.read("/var/lib/chime-node/disks.json");
    const [first = ""] = node1.devices;
    await node1.run(["mkfs.ext4", "-q", spare(2)]);
    expect(verdict(await replace(first, "--yes"))).toEqual([3, "disk.given"]);
    expect(verdict(await replace(spare(2), "--yes"))).toEqual([3, "disk.refused"]);
    expect(verdict(await replace(spare(3), "--yes"))).toEqual([3, "disk.too_small"]);
    expect(verdict(await replace("/dev/nothing", "--yes"))).toEqual([3, "disk.refused"]);
    expect(verdict(await replace("auto:1x1G", "--yes"))).toEqual([2, "disk.by_name"]);
    expect(verdict(await chime(node1, ["disk", "replace", "/srv", "--disk", spare(0)]))).toEqual([
      2,
      "disk.no_place",
    ]);
    expect(verdict(await replace(spare(0)))).toEqual([2, "usage.needs_yes"]);
    const { code, json } = await replace(spare(0), "--dry-run");
    expect([code, json.dry_run, json.filled]).toEqual([0, true, false]);
    await node2.sh("umount /minio/disk1");
    await waitUntil("the loss to be told", 60_000, async () =>
      (await problemsOf(node1)).includes("minio.drive_missing"),
    );
    const needed = await replace(spare(0), "--yes");
    expect(verdict(needed)).toEqual([3, "disk.needed"]);
    expect(needed.json.error?.message).toContain("minio.completing");
    await node2.sh("systemctl start minio-disk1.mount");
    await untilWhole();
    expect(await node1.read("/var/lib/chime-node/disks.json")).toBe(before);
    expect(await counts()).toEqual(onAll());
  }, 240_000);

  test("the administrator gets another password under load: nobody is refused, and a killed command is finished", async () => {
    const nodes = [node1, node2, node3];
    const old = await rootPassword(node1);
    const load = await startApplications(lab, nodes, ".chime-node/rotation/");
    const rotate = (node: LabNode) =>
      chime<RotateResult>(node, ["secrets", "rotate", "--role", "minio", "--yes"], { timeoutMs: 240_000 });
    const first = await rotate(node1);
    expect([first.code, first.json.error, first.json.changed]).toEqual([0, undefined, ["root_password"]]);
    console.error(`another password on 3 × 3: ${first.json.seconds} s`);
    const second = await rootPassword(node1);
    expect(second).not.toBe(old);
    await untilWhole();
    const killed = node2.start(["chime-node", "secrets", "rotate", "--role", "minio", "--yes"]);
    await waitUntil("a node to hear of it", 30_000, async () =>
      (await node3.read("/etc/chime-node/secrets.toml")).includes("root_password_next"),
    );
    killed.signal("SIGKILL");
    await killed.exited;
    await Promise.all([node1, node2].map((node) => node.kill("chime-node")));
    expect((await rotate(node3)).code).toBe(0);
    const third = await rootPassword(node3);
    expect(third).not.toBe(second);
    const { requests, misread, faults } = await load.report();
    const longest = Math.max(...requests.map(({ ms }) => ms));
    console.error(`${requests.length} requests, the longest took ${Math.round(longest)} ms`);
    expect(requests.filter(({ error }) => error !== null)).toEqual([]);
    expect([misread, ...Object.values(faults).flat()]).toEqual([[]]);
    for (const node of nodes) {
      expect(await rootPassword(node)).toBe(third);
      const asRoot = (secretKey: string) => {
        const account = { accessKey: users.root, secretKey };
        return useStore(lab, {
          store: { ...store, address: node.address, credentials: account },
          verb: "put",
          key: "x",
        });
      };
      expect((await asRoot(second)).error).toContain("refuses");
      expect((await asRoot(third)).error).toBeNull();
      expect((await node.run(["chime-node", "plan"])).stdout).toContain(
        "0 to create, 0 to update, 0 to delete",
      );
    }
    await useStore(lab, { store, verb: "delete", key: "x" });
    await untilWhole();
  }, 420_000);

  test("a change of that password waits for a node whose settings cannot be written, and not for a server that ends meanwhile", async () => {
    const settings = "/etc/default/chime-node-minio";
    const before = await rootPassword(node1);
    await node2.run(["chattr", "+i", settings]);
    try {
      const argv = ["secrets", "rotate", "--role", "minio", "--yes"];
      const rotating = chime<RotateResult>(node3, argv, { timeoutMs: 240_000 });
      await waitUntil("node1 to have it in its settings", 60_000, async () => {
        const password = await rootPassword(node1);
        return password !== before && (await node1.read(settings)).includes(password);
      });
      // Started anew it has another one than the others, and is out until they have it, too.
      await node1.kill("minio");
      await put("meanwhile");
      await waitUntil("it to be told", 120_000, async () =>
        (await chime<Status>(node3, ["status"])).json.problems.some(
          ({ code, message }) =>
            code === "secrets.changing" &&
            message.endsWith("waiting for node2 to have it in its server's settings"),
        ),
      );
      await node2.run(["chattr", "-i", settings]);
      expect((await rotating).code).toBe(0);
    } finally {
      await node2.run(["chattr", "-i", settings]);
    }
    await untilWhole();
    const passwords = await Promise.all([node1, node2, node3].map(rootPassword));
    expect(new Set(passwords).size).toBe(1);
    expect(passwords).not.toContain(before);
  }, 420_000);

  test("a disk that fails its reads and writes is replaced while objects are written; each is on every drive", async () => {
    await node1.run(["xfs_io", "-x", "-c", "shutdown", place]);
    const keys = Array.from({ length: 20 }, (_, i) => `during${i}`);
    const [{ code, json }] = await Promise.all([replace(spare(0), "--yes"), put(...keys)]);
    expect([code, json.filled, json.removed?.name]).toEqual([0, true, node1.devices[1]]);
    expect(await counts()).toEqual(onAll());
    await waitUntil("status to say so", 30_000, async () => (await problemsOf(node1)).length === 0);
    const again = await replace(spare(0), "--yes");
    expect([again.code, again.json.filled, again.json.removed]).toEqual([0, true, null]);
    expect((await node1.run(["chime-node", "plan"])).stdout).toContain(
      "0 to create, 0 to update, 0 to delete",
    );
  }, 240_000);

  test("a disk that is gone altogether, and a command that is killed: the next one finishes", async () => {
    await node1.sh(`umount ${place}; rm ${spare(0)}`);
    await waitUntil("the loss to be told", 60_000, async () => {
      const found = await problemsOf(node1);
      return found.includes("disk.missing") && found.includes("minio.drive_missing");
    });
    const words = ["chime-node", "disk", "replace", place, "--disk", spare(1), "--yes"];
    const first = node1.start(words);
    await waitUntil("the new disk to be recorded", 60_000, async () =>
      (await node1.read("/var/lib/chime-node/disks.json")).includes(spare(1)),
    );
    first.signal("SIGKILL");
    await first.exited;
    const { code, json } = await replace(spare(1), "--yes");
    expect([code, json.filled, json.removed]).toEqual([0, true, null]);
    expect(await counts()).toEqual(onAll());
    await untilWhole();
  }, 240_000);

  test("a drive that became read-only is told, though the engine calls it online, and counts as missing until it is not", async () => {
    await node1.run(["mount", "-o", "remount,ro", place]);
    await waitUntil("the alarm", 60_000, async () => {
      const found = await problemsOf(node1);
      return found.includes("disk.read_only") && found.includes("minio.completing");
    });
    await put("e");
    await node1.run(["mount", "-o", "remount,rw", place]);
    await untilWhole();
    expect(await counts()).toEqual(onAll());
  }, 240_000);

  test("a drive that is far slower than all others is told as long as it is", async () => {
    const isTold = async () => (await problemsOf(node1)).includes("minio.drive_slow");
    const stutter = `while :; do fsfreeze -f ${place}; sleep 2; fsfreeze -u ${place}; sleep 0.3; done`;
    const slowed = node1.start(["sh", "-c", stutter]);
    try {
      await waitUntil("the alarm", 180_000, async () => {
        await Promise.all(Array.from({ length: 4 }, (_, i) => put(`slow${stored.size}-${i}`)));
        return isTold();
      });
    } finally {
      slowed.signal("SIGKILL");
      await slowed.exited;
      await node1.run(["fsfreeze", "-u", place], { check: false });
    }
    await waitUntil("its end", 180_000, async () => !(await isTold()));
  }, 420_000);

  test("a node that was reset comes back with its disks, and what is on them; others' disks are refused", async () => {
    await put("kept");
    await untilWhole();
    const slot = await node3.read("/var/lib/chime-node/minio-slot");
    const object = "/minio/disk1/chime/kept/xl.meta";
    const inode = async () => (await node3.run(["stat", "-c", "%i %Y", object])).stdout;
    const before = await inode();
    const [first = "", second = "", third = ""] = node3.devices;
    expect((await chime(node3, ["reset", "--yes"])).code).toBe(0);
    await put("without node3");
    const join = (...words: string[]) =>
      chime(node3, ["join", "--role", "minio", ...words], {
        env: { CHIME_TOKEN: token },
        timeoutMs: 240_000,
      });
    const all = [third, first, second].flatMap((path) => ["--disk", path]);
    const edit = (device: string, from: string, to: string) =>
      node3.sh(
        `mount ${device} /mnt && sed -i 's/"id":"${from}/"id":"${to}/' /mnt/.minio.sys/format.json && umount /mnt`,
      );
    expect(verdict(await join(...all))).toEqual([2, "usage.needs_yes"]);
    const { stdout } = await node3.sh(
      `mount -o ro ${first} /mnt && grep -o '"id":"[0-9a-f]*' /mnt/.minio.sys/format.json && umount /mnt`,
    );
    const deployment = stdout.trim().slice('"id":"'.length);
    const forged = deployment.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    await edit(first, deployment, forged);
    const foreign = await join(...all, "--yes");
    expect(verdict(foreign)).toEqual([3, "disk.not_ours"]);
    expect(foreign.json.error?.message).toContain("of another store");
    await edit(first, forged, deployment);
    await node3.run(["xfs_admin", "-L", "minio-disk9", second]);
    expect(verdict(await join(...all, "--yes"))).toEqual([3, "disk.not_ours"]);
    await node3.run(["xfs_admin", "-L", "minio-disk2", second]);
    const { code, json } = await join(...all, "--yes");
    expect([code, json.error]).toEqual([0, undefined]);
    await untilWhole();
    expect(await counts()).toEqual(onAll());
    expect([await node3.read("/var/lib/chime-node/minio-slot"), await inode()]).toEqual([slot, before]);
    expect((await node3.run(["chime-node", "plan"])).stdout).toContain(
      "0 to create, 0 to update, 0 to delete",
    );
    // Its disks are known by now.
    expect((await join(...all)).code).toBe(0);
  }, 400_000);

  test("a node that is lost for good: other hardware under its name takes its place, with another address", async () => {
    const slot = await node3.read("/var/lib/chime-node/minio-slot");
    await node3.powerOff();
    await waitUntil("the loss to be told", 60_000, async () =>
      (await problemsOf(node1)).includes("member.dead"),
    );
    const words = [
      "join",
      "--role",
      "minio",
      "--name",
      "node3",
      ...node4.devices.flatMap((path) => ["--disk", path]),
    ];
    const join = () => chime(node4, words, { env: { CHIME_TOKEN: token }, timeoutMs: 240_000 });
    // Its place is not free as long as it is a member.
    const early = await join();
    expect(early.code).toBe(3);
    expect(early.json.error?.remedy).toContain("chime-node remove");
    expect((await chime(node1, ["remove", "node3", "--yes"])).code).toBe(0);
    // Until the new one comes the others have to bear each other's restarts, too.
    const node2 = lab.node("node2");
    await waitUntil("node2 to have no address of it any more", 30_000, async () => {
      return !(await node2.read("/etc/hosts")).includes(node3.address);
    });
    await node2.run(["systemctl", "restart", "minio"]);
    await put("b2");
    const [joined] = await Promise.all([join(), put("c", "d")]);
    expect([joined.code, joined.json.error]).toEqual([0, undefined]);
    await untilWhole();
    expect(await counts()).toEqual(onAll());
    expect(await node4.read("/var/lib/chime-node/minio-slot")).toBe(slot);
  }, 300_000);

  test("another program under load: the servers restart together once the last node has it, and nobody is refused", async () => {
    const nodes = [node1, node2, node3.running ? node3 : node4];
    await put("before");
    const load = await startApplications(lab, nodes, ".chime-node/program/");
    const started = () =>
      Promise.all(
        nodes.map(
          async (node) =>
            (await node.run(["systemctl", "show", "-p", "InvocationID", "minio.service"])).stdout,
        ),
      );
    const before = await started();
    const restarts = async (node: LabNode) =>
      (await node.run(["chime-node", "plan"])).stdout.includes("restart:minio");
    for (const node of nodes) {
      await node.sh("printf x >>/root/minio");
      expect(await started()).toEqual(before);
      expect(await restarts(node)).toBe(true);
      expect((await chime(node, ["apply", "--yes"])).code).toBe(0);
      if (node === nodes.at(-1)) continue;
      await waitUntil("the difference to be told", 30_000, async () =>
        (await problemsOf(node)).includes("minio.programs_differ"),
      );
    }
    const after = await started();
    expect(after.filter((run, i) => run !== before[i])).toHaveLength(3);
    const got = await useStore(lab, { store, verb: "get", key: "before", patienceMs: 90_000 });
    const { requests, misread, faults } = await load.report();
    const longest = Math.max(...requests.map(({ ms }) => ms));
    console.error(`another program: ${requests.length} requests, the longest took ${Math.round(longest)} ms`);
    expect(requests.filter(({ error }) => error !== null)).toEqual([]);
    expect([misread, ...Object.values(faults).flat()]).toEqual([[]]);
    expect(got.sha256).toBe(sha256(bodyOf("before")));
    await untilWhole();
    for (const node of nodes) expect(await restarts(node)).toBe(false);
  }, 300_000);
});
