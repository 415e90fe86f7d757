import { chmod, copyFile } from "node:fs/promises";
import { rehearse, type Round } from "../../src/operations/drill/run.ts";
import { chime } from "../../test/lab/chime.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { PointLoad } from "../../test/lab/point-load.ts";
import type { Initialized } from "../../test/lab/pair.ts";
import { twinFaults, twinStage, untilComplete, type TwinFault } from "../../test/lab/twin-faults.ts";
import { formTwins, joinTwin, openTwinLab, twinInit, twinVip } from "../../test/lab/twins.ts";
import { timed } from "./pair.ts";
import { median, type Row } from "./row.ts";
import { startKeepalived, untilAnswers } from "./vip-by-hand.ts";

type Progress = (line: string) => void;

/** Bare nodes to twins behind their VIP, in turns with the same packages and first starts by hand. */
export async function measureTwinForming(influxd: string, runs: number, progress: Progress): Promise<Row[]> {
  const [hand, ours]: [number[], number[]] = [[], []];
  for (let run = 1; run <= runs; run++) {
    progress(`influxdb: formed, ${run} of ${runs}`);
    {
      await using lab = await openTwinLab(influxd, { prepared: false });
      hand.push(await timed(() => formByHand(lab, influxd)));
    }
    await using lab = await openTwinLab(influxd, { prepared: false });
    ours.push(await timed(() => formOurs(lab)));
    progress(`influxdb: formed in ${ours.at(-1)?.toFixed(1)} s, by hand in ${hand.at(-1)?.toFixed(1)} s`);
  }
  return [
    { name: "twins by hand: packages, first start, set up, a VIP", values: hand, unit: "s", target: null },
    { name: "twins by init and join, behind their VIP", values: ours, unit: "s", target: null },
    { name: "  against by hand", values: [median(ours) / median(hand)], unit: "×", target: 1.25 },
  ];
}

const byHand = `[Unit]
After=network.target
[Service]
User=influxdb
ExecStart=/usr/local/bin/influxd run --reporting-disabled --bolt-path=/var/lib/influxdb/influxd.bolt --sqlite-path=/var/lib/influxdb/influxd.sqlite --engine-path=/var/lib/influxdb/engine
Restart=always
[Install]
WantedBy=multi-user.target
`;

/** $1: the body. The node has no HTTP client; until the server listens there is nobody to set up. A point goes in and out. */
const setUp = `
until exec 3<>/dev/tcp/127.0.0.1/8086; do sleep 0.02; done 2>/dev/null
printf 'POST /api/v2/setup HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "\${#1}" "$1" >&3
head -n 1 <&3 | grep -q ' 201 '
ask() {
  exec 3<>/dev/tcp/127.0.0.1/8086
  printf '%s HTTP/1.0\\r\\nAuthorization: Token by-hand\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "$1" "\${#2}" "$2" >&3
  cat <&3
}
ask 'POST /api/v2/write?org=chime&bucket=chime' 'probe value=1' | grep -q ' 204 '
ask 'GET /query?db=chime&q=SELECT%20value%20FROM%20probe' '' | grep -q probe`;

/**
 * What a careful administrator does on both nodes at once, with the same packages, until clients reach it at its address.
 * Measured until then, for so long is ours: before, it was the servers alone that were set up by hand, and the address
 * that both packages are installed for never came up.
 */
async function formByHand(lab: Lab, influxd: string): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const body = JSON.stringify({
    username: "admin",
    password: "by-hand-0",
    org: "chime",
    bucket: "chime",
    token: "by-hand",
  });
  const form = async (node: LabNode) => {
    await node.sh("apt-get update -q && apt-get install -y -q --no-install-recommends keepalived", {
      env,
      timeoutMs: 600_000,
    });
    const program = node.path("/usr/local/bin/influxd");
    await copyFile(influxd, program);
    await chmod(program, 0o755);
    await node.put("/etc/systemd/system/influxdb.service", byHand);
    await node.sh(`useradd --system --home-dir /var/lib/influxdb --create-home influxdb
      systemctl enable --quiet --now influxdb`);
    await Promise.all([node.run(["bash", "-ec", setUp, "bash", body]), startKeepalived(lab, node, twinVip)]);
  };
  await Promise.all([...lab.nodes.map(form), untilAnswers(lab, health)]);
}

/** As clients see it, through the VIP. */
const health = `http://${twinVip}:8086/health`;

async function formOurs(lab: Lab): Promise<void> {
  const { json } = await chime<Initialized>(lab.node("node1"), twinInit());
  await Promise.all([...lab.nodes.map((node) => joinTwin(node, json.token)), untilAnswers(lab, health)]);
}

/** Faults of the node that is read from, one after the other, under a client that writes to both and some that read. */
export async function measureTwinFaults(influxd: string, rounds: number, progress: Progress): Promise<Row[]> {
  await using lab = await openTwinLab(influxd);
  await formTwins(lab);
  await untilComplete(lab);
  const load = await PointLoad.start(lab);
  const kinds = (Object.keys(twinFaults) as TwinFault[]).flatMap((kind) =>
    Array<TwinFault>(rounds).fill(kind),
  );
  const done = await rehearse(twinStage(lab, load), kinds, {
    told: ({ kind, outage, levelSeconds }) =>
      progress(`influxdb: ${kind}: ${Math.round(outage.ms)} ms, complete after ${levelSeconds.toFixed(1)} s`),
  });
  const { points, misread, missing } = await load.report();
  progress(`influxdb: ${points} points acknowledged`);
  const row = (kind: TwinFault, name: string, target: number | null): Row => ({
    name,
    values: secondsOf(done, kind),
    unit: "s",
    target,
  });
  return [
    row("kill", "influxd killed → reads through the VIP again", 0.7),
    row("power", "node without power → the same", 1.3),
    row("cut", "node cut → the same", 1.3),
    row("hang", "influxd hung → the same", null),
    {
      name: "until both have everything, after its return",
      values: done.map(({ levelSeconds }) => levelSeconds),
      unit: "s",
      target: null,
    },
    {
      name: `acknowledged points missing on either side, ${done.length} drills`,
      values: Object.values(missing),
      unit: "points",
      target: 0,
      by: "sum",
    },
    { name: "  read as something else meanwhile", values: [misread], unit: "points", target: 0, by: "sum" },
  ];
}

function secondsOf(rounds: readonly Round<TwinFault>[], wanted: TwinFault): number[] {
  return rounds.filter(({ kind }) => kind === wanted).map(({ outage }) => outage.ms / 1000);
}
