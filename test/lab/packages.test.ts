import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { buildBinary } from "../../scripts/build.ts";
import { chime, fileTree, verdict } from "./chime.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { vip } from "./pair.ts";
import type { Wanted } from "./packages-program.ts";
import { system } from "./system.ts";
import { Vendor } from "./vendor.ts";

/** A vendor's repository that the program adds by itself: a stand-in for what this lab cannot reach. */
describe("a vendor's repository, by apt", () => {
  let lab: Lab;
  let node: LabNode;
  let vendor: Vendor;
  let key: Awaited<ReturnType<Vendor["makeKey"]>>;
  let other: typeof key;
  let bare: string[];
  beforeAll(async () => {
    lab = await Lab.open({ nodes: ["node1"] });
    [node] = lab.nodes as [LabNode];
    vendor = await Vendor.open(lab);
    [key, other] = [await vendor.makeKey("key"), await vendor.makeKey("other")];
    await vendor.makeApt("stand-in-server", key);
    await vendor.prepare(node);
    await node.run(["apt-get", "update", "-q"]);
    bare = await fileTree(node, left);
  }, 300_000);
  afterAll(async () => {
    await vendor?.close();
    await lab?.close();
  });

  const wanted = (changed: Partial<Wanted["source"]> = {}): Wanted => ({
    family: "debian",
    source: {
      name: "stand-in",
      uri: `${vendor.url}/apt`,
      suite: "stand-in",
      component: "main",
      key: { url: key.file, fingerprint: key.fingerprint },
      hides: [],
      ...changed,
    },
    packages: ["stand-in-server"],
    answers: ["stand-in-server stand-in-server/root-pass password given"],
  });
  /** What the package system leaves of every package that was once there. */
  const left = ["/var/cache", "/var/log", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/systemd"];
  const files = "ls /etc/apt/sources.list.d /etc/apt/keyrings";

  test("a key with another fingerprint than the pinned one: nothing is written", async () => {
    const before = (await node.sh(files)).stdout;
    const answer = await vendor.run(
      node,
      "apply",
      wanted({ key: { url: other.file, fingerprint: key.fingerprint } }),
    );
    expect(answer).toMatchObject({
      code: "packages.untrusted",
      message: expect.stringContaining(`but ${other.fingerprint}`),
    });
    expect((await node.sh(files)).stdout).toBe(before);
  });

  test("its package comes with what it needs, its question answered, and a second run changes nothing", async () => {
    const answer = await vendor.run(node, "apply", wanted());
    expect(answer["applied"]).toEqual([
      "key:/etc/apt/keyrings/chime-node-stand-in.asc",
      "file:/etc/apt/sources.list.d/chime-node-stand-in.sources",
      "package:stand-in-server",
    ]);
    expect(await node.read("/var/lib/stand-in-server.notes")).toBe("answer=given telemetry-off=1\n");
    const modes = "stat -c '%a %U' /etc/apt/keyrings/*stand-in* /etc/apt/sources.list.d/*stand-in*";
    expect((await node.sh(modes)).stdout).toBe("644 root\n644 root\n");
    // The key is trusted for this repository and no other.
    const update = await node.sh("apt-get update -q 2>&1");
    expect(update.stdout).not.toMatch(/^[WE]:/m);
    expect(await vendor.run(node, "apply", wanted())).toEqual({ applied: [] });
  });

  test("taken back, the machine is as it was", async () => {
    await vendor.run(node, "undo", wanted());
    await node.run(["rm", "-rf", "/var/lib/stand-in"]);
    expect(await fileTree(node, left)).toEqual(bare);
  });

  test("one that was cut off as it was almost unpacked, which apt alone never repairs, is unpacked again", async () => {
    const torn = "/^Package: stand-in-server-library$/,/^$/s/^Status: .*/Status: install reinstreq unpacked/";
    await vendor.run(node, "apply", wanted());
    await node.run(["dpkg", "--purge", "stand-in-server"]);
    await node.run(["sed", "-i", torn, "/var/lib/dpkg/status"]);
    const alone = await node.sh("(dpkg --configure -a || apt-get install -y --fix-broken) 2>&1", {
      check: false,
    });
    expect(alone.stdout).toContain("very bad inconsistent state");
    expect(await vendor.run(node, "apply", wanted())).toEqual({ applied: ["package:stand-in-server"] });
    expect((await node.run(["dpkg", "--audit"])).stdout).toBe("");
    await vendor.run(node, "undo", wanted());
    await node.run(["rm", "-rf", "/var/lib/stand-in"]);
    expect(await fileTree(node, left)).toEqual(bare);
  });

  test.skipIf(!process.env["CHIME_LONG"])(
    "one of another architecture is unpacked again, and not the native one (--long)",
    async () => {
      const { stdout: native } = await node.run(["dpkg", "--print-architecture"]);
      const foreign = native.trim() === "i386" ? "amd64" : "i386";
      await node.sh(makeBoth, { env: { BOTH: `${native.trim()} ${foreign}` } });
      await node.run(["dpkg", "--add-architecture", foreign]);
      await node.run(["apt-get", "update", "-q"]);
      await node.run(["apt-get", "install", "-y", `stand-in-twin:${foreign}`]);
      const torn = "/^Package: stand-in-twin$/,/^$/s/^Status: .*/Status: install reinstreq unpacked/";
      await node.run(["sed", "-i", torn, "/var/lib/dpkg/status"]);
      expect(await vendor.run(node, "apply", wanted())).toMatchObject({ applied: expect.any(Array) });
      const shown = "--showformat=${Architecture} ${db:Status-Status} ${db:Status-Eflag}\\n";
      expect((await node.run(["dpkg-query", "--show", shown, "stand-in-twin"])).stdout).toBe(
        `${foreign} installed ok\n`,
      );
      await vendor.run(node, "undo", wanted());
      await node.run(["dpkg", "--purge", `stand-in-twin:${foreign}`]);
      await node.run(["dpkg", "--remove-architecture", foreign]);
      await node.sh(
        "rm -rf /var/lib/stand-in /tmp/twins /etc/apt/sources.list.d/twins.list; apt-get update -q",
      );
      expect(await fileTree(node, left)).toEqual(bare);
    },
  );

  /** Of this lab's node, with the lab's mirror. */
  const bundled = (changed: Partial<Wanted["source"]> = {}): Wanted => ({
    ...wanted(changed),
    bundle: {
      system: system.name.replace("-", ""),
      sources: ["deb [trusted=yes] file:/mirror ./"],
      installed: "/var/lib/dpkg/status",
    },
  });

  describe.skipIf(system.name === "debian-sid")("in a bundle", () => {
    test("where another key than the pinned one is published, none is made", async () => {
      const answer = await vendor.run(
        node,
        "bundle",
        bundled({ key: { url: other.file, fingerprint: key.fingerprint } }),
      );
      expect(answer).toMatchObject({ code: "packages.untrusted" });
      expect((await node.sh("ls -A /root | grep bundle", { check: false })).stdout).toBe("");
    });

    test("it has the vendor's key, packages and licences; a node that has it asks no vendor", async () => {
      const { files } = await vendor.run(node, "bundle", bundled());
      expect(files).toEqual([
        "install.sh",
        expect.stringMatching(/^chime-node-linux-/),
        "LICENSES.txt",
        "sbom.cdx.json",
        "keys/stand-in.asc",
        "repo/Packages",
        "repo/Release",
        "repo/pool/stand-in-server_1.0_all.deb",
        "repo/pool/stand-in-server-library_1.0_all.deb",
      ]);
      const texts = await node.sh(
        "tar -xOf /root/bundle.tar LICENSES.txt; tar -xOf /root/bundle.tar keys/stand-in.asc",
      );
      expect(texts.stdout).toContain("stand-in-server 1.0\nstand-in-server-library 1.0\n");
      expect(texts.stdout).toContain("Permission is hereby granted");
      expect(texts.stdout).toContain("A licence that stands in.");
      expect(texts.stdout).toContain("BEGIN PGP PUBLIC KEY BLOCK");
      const nowhere = {
        uri: "https://10.77.0.253/apt",
        key: { ...wanted().source.key, url: "https://10.77.0.253/key" },
      };
      expect(await vendor.run(node, "apply", wanted(nowhere))).toEqual({
        applied: ["package:stand-in-server"],
      });
      expect(await node.read("/var/lib/stand-in-server.notes")).toBe("answer=given telemetry-off=1\n");
      await vendor.run(node, "undo", wanted(nowhere));
      await node.sh("rm -rf /var/lib/stand-in /var/lib/chime-node /run/chime-node /root/bundle.tar");
      expect(await fileTree(node, left)).toEqual(bare);
    });
  });

  test("lists that another key signed are not taken, and the error says so", async () => {
    await vendor.signApt(other);
    // Those that were fetched before are still good.
    await node.run(["sh", "-c", "rm -f /var/lib/apt/lists/*stand-in*"]);
    expect(await vendor.run(node, "apply", wanted())).toMatchObject({
      code: "packages.untrusted",
      message: expect.stringContaining(`${vendor.url}/apt`),
    });
    expect((await node.run(["dpkg", "-l", "stand-in-server"], { check: false })).code).toBe(1);
    await vendor.run(node, "undo", wanted());
    await vendor.signApt(key);
  });

  test("an operator's own file for the same repository stays in force: ours would stop apt, and is refused", async () => {
    const theirs = "/etc/apt/sources.list.d/theirs.list";
    await node.put("/etc/apt/keyrings/theirs.asc", await vendor.served("key.asc"));
    await node.put(theirs, `deb [signed-by=/etc/apt/keyrings/theirs.asc] ${vendor.url}/apt stand-in main\n`);
    expect(await vendor.run(node, "apply", wanted())).toMatchObject({
      code: "file.check_failed",
      message: expect.stringContaining("Conflicting values set for option Signed-By"),
    });
    expect((await node.sh("apt-get update -q 2>&1")).stdout).not.toMatch(/^[WE]:/m);
    await vendor.run(node, "undo", wanted());
    await node.run(["rm", theirs, "/etc/apt/keyrings/theirs.asc"]);
  });

  /** The catalog has Percona for Debian 12. */
  describe.skipIf(system.name !== "debian-12")("Percona, as init has it without a word", () => {
    const join = () => chime(node, ["join", "--role", "mysql"]);
    const sources = async () => (await node.sh("ls /etc/apt/sources.list.d /etc/apt/keyrings")).stdout;
    let before: string;
    beforeAll(async () => {
      await node.install(await buildBinary());
      before = await sources();
      expect((await chime(node, ["init", "--vip", `mysql=${vip}`])).code).toBe(0);
    }, 300_000);

    test("where its vendor cannot be reached, join says so before anything is touched", async () => {
      const answer = await join();
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toStartWith(
        "mysql.repository: https://repo.percona.com/yum/PERCONA-PACKAGING-KEY cannot be fetched",
      );
      expect(await sources()).toBe(before);
    });

    test("where another one answers in its name, with a certificate that this node trusts, its key is refused", async () => {
      await vendor.publish("/yum/PERCONA-PACKAGING-KEY", await vendor.served("key.asc"));
      await node.sh(`echo '${lab.client.address} repo.percona.com' >>/etc/hosts`);
      const answer = await join();
      expect(verdict(answer)).toEqual([3, "preflight.failed"]);
      expect(answer.json.error?.message).toContain(
        `is not the one that this release trusts (4D1BB29D63D98E422B2113B19334A25F8507EFA5), but ${key.fingerprint}`,
      );
      expect(await sources()).toBe(before);
    });
  });
});

/** A repository on the node with the same package for $BOTH architectures. */
const makeBoth = `
for arch in $BOTH; do
  mkdir -p /tmp/twins/$arch/DEBIAN
  cd /tmp/twins
  printf 'Package: stand-in-twin\\nVersion: 1.0\\nArchitecture: %s\\nMaintainer: stand-in <stand-in@localhost>\\nDescription: stands in\\n' $arch >$arch/DEBIAN/control
  dpkg-deb -b $arch $arch.deb
  { dpkg-deb -f $arch.deb; echo "Filename: ./$arch.deb"; stat -c 'Size: %s' $arch.deb; echo "SHA256: $(sha256sum <$arch.deb | cut -d' ' -f1)"; echo; } >>Packages
done
chmod -R a+rX /tmp/twins
echo 'deb [trusted=yes] file:/tmp/twins ./' >/etc/apt/sources.list.d/twins.list
`;
