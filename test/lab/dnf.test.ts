import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ElMachine, standInSystem } from "./el.ts";
import { Lab } from "./lab.ts";
import type { Wanted } from "./packages-program.ts";
import { programOf } from "./program.ts";
import { Vendor } from "./vendor.ts";

/** Enterprise Linux 8 has such a one of MySQL: its default stream hides all other packages of these names. */
const moduleOfTheSystem = `---
document: modulemd
version: 2
data:
  name: stand-in
  stream: "1"
  version: 1
  context: abcdef12
  summary: Stands in for a module
  description: Stands in for a module.
  license:
    module: [none]
  artifacts:
    rpms: ["stand-in-server-0:0.5-1.noarch"]
---
document: modulemd-defaults
version: 1
data:
  module: stand-in
  stream: "1"
  profiles:
    "1": []
`;

/**
 * The real dnf and rpm on an Enterprise Linux by name, with packages that stand in for a vendor's and the system's.
 * Long because it needs packages that no other lab needs.
 */
describe.skipIf(process.env["CHIME_LONG"] !== "1")("packages by dnf", () => {
  let lab: Lab;
  let machine: ElMachine;
  let vendor: Vendor;
  let key: Awaited<ReturnType<Vendor["makeKey"]>>;
  let other: typeof key;
  let bare: string;
  beforeAll(async () => {
    lab = await Lab.open({ nodes: [], boot: false });
    machine = await ElMachine.start(lab);
    vendor = await Vendor.open(lab);
    [key, other] = [await vendor.makeKey("key"), await vendor.makeKey("other")];
    await machine.put("/usr/local/share/ca-certificates/stand-in.crt", vendor.authority);
    await machine.put(
      "/root/packages-program.js",
      await programOf(join(import.meta.dir, "packages-program.ts")),
    );
    await machine.sh("update-ca-certificates >/dev/null 2>&1");
    await publish("good", "1.0", key);
    // The system's own packages: one that would be taken instead of the vendor's, one that needs the vendor's library.
    await machine.makeRepository("/srv/os", [
      { name: "stand-in-library", version: "9.0" },
      { name: "stand-in-neighbour", head: ["Requires: stand-in-library"] },
      // What a node has before us, and what packages need only beside it.
      standInSystem,
      { name: "selinux-policy-targeted" },
      { name: "stand-in-policy" },
    ]);
    await machine.put("/srv/modules.yaml", moduleOfTheSystem);
    await machine.sh("modifyrepo_c --mdtype=modules /srv/modules.yaml /srv/os/repodata >/dev/null");
    const os = "[os]\nname=os\nbaseurl=file:///srv/os\nenabled=1\ngpgcheck=0\n";
    await machine.put("/etc/yum.repos.d/os.repo", os);
    bare = await state();
  }, 400_000);
  afterAll(async () => {
    await vendor?.close();
    await lab?.close();
  });

  /** A signed repository below the vendor's server. */
  const publish = (at: string, version: string, by: typeof key) =>
    machine.makeRepository(
      `/lab/vendor/${at}`,
      [
        { name: "stand-in-library", version },
        {
          name: "stand-in-server",
          version,
          head: ["Requires: stand-in-library", "Requires: (stand-in-policy if selinux-policy-targeted)"],
          post: 'echo "telemetry-off=$PERCONA_TELEMETRY_DISABLE" >/usr/share/stand-in-server/notes',
          preun: "rm -f /usr/share/stand-in-server/notes",
        },
      ],
      { home: "/lab/gnupg", key: by.fingerprint },
    );
  const wanted = (at: string, changed: Partial<Wanted["source"]> = {}): Wanted => ({
    family: "el",
    source: {
      name: "stand-in",
      uri: `${vendor.url}/${at}`,
      suite: "",
      component: "",
      key: { url: key.file, fingerprint: key.fingerprint },
      hides: ["stand-in-library-9*"],
      ...changed,
    },
    packages: ["stand-in-server"],
    answers: [],
  });
  async function run(verb: "apply" | "undo" | "bundle", what: Wanted): Promise<Record<string, unknown>> {
    const { stdout } = await machine.sh(`bun /root/packages-program.js ${verb} '${JSON.stringify(what)}'`);
    return JSON.parse(stdout || "{}") as Record<string, unknown>;
  }
  /** What is installed, keys among it, and the files that tell dnf where from. */
  async function state(): Promise<string> {
    return (await machine.sh("rpm -qa | sort; ls /etc/yum.repos.d /etc/pki/rpm-gpg /usr/share | sort"))
      .stdout;
  }

  test("a package that another key signed is refused, and nothing of it is installed", async () => {
    await publish("bad", "1.0", other);
    expect(await run("apply", wanted("bad"))).toMatchObject({
      code: "packages.untrusted",
      message: expect.stringContaining("stand-in-server is not signed by the key that is trusted"),
    });
    expect((await machine.sh("rpm -qa")).stdout).not.toContain("stand-in-server");
    // What did not come is nobody's, also if it comes later.
    expect((await machine.sh("cat /var/lib/stand-in/backups/packages")).stdout).toMatch(
      /^(gpg-pubkey-\w+\n)?$/,
    );
    await run("undo", wanted("bad"));
    expect(await state()).toBe(bare);
  });

  test("the vendor's package comes, not the system's that is newer or of a module; a second run changes nothing", async () => {
    expect((await run("apply", wanted("good")))["applied"]).toEqual([
      "key:/etc/pki/rpm-gpg/chime-node-stand-in.asc",
      "file:/etc/yum.repos.d/chime-node-stand-in.repo",
      "package:stand-in-server",
    ]);
    const { stdout } = await machine.sh("rpm -qa | sort; cat /usr/share/stand-in-server/notes");
    expect(stdout).toContain("stand-in-library-1.0-1.noarch\nstand-in-server-1.0-1.noarch\n");
    expect(stdout).toContain("telemetry-off=1");
    const labels = await machine.sh("sort -u /root/labels | grep ' /etc/'");
    expect(labels.stdout).toBe(
      "-F /etc/pki/rpm-gpg/chime-node-stand-in.asc\n-F /etc/yum.repos.d/chime-node-stand-in.repo\n",
    );
    expect(await run("apply", wanted("good"))).toEqual({ applied: [] });
  });

  test("an upgrade of the whole system leaves its version alone", async () => {
    await publish("good", "2.0", key);
    await machine.sh("dnf -q -y upgrade --refresh --exclude='stand-in-library-9*'");
    expect((await machine.sh("rpm -q stand-in-server")).stdout).toBe("stand-in-server-1.0-1.noarch\n");
  });

  test("taken back: what came to be needed by others stays, all else is as it was", async () => {
    await machine.sh("dnf -q -y install stand-in-neighbour");
    await run("undo", wanted("good"));
    expect((await machine.sh("rpm -qa | sort")).stdout).toContain("stand-in-library-1.0-1.noarch\n");
    await machine.sh("rpm -e stand-in-neighbour stand-in-library; rm -rf /var/lib/stand-in");
    expect(await state()).toBe(bare);
  });

  describe("in a bundle", () => {
    const bundled = (at: string): Wanted => ({
      ...wanted(at),
      bundle: { system: "el9", sources: ["/etc/yum.repos.d/os.repo"] },
    });
    const clean = () =>
      machine.sh("rm -rf /var/lib/stand-in /var/lib/chime-node /run/chime-node /root/bundle.tar");

    test("a package that another key signed is not put into one", async () => {
      expect(await run("bundle", bundled("bad"))).toMatchObject({ code: "bundle.untrusted_package" });
      expect((await machine.sh("ls -A /root | grep bundle || :")).stdout).toBe("");
    });

    test("it has all that a node needs that knows nothing, policies for SELinux too; again, it is the same", async () => {
      const { id, files } = await run("bundle", bundled("good"));
      expect(files).toEqual([
        "install.sh",
        expect.stringMatching(/^chime-node-linux-/),
        "LICENSES.txt",
        "sbom.cdx.json",
        "keys/stand-in.asc",
        "repo/repodata/filelists.xml.gz",
        "repo/repodata/other.xml.gz",
        "repo/repodata/primary.xml.gz",
        "repo/repodata/repomd.xml",
        "repo/pool/selinux-policy-targeted_1.0-1_noarch.rpm",
        "repo/pool/stand-in-library_2.0-1_noarch.rpm",
        "repo/pool/stand-in-policy_1.0-1_noarch.rpm",
        "repo/pool/stand-in-server_2.0-1_noarch.rpm",
        "repo/pool/stand-in-system_9-1_noarch.rpm",
      ]);
      expect((await machine.sh("tar -xOf /root/bundle.tar LICENSES.txt")).stdout).toContain(
        "stand-in-server 2.0-1\nstand-in-system 9-1\n",
      );
      await clean();
      expect((await run("bundle", bundled("good")))["id"]).toBe(id);
    });

    test("a node that has it asks neither the vendor nor the system's own repositories", async () => {
      await machine.sh("mv /etc/yum.repos.d/os.repo /root");
      const dead = "[dead]\nname=dead\nbaseurl=https://10.77.0.253/\nenabled=1\n";
      await machine.put("/etc/yum.repos.d/dead.repo", dead);
      const nowhere = wanted("", {
        uri: "https://10.77.0.253/",
        key: { ...wanted("").source.key, url: "https://10.77.0.253/key" },
      });
      expect(await run("apply", nowhere)).toEqual({ applied: ["package:stand-in-server"] });
      expect((await machine.sh("rpm -q stand-in-server")).stdout).toBe("stand-in-server-2.0-1.noarch\n");
      await run("undo", nowhere);
      await machine.sh("rm /etc/yum.repos.d/dead.repo; mv /root/os.repo /etc/yum.repos.d");
      await clean();
      expect(await state()).toBe(bare);
    });

    test("its versions are compared with those that are installed as rpm counts", async () => {
      const pairs: [one: string, other: string, isOlder: boolean][] = [
        ["1.0-1", "1:0.9-1", true],
        ["1:0.9-1", "1.0-1", false],
        ["1.10-1", "1.9-1", false],
        ["1.0~rc1-1", "1.0-1", true],
        ["1.0-1", "1.0-1", false],
        ["1.0-1.el9", "1.0-2.el9", true],
      ];
      await machine.put(
        "/root/version.js",
        await programOf(join(import.meta.dir, "../../src/host/packages/rpm-version.ts")),
      );
      const script = `import { isOlderRpm } from "/root/version.js";
        console.log(JSON.stringify(await Promise.all(${JSON.stringify(pairs)}.map(([a, b]) => isOlderRpm(a, b)))));`;
      await machine.put("/root/compare.js", script);
      expect(JSON.parse((await machine.sh("bun /root/compare.js")).stdout)).toEqual(
        pairs.map(([, , is]) => is),
      );
    });
  });

  test("what no repository offers is said by name", async () => {
    const unknown = { ...wanted("good"), packages: ["stand-in-nothing"] };
    expect(await run("apply", unknown)).toMatchObject({
      code: "packages.unknown",
      message: expect.stringContaining("stand-in-nothing"),
    });
    await run("undo", unknown);
  });
});
