import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import type { GivenDisk } from "../../src/host/disks/record.ts";
import type { Status } from "../../src/agent/status.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { chime, verdict } from "./chime.ts";
import type { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
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
const why = minio ? "" : " (skipped: needs Go >= 1.24 and its modules)";

/** Longer than MinIO takes to find out that a node has lost its power. */
const patienceMs = 90_000;

describe.skipIf(!minio)(`three nodes with three disks each${why}`, () => {
  let lab: Lab;
  let node1: LabNode;
  let token: string;
  let store: Store;
  /** Was without power while "second" was written. */
  let away: LabNode;
  beforeAll(async () => {
    lab = await openStoreLab(3, 3, minio ?? "");
    node1 = lab.node("node1");
    const { json } = await chime<Initialized>(node1, storeInit(3, 3));
    ({ token } = json);
  }, 300_000);
  afterAll(() => lab?.close());

  const joinWords = (disks: readonly string[], more: readonly string[] = []) => [
    "join",
    "--role",
    "minio",
    ...disks.flatMap((path) => ["--disk", path]),
    ...more,
  ];
  const untilWhole = () =>
    waitUntil("the store to be whole", 120_000, async () => {
      const answered = await chime<Status>(node1, ["status"]);
      const role = answered.json.roles?.["minio"];
      const incomplete = answered.json.problems?.some(({ code }) => code === "minio.completing");
      const isHealthy = answered.json.healthy && role !== undefined && !incomplete;
      return isHealthy && (await storeStatus(node1)).drives.online === 9;
    });
  const vipHolder = async () => {
    const { json } = await chime<Status>(node1, ["status"]);
    return json.vips[0]?.holders[0] ?? "";
  };

  test("a port that is taken, disks that are too few, one twice, or somebody's store are refused, and nothing is formatted", async () => {
    const [first = "", second = "", third = ""] = node1.devices;
    expect(verdict(await chime(node1, joinWords([first, second])))).toEqual([3, "disk.count"]);
    expect(verdict(await chime(node1, joinWords([first, second, first])))).toEqual([3, "disk.refused"]);
    // One that would come in with the role: refused before it has it, so that nobody else waits for it.
    const node3 = lab.node("node3");
    const two = joinWords(node3.devices.slice(0, 2));
    expect(verdict(await chime(node3, two, { env: { CHIME_TOKEN: token } }))).toEqual([3, "disk.count"]);
    const { code } = await node3.run(["test", "-e", "/etc/chime-node"], { check: false });
    expect(code).toBe(1);
    const { members } = (await chime<Status>(node1, ["status"])).json;
    expect(members.map(({ name }) => name)).toEqual(["node1"]);
    await node1.sh(`mkfs.ext4 -q ${third} && mount ${third} /mnt && mkdir /mnt/.minio.sys
      echo '{"format":"xl"}' >/mnt/.minio.sys/format.json && umount /mnt`);
    const taken = await chime(node1, joinWords(node1.devices));
    expect(verdict(taken)).toEqual([3, "disk.refused"]);
    expect(taken.json.error?.message).toContain("ext4");
    await node1.sh(`mount ${third} /mnt && cat /mnt/.minio.sys/format.json && umount /mnt`);
    await node1.sh(`head -c 2M /dev/zero >${third}`);
    // Sparse files, of which no block was ever written.
    await exec(["sync", first, second]);
    const files = [1, 2].map((disk) => join(lab.work, `node1-disk${disk}.img`));
    expect((await exec(["stat", "-c", "%b", ...files])).stdout).toBe("0\n0\n");
    expect(verdict(await chime(node1, ["init", "--role", "minio"]))).toEqual([2, "disk.by_join"]);
    await node1.run([
      "systemd-run",
      "--quiet",
      "--unit=other",
      "systemd-socket-activate",
      "-l",
      "9000",
      "cat",
    ]);
    await waitUntil("the port to be taken", 30_000, async () => {
      return (await node1.sh("ss -Hltn 'sport = :9000'")).stdout !== "";
    });
    const busy = await chime(node1, joinWords(node1.devices));
    expect(verdict(busy)).toEqual([3, "preflight.failed"]);
    expect(busy.json.error?.message).toContain("minio.port: port 9000 is taken by systemd-socket");
    await node1.run(["systemctl", "stop", "other"]);
  }, 120_000);

  test("a node alone waits, and says for whom", async () => {
    const waited = await chime(node1, joinWords(node1.devices, ["--timeout", "1s"]), { timeoutMs: 120_000 });
    expect(verdict(waited)).toEqual([1, "ready.timeout"]);
    expect(waited.json.error?.message).toContain("waiting for 2 more nodes");
    expect(await problemsOf(node1)).toContain("minio.incomplete");
  }, 150_000);

  test("the others come, all serve, and an application's object goes in and out through the VIP", async () => {
    await Promise.all(lab.nodes.map((node) => joinStore(node, token)));
    await untilWhole();
    store = await applicationStore(node1);
    const put = await useStore(lab, { store, verb: "put", key: "first", patienceMs: 10_000 });
    expect(put.error).toBeNull();
    const got = await useStore(lab, { store, verb: "get", key: "first" });
    expect(got.sha256).toBe(sha256(bodyOf("first")));
    expect(await storeStatus(node1)).toMatchObject({ quorum: { read: 5, write: 5 }, older_states: "day" });
    const { stdout } = await node1.sh("stat -c '%a %U:%G' /etc/default/chime-node-minio; chime-node plan");
    // The engine writes files that everybody may read.
    const places = await node1.sh("stat -c '%a %U' /minio/disk*");
    expect(places.stdout).toBe("750 minio-user\n".repeat(3));
    // Whoever restarts a server that has just been started interrupts the others, too.
    const starts = await Promise.all(
      lab.nodes.map((node) => node.sh("journalctl -u minio.service | grep -c 'Stopping ' || :")),
    );
    expect(starts.map((each) => each.stdout.trim())).toEqual(["0", "0", "0"]);
    expect(stdout).toContain("640 root:minio-user\n0 to create, 0 to update, 0 to delete");
  }, 200_000);

  test("who has no key gets nothing but health pages, at the VIP and at a node", async () => {
    const script = `const of = async (at, path, method) => (await fetch("http://" + at + ":9000" + path, { method })).status;
      const found = process.argv.slice(1).map((at) => Promise.all([
        of(at, "/chime/first", "GET"), of(at, "/chime/", "GET"), of(at, "/", "GET"), of(at, "/chime/other", "PUT"),
        of(at, "/chime/first", "DELETE"), of(at, "/minio/admin/v3/info", "GET"), of(at, "/minio/health/cluster", "GET"),
      ]));
      console.log(JSON.stringify(await Promise.all(found)))`;
    const argv = [process.execPath, "-e", script, store.address, node1.address];
    const { stdout } = await lab.client.run(argv);
    const refused = [403, 403, 403, 403, 403, 403, 200];
    expect(JSON.parse(stdout)).toEqual([refused, refused]);
  });

  test("the console at the VIP: the administrator logs in once, and every node's goes on with it; nobody else does", async () => {
    const script = `const [at, password, accessKey, secretKey] = process.argv.slice(1);
      const headers = { "content-type": "application/json" };
      const logIn = (accessKey, secretKey) =>
        fetch(at + "/api/v1/login", { method: "POST", headers, body: JSON.stringify({ accessKey, secretKey }) });
      const answered = await logIn("chime-root", password);
      const cookie = answered.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
      const others = [await logIn("chime-root", "anotherpassword"), await logIn(accessKey, secretKey)];
      const page = await fetch(at + "/", { headers: { accept: "text/html" } });
      const sessions = [];
      for (let i = 0; i < 6; i++) sessions.push((await fetch(at + "/api/v1/session", { headers: { cookie } })).status);
      console.log(JSON.stringify([answered.status, others.map(({ status }) => status), page.status, /<html/i.test(await page.text()), sessions]))`;
    const { accessKey, secretKey } = store.credentials;
    const words = [`http://${store.address}:9001`, await rootPassword(node1), accessKey, secretKey];
    const { stdout } = await lab.client.run([process.execPath, "-e", script, ...words]);
    expect(JSON.parse(stdout)).toEqual([204, [401, 401], 200, true, Array(6).fill(200)]);
  }, 60_000);

  test("an account that the servers have forgotten is known again without a hand", async () => {
    const { stdout } = await node1.sh(". /etc/default/chime-node-minio; echo $MINIO_ROOT_PASSWORD");
    const root = { accessKey: "chime-root", secretKey: stdout.trim() };
    const at = ({ address }: LabNode) => ({ ...store, address });
    const asRoot = { ...at(node1), credentials: root };
    const forgotten = await useStore(lab, {
      store: asRoot,
      verb: "forget",
      key: store.credentials.accessKey,
    });
    expect(forgotten.error).toBeNull();
    for (const node of lab.nodes) {
      const got = await useStore(lab, { store: at(node), verb: "get", key: "first", patienceMs: 20_000 });
      expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
    }
    await waitUntil("a node to say so", 30_000, async () => {
      const said = lab.nodes.map((node) =>
        node.sh("journalctl -u chime-node | grep -c 'forgotten the account .*: made known again' || :"),
      );
      return (await Promise.all(said)).some(({ stdout }) => stdout.trim() !== "0");
    });
  }, 60_000);

  test("the VIP's node loses its power: the object is read, another one written, and it comes back whole", async () => {
    const holder = lab.node(await vipHolder());
    away = holder;
    await holder.powerOff();
    const got = await useStore(lab, { store, verb: "get", key: "first", patienceMs });
    expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("first")) });
    const put = await useStore(lab, { store, verb: "put", key: "second", seed: "second", patienceMs });
    expect(put.error).toBeNull();
    console.error(`power cut of the VIP's node: GET after ${got.ms} ms, PUT after ${put.ms} ms`);
    const asked = lab.nodes.find((node) => node.running) ?? node1;
    await waitUntil("the loss to be told", 30_000, async () => {
      const found = await problemsOf(asked);
      return found.includes("member.dead") && found.includes("minio.node_down");
    });
    await holder.boot();
    await untilWhole();
  }, 300_000);

  test("what was written while a node was away is on it when it is back: another one may go", async () => {
    await lab.nodes.find((node) => node !== away)?.powerOff();
    const got = await useStore(lab, { store, verb: "get", key: "second", patienceMs: 20_000 });
    expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("second")) });
  }, 60_000);

  test("after a reboot of every node all disks are back by identity, and every object is there", async () => {
    await Promise.all(lab.nodes.filter((node) => node.running).map((node) => node.powerOff()));
    // Under other names: what was the first disk is the last one now.
    for (const node of lab.nodes) {
      const files = node.devices.map((_, i) => join(lab.work, `${node.name}-disk${i + 1}.img`));
      const others: string[] = [];
      for (const file of files.toReversed()) others.unshift((await LoopDevice.again(file)).path);
      for (const path of node.devices) await exec(["losetup", "--detach", path]);
      node.devices = others;
    }
    await Promise.all(lab.nodes.map((node) => node.boot()));
    await untilWhole();
    for (const node of lab.nodes) {
      const { disks } = JSON.parse(await node.read("/var/lib/chime-node/disks.json")) as {
        disks: GivenDisk[];
      };
      const { stdout } = await node.sh("findmnt --raw --noheadings --type xfs --output TARGET,UUID,SOURCE");
      const mounted = stdout.trim().split("\n").toSorted();
      expect(mounted).toEqual(disks.map(({ at, uuid }, i) => `${at} ${uuid} ${node.devices[i]}`).toSorted());
    }
    for (const key of ["first", "second"]) {
      const got = await useStore(lab, { store, verb: "get", key, patienceMs });
      expect(got.sha256).toBe(sha256(bodyOf(key)));
    }
  }, 200_000);

  const byHand = [
    ["the store's unit", "sed -i s/^LimitNOFILE=.*/LimitNOFILE=512/ /etc/systemd/system/minio.service", true],
    [
      "the administrator's password",
      "sed -i s/^MINIO_ROOT_PASSWORD=.*/MINIO_ROOT_PASSWORD=anotherpassword/ /etc/default/chime-node-minio",
      false,
    ],
    ["the names of the places", "sed -i /minio[0-9]/d /etc/hosts", false],
  ] as const;
  for (const [what, edit, goesOn] of byHand) {
    test.skipIf(!long)(
      `${what} changed by hand on a node: told, the others go on, and mended by apply`,
      async () => {
        const node2 = lab.node("node2");
        await node2.sh(`${edit}; systemctl daemon-reload; systemctl restart --no-block minio.service`);
        await waitUntil("the change to be told", 60_000, async () => {
          const told = await problemsOf(node2);
          return told.includes("drift") && told.includes("minio.node_down") !== goesOn;
        });
        const put = await useStore(lab, { store, verb: "put", key: what, patienceMs });
        expect(put.error).toBeNull();
        expect((await chime(node2, ["apply", "--yes"])).code).toBe(0);
        await untilWhole();
        expect(await problemsOf(node2)).not.toContain("drift");
      },
      300_000,
    );
  }

  test.skipIf(!long)(
    "a full disk is told; objects go in again when there is room",
    async () => {
      const free = await lab.node("node2").fillDisk("/minio/disk1");
      await waitUntil("it to be told", 60_000, async () =>
        (await problemsOf(node1)).includes("minio.drive_full"),
      );
      expect((await useStore(lab, { store, verb: "put", key: "fourth" })).error).not.toBeNull();
      await free();
      const put = await useStore(lab, { store, verb: "put", key: "fourth", patienceMs });
      expect(put.error).toBeNull();
      await untilWhole();
    },
    300_000,
  );

  test.skipIf(!long)(
    "a disk unmounted under its server: told, nothing is written in its place, and completed when it is back",
    async () => {
      const node2 = lab.node("node2");
      await node2.run(["umount", "-l", "/minio/disk2"]);
      await waitUntil("the disk to be missed", 60_000, async () => {
        const told = await problemsOf(node1);
        return ["disk.missing", "minio.drive_missing", "minio.completing"].every((code) =>
          told.includes(code),
        );
      });
      const put = await useStore(lab, { store, verb: "put", key: "third", seed: "third", patienceMs });
      expect(put.error).toBeNull();
      const { stdout } = await node2.sh("mountpoint -q /minio/disk2 || find /minio/disk2 | wc -l");
      expect(stdout.trim()).toBe("1");
      await node2.run(["systemctl", "start", "minio-disk2.mount"]);
      await untilWhole();
      for (const node of [node1, lab.node("node3")]) {
        await node.kill("minio");
        const got = await useStore(lab, { store, verb: "get", key: "third", patienceMs });
        expect(got).toMatchObject({ error: null, sha256: sha256(bodyOf("third")) });
        await untilWhole();
      }
    },
    400_000,
  );

  test.skipIf(!long)(
    "a reset leaves the disks as they are; with the cluster's name they are blank",
    async () => {
      const [node2, node3] = [lab.node("node2"), lab.node("node3")];
      const labels = async (node: LabNode) =>
        (await node.sh(`for d in ${node.devices.join(" ")}; do blkid -p -o value -s LABEL $d || :; done`))
          .stdout;
      const kept = await chime(node3, ["reset", "--yes"]);
      expect(kept.code).toBe(0);
      expect(await labels(node3)).toBe("minio-disk1\nminio-disk2\nminio-disk3\n");
      expect(
        (await node3.sh("ls /minio /usr/local/lib/chime-node 2>&1 || :; id minio-user 2>&1 || :")).stdout,
      ).not.toContain("uid=");
      expect(verdict(await chime(node3, joinWords(node3.devices), { env: { CHIME_TOKEN: token } }))).toEqual([
        2,
        "usage.needs_yes",
      ]);
      const gone = await chime(node2, ["reset", "--yes", "--delete-data=chime"]);
      expect(gone.code).toBe(0);
      expect(await labels(node2)).toBe("");
      const { json } = await chime<{ disks: { usable: boolean; name: string }[] }>(node2, ["disks"]);
      expect(
        json.disks.filter(({ name }) => node2.devices.includes(name)).map(({ usable }) => usable),
      ).toEqual([true, true, true]);
    },
    120_000,
  );
});
