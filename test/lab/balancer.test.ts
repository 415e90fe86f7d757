import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { paths } from "../../src/core/paths.ts";
import type { BackendView } from "../../src/vip/balancer/types.ts";
import type { Attempt } from "./store-load-program.ts";
import { writeEligible } from "../../src/vip/track.ts";
import { vip } from "./balancer-program.ts";
import { bareAccount, bareBucket, startStore, storeUnit } from "./bare-store.ts";
import { Lab } from "./lab.ts";
import { minioBinary } from "./minio-binary.ts";
import type { LabNode } from "./node.ts";
import type { Running } from "./process.ts";
import { goodPerSecond, Load, longestGaps } from "./store-load.ts";
import { waitUntil } from "./wait.ts";

// lab/minio has the same in the role's hands, in less time.
const long = process.env["CHIME_LONG"] !== undefined;
const binary = long ? await minioBinary() : undefined;
const program = "/usr/local/bin/chime-node";
const bare = { account: bareAccount, bucket: bareBucket };
const atVip = { ...bare, address: vip };

async function applyTo(node: LabNode, nodes: readonly LabNode[]) {
  const { stdout } = await node.run([program, "apply", node.name, ...nodes.map(({ address }) => address)]);
  return JSON.parse(stdout) as { changed: string[]; failed: string[] };
}

/** The gate is open, and who vanishes is cut off: what an agent does. */
function attend(lab: Lab, node: LabNode): void {
  writeEligible("minio", true, node.path(paths.vip));
  node.start([program, "watch", node.name, ...lab.nodes.map(({ address }) => address)]);
}

async function openStore(count: number, minio: string): Promise<Lab> {
  const lab = await Lab.open({
    prepared: true,
    nodes: Array.from({ length: count }, (_, i) => `node${i + 1}`),
  });
  const built = join(lab.work, "balancer-program");
  const source = join(import.meta.dir, "balancer-program.ts");
  await exec([process.execPath, "build", "--compile", source, "--outfile", built]);
  const serve = async (node: LabNode) => {
    await node.install(built);
    expect((await applyTo(node, lab.nodes)).failed).toEqual([]);
    attend(lab, node);
  };
  await Promise.all([startStore(lab, minio), ...lab.nodes.map(serve)]);
  await waitUntil("a holder of the VIP", 30_000, async () => (await holders(lab)).length === 1);
  for (const node of lab.nodes) await allUp(node);
  return lab;
}

async function holders(lab: Lab): Promise<LabNode[]> {
  const running = lab.nodes.filter(({ running }) => running);
  const held = await Promise.all(
    running.map(async (node) => {
      const { stdout } = await node.run(["ip", "-4", "-brief", "address", "show", "dev", "eth0"]);
      return stdout.includes(` ${vip}/32`) ? [node] : [];
    }),
  );
  return held.flat();
}

async function view(node: LabNode): Promise<BackendView[]> {
  return JSON.parse((await node.run([program, "view"])).stdout);
}

async function allUp(node: LabNode): Promise<void> {
  await waitUntil(`${node.name} to find all backends well`, 60_000, async () =>
    (await view(node)).every(({ up }) => up),
  );
}

