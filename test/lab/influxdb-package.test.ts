import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { copyLabBundle, makeLabBundle } from "./bundle.ts";
import { chime } from "./chime.ts";
import { influxdBinary } from "./influxdb-binary.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { Initialized } from "./pair.ts";
import { PointLoad } from "./point-load.ts";
import { offerStandIns, ownStart, ranAs, type StandIn } from "./stand-in-package.ts";
import { sha256 } from "./store-program.ts";
import { system } from "./system.ts";
import { readFrom, untilComplete } from "./twin-faults.ts";
import { formTwins, joinTwin, openTwinLab, twinInit } from "./twins.ts";

const long = process.env["CHIME_LONG"] !== undefined;
const influxd = long ? await influxdBinary() : undefined;
const why = influxd ? "" : " (skipped: --long, and Go >= 1.24, Rust and their modules)";

const unit = "/lib/systemd/system/influxdb.service";

/**
 * InfluxDB 2.7 under the names of the vendor's packages, with scripts that do what the vendor's are known to do: they make the
 * user, copy and enable a unit and write a configuration; and that start it, as other packages do.
 */
const standIns = (program: string): StandIn[] => [
  {
    name: "influxdb2",
    description: "InfluxDB 2.7, standing in for the vendor's package",
    files: {
      "DEBIAN/preinst":
        "#!/bin/sh\nid influxdb >/dev/null 2>&1 || useradd --system -U -M -s /bin/false -d /var/lib/influxdb influxdb\n",
      "DEBIAN/postinst": `#!/bin/sh
mkdir -p /var/lib/influxdb /etc/influxdb
chown influxdb:influxdb /var/lib/influxdb
echo 'http-bind-address = ":9999"' >/etc/influxdb/config.toml
cp -f /usr/lib/influxdb/scripts/influxdb.service ${unit}
systemctl enable influxdb
systemctl daemon-reload
deb-systemd-invoke start influxdb.service || :
`,
      "DEBIAN/postrm": `#!/bin/sh\nsystemctl disable influxdb\nrm -f ${unit}\n`,
      "usr/lib/influxdb/scripts/influxdb.service": `[Service]\nExecStart=${ownStart}\n[Install]\nWantedBy=multi-user.target\n`,
    },
    programs: { "usr/bin/influxd": program },
  },
  {
    name: "influxdb2-cli",
    description: "nothing, standing in for the vendor's client",
    files: {},
    programs: {},
  },
];

/** Killed, read from the other one, filled again, and nothing of what was acknowledged missing. */
async function outlivesKill(lab: Lab): Promise<void> {
  const load = await PointLoad.start(lab);
  await untilComplete(lab);
  const victim = await readFrom(lab);
  expect((await load.outageAfter(await victim.kill("influxdb"))).ended).toBe(true);
  expect(await readFrom(lab)).not.toBe(victim);
  await untilComplete(lab);
  const { points, misread, missing } = await load.report();
  expect(points).toBeGreaterThan(1_000);
  expect({ misread, missing: Object.values(missing) }).toEqual({ misread: 0, missing: [0, 0] });
}

describe.skipIf(!influxd)(`twins by packages that stand in for the vendor's${why}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openTwinLab(influxd ?? "");
    await offerStandIns(lab, standIns(influxd ?? ""));
    await formTwins(lab, { "roles.influxdb.binary": undefined });
  }, 300_000);
  afterAll(() => lab?.close());

  test("the package's program runs by our unit alone; that nobody tried the real one is said", async () => {
    for (const node of lab.nodes) {
      expect(await ranAs(node, "influxdb.service")).toBe(
        "/etc/systemd/system/influxdb.service\n/usr/bin/influxd\ninfluxdb\n",
      );
      expect((await node.run(["chime-node", "plan"])).stdout).toContain("0 to create, 0 to update");
    }
    const { json } = await chime<object>(lab.node("node1"), ["preflight", "--role", "influxdb"]);
    expect(JSON.stringify(json)).toContain("never tried on");
  }, 60_000);

  test("a server that is killed: reads go on, and every acknowledged point is on both at the end", async () => {
    await outlivesKill(lab);
  }, 300_000);

  test("a reset takes the packages away, and leaves the points", async () => {
    const last = lab.node("node2");
    expect((await chime(last, ["reset", "--yes"])).code).toBe(0);
    const { stdout } = await last.sh(
      `dpkg -l influxdb2 influxdb2-cli 2>/dev/null | grep ^ii || :; ls /usr/bin/influxd ${unit} 2>/dev/null || :; ls /var/lib/influxdb/influxd.bolt`,
    );
    expect(stdout).toBe("/var/lib/influxdb/influxd.bolt\n");
  }, 150_000);
});

/** Where a node has the server of its bundle. */
const bundled = "/var/lib/chime-node/bundles/programs/influxd";

describe.skipIf(!influxd || system.name === "debian-sid")(
  `twins without a network, from one bundle with the operator's own program${why}`,
  () => {
    let lab: Lab;
    let node1: LabNode;
    beforeAll(async () => {
      lab = await openTwinLab(influxd ?? "", { prepared: false });
      node1 = lab.node("node1");
      const set = ["--set", `roles.influxdb.binary=${bundled}`, "--add-binary", `influxd=${influxd}`];
      const file = join(lab.work, "bundle.tar");
      const made = await makeLabBundle(lab, await buildBinary(), file, ["--role", "influxdb", ...set]);
      for (const node of lab.nodes) await node.sh("umount /mirror; rm /etc/apt/sources.list /root/influxd");
      await copyLabBundle(made, node1);
    }, 400_000);
    afterAll(() => lab?.close());

    test("one node has the file; both serve, with the program that was given to the bundle", async () => {
      await node1.run(["chime-node", "bundle", "import", "/root/bundle.tar", "--trust", "/root/key.pub"]);
      const listed = (await node1.run(["chime-node", "bundle", "list"])).stdout;
      expect(listed).toContain("influxdb");
      const init = twinInit({ "cluster.packages": "bundle", "roles.influxdb.binary": bundled });
      const { json } = await chime<Initialized>(node1, init);
      await Promise.all(lab.nodes.map((node) => joinTwin(node, json.token)));
      const sum = sha256(Buffer.from(await Bun.file(influxd ?? "").bytes()));
      for (const node of lab.nodes) {
        const { stdout } = await node.run(["sha256sum", "/usr/local/lib/chime-node/influxd"]);
        expect(stdout.slice(0, 64)).toBe(sum);
      }
      await outlivesKill(lab);
    }, 400_000);
  },
);