describe.skipIf(!binary)(
  "haproxy in front of MinIO on three nodes (--long; needs Go, to build MinIO)",
  () => {
    let lab: Lab;
    let node1: LabNode;
    let node3: LabNode;

    beforeAll(async () => {
      lab = await openStore(3, binary ?? "");
      node1 = lab.node("node1");
      node3 = lab.node("node3");
    }, 180_000);
    afterAll(() => lab?.close());

    test("it listens on the VIP alone, on every node; its statistics are root's", async () => {
      for (const node of lab.nodes) {
        const { stdout } = await node.sh("ss -Hltnp | grep haproxy | awk '{print $4}' | sort");
        expect(stdout.trim().split("\n")).toEqual([`${vip}:9000`, `${vip}:9001`]);
      }
      expect((await node1.sh("stat -c '%a %U' /run/haproxy/chime-node.sock")).stdout.trim()).toBe("600 root");
    });

    test("a second apply changes nothing", async () => {
      expect(await applyTo(node1, lab.nodes)).toEqual({ changed: [], failed: [] });
    });

    test("a reload loses no request", async () => {
      const [holder = node1] = await holders(lab);
      const load = await Load.start(lab, { ...atVip, workers: 4, bytes: 10_000, kinds: ["put", "get"] });
      await holder.sh("echo '# by hand' >>/etc/haproxy/haproxy.cfg; systemctl reload haproxy");
      expect(await applyTo(holder, lab.nodes)).toEqual({
        changed: ["file:/etc/haproxy/haproxy.cfg none", "service:haproxy.service reload"],
        failed: [],
      });
      const attempts = await load.stop();
      expect(attempts.filter(({ answer }) => answer !== 200)).toEqual([]);
      await allUp(holder);
    }, 60_000);

    test("a planned stop of the holder's haproxy loses no request", async () => {
      const [holder = node1] = await holders(lab);
      const load = await Load.start(lab, { ...atVip, workers: 8, bytes: 10_000, kinds: ["put", "get"] });
      await holder.run(["systemctl", "stop", "haproxy"]);
      expect(await holders(lab)).not.toContain(holder);
      // Whoever was not let in asks the next holder a second later.
      await Bun.sleep(1_500);
      const attempts = await load.stop();
      tell("planned stop", attempts);
      expect(attempts.filter(({ answer }) => answer !== 200)).toEqual([]);
      await holder.run(["systemctl", "start", "haproxy"]);
      writeEligible("minio", true, holder.path(paths.vip));
      await allUp(holder);
    }, 60_000);

    test("a planned move with an upload that takes longer: that ends, and the node's balancer serves again", async () => {
      const [holder = node1] = await holders(lab);
      const client = lab.nodes.find((node) => node !== holder) ?? node3;
      const upload = await beginUpload(client, holder);
      await holder.run([program, "move"]);
      const leftAt = performance.now();
      expect(await holders(lab)).not.toContain(holder);
      await waitUntil("its balancer to serve again", 5_000, async () => (await view(holder)).length > 0);
      console.error(`it serves ${Math.round(performance.now() - leftAt)} ms after the VIP has left`);
      upload.signal("SIGKILL");
      writeEligible("minio", true, holder.path(paths.vip));
      await allUp(holder);
    }, 60_000);

    test("an agent that starts ends a balancer that another one told to stop, and no other", async () => {
      const [holder = node1] = await holders(lab);
      const before = await holder.mainPid("haproxy");
      await holder.run([program, "start"]);
      expect(await holder.mainPid("haproxy")).toBe(before);
      const client = lab.nodes.find((node) => node !== holder) ?? node3;
      const upload = await beginUpload(client, holder);
      await holder.kill("haproxy", "SIGUSR1");
      await waitUntil("it to stop", 5_000, async () => (await view(holder)).length === 0);
      await holder.run([program, "start"]);
      await waitUntil("its balancer to serve again", 5_000, async () => (await view(holder)).length > 0);
      upload.signal("SIGKILL");
      await allUp(holder);
    }, 60_000);

    test("kill -9 of a node's server: no read fails but those whose answer had begun there", async () => {
      const load = await Load.start(lab, { ...atVip, workers: 4, bytes: 10_000, kinds: ["get"] });
      await node1.kill(storeUnit);
      const restarts = ["systemctl", "show", "--value", "-p", "NRestarts", storeUnit];
      await waitUntil(
        "systemd to start it again",
        20_000,
        async () => (await node1.run(restarts)).stdout.trim() !== "0",
      );
      await allUp(node3);
      const attempts = await load.stop();
      tell("kill -9 of a server", attempts);
      const failed = attempts.filter(({ answer }) => answer !== 200);
      // An answer that had begun cannot be had from another server: one client each at most.
      expect(failed.filter(({ answer }) => answer !== "broken off")).toEqual([]);
      expect(new Set(failed.map(({ worker }) => worker)).size).toBe(failed.length);
    }, 60_000);

    test("power cut of the node that holds the VIP: nobody waits out a time-out of his own", async () => {
      await untilWhole(lab);
      const [holder = node1] = await holders(lab);
      const load = await Load.start(lab, {
        ...atVip,
        workers: 8,
        bytes: 10_000,
        kinds: ["put", "get"],
        prefix: "cut",
      });
      await Bun.sleep(1_000);
      const { stdout: clients } = await holder.run([program, "connections"]);
      await holder.powerOff();
      await waitUntil("another holder", 30_000, async () => (await holders(lab)).length === 1);
      const [next] = await holders(lab);
      await next?.run([program, "tickle", clients.trim()]);
      // What was under way is ended by then, and MinIO would wait five times as long.
      await Bun.sleep(6_000);
      const attempts = await load.stop();
      tell("power cut of the holder", attempts);
      expect(attempts.filter(({ answer }) => answer === "TimeoutError")).toEqual([]);
    }, 60_000);
  },
);

describe.skipIf(!binary)("a store of two nodes loses one (--long; needs Go, to build MinIO)", () => {
  let lab: Lab;
  beforeAll(async () => void (lab = await openStore(2, binary ?? "")), 180_000);
  afterAll(() => lab?.close());

  test("haproxy costs little: 1 MB objects through it and past it, in turns", async () => {
    const [holder] = await holders(lab);
    for (const kind of ["put", "get"] as const) {
      const ratios: number[] = [];
      for (let round = 0; round < 4; round++) {
        const past = await goodPerSecond(lab, { ...bare, address: holder?.address ?? "" }, kind);
        ratios.push((await goodPerSecond(lab, atVip, kind)) / past);
      }
      const median = ratios.toSorted((a, b) => a - b)[1] ?? 0;
      const all = ratios.map((ratio) => ratio.toFixed(2)).join(", ");
      console.error(`${kind} of 1 MB through haproxy: ${all} × past it`);
      // Half as fast would be a mistake of ours, on however busy a machine.
      expect(median).toBeGreaterThan(0.5);
    }
  }, 180_000);

  test("a power cut: reads go on, writes are refused at once or soon; none fails after the first that is taken again", async () => {
    const [holder] = await holders(lab);
    const other = lab.nodes.find((node) => node !== holder);
    const options = { ...atVip, workers: 4, bytes: 10_000 } as const;
    await (await Load.start(lab, { ...options, kinds: ["put"] })).stop();
    const readers = await Load.start(lab, { ...options, kinds: ["get"] });
    const writers = await Load.start(lab, { ...options, kinds: ["put"], prefix: "cut" });
    const deleters = await Load.start(lab, { ...options, kinds: ["delete"], prefix: "gone" });
    await other?.powerOff();
    const cutAt = Date.now();
    await Bun.sleep(5_000);
    const backAt = Date.now();
    await other?.boot();
    if (other) attend(lab, other);
    await Bun.sleep(35_000);
    const reads = await readers.stop();
    const writes = await writers.stop();
    const deletes = await deleters.stop();
    expect(reads.filter(({ answer }) => answer !== 200)).toEqual([]);
    const good = (one: Attempt) => one.answer === 200;
    const duringLoss = writes.filter(({ at }) => at > cutAt + 3_000 && at < backAt);
    expect(duringLoss.some(good)).toBe(false);
    const first = Math.min(
      ...writes.filter((one) => one.at > backAt && good(one)).map(({ at, ms }) => at + ms),
    );
    expect(writes.filter((one) => one.at > first && !good(one))).toEqual([]);
    // The store would let those that were under way hang for more than a minute.
    expect(deletes.filter(({ answer }) => answer === "TimeoutError")).toEqual([]);
    const waited = deletes.filter(({ at }) => at > cutAt - 1_000 && at < backAt).map(({ ms }) => ms);
    const during = reads.filter(({ at }) => at > cutAt && at < backAt).map(({ ms }) => ms);
    console.error(
      `reads during the loss: ${percentiles(during)}; writes refused: ${percentiles(duringLoss.map(({ ms }) => ms))}`,
    );
    console.error(`deletions during the loss: ${percentiles(waited)}`);
    console.error(`first write ${first - backAt} ms after the power was back`);
  }, 120_000);
});

/** Of which nothing comes: for as long as it is let, it is under way. */
async function beginUpload(client: LabNode, holder: LabNode): Promise<Running> {
  const store = new Bun.S3Client({
    accessKeyId: bareAccount.accessKey,
    secretAccessKey: bareAccount.secretKey,
    bucket: bareBucket,
    region: "us-east-1",
    endpoint: `http://${vip}:9000`,
  });
  const { pathname, search } = new URL(store.presign("slow", { method: "PUT" }));
  const head = `PUT ${pathname}${search} HTTP/1.1\r\nHost: ${vip}:9000\r\nContent-Length: 1000000\r\n\r\n`;
  const upload = client.start(["bash", "-c", `exec 3<>/dev/tcp/${vip}/9000; cat >&3; cat <&3`], {
    stdin: head,
  });
  const from = `ss -Htn state established src ${vip} dst ${client.address}`;
  await waitUntil("the upload to begin", 10_000, async () => (await holder.sh(from)).stdout !== "");
  return upload;
}

function percentiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)];
  return `${sorted.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

/** MinIO says that it is well some seconds before its servers are connected as before. */
async function untilWhole(lab: Lab): Promise<void> {
  await waitUntil("no write to fail", 60_000, async () => {
    const load = await Load.start(lab, {
      ...atVip,
      workers: 8,
      bytes: 10_000,
      kinds: ["put"],
      prefix: "whole",
    });
    await Bun.sleep(300);
    return (await load.stop()).every(({ answer }) => answer === 200);
  });
}

function tell(what: string, attempts: readonly Attempt[]): void {
  const failed = attempts.filter(({ answer }) => answer !== 200).length;
  const gap = Math.max(...longestGaps(attempts));
  console.error(
    `${what}: longest gap of a client ${gap} ms, ${failed} of ${attempts.length} requests failed`,
  );
}
