import { mkdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { ExecResult } from "../../src/core/exec.ts";
import { releases } from "../host/os-releases.ts";
import type { Lab } from "./lab.ts";
import { ensureToolRoot } from "./tool-root.ts";

/** The real dnf, rpm and createrepo_c, as Debian packages them, with what makes packages and signs them. */
const packages = ["dnf", "rpm", "createrepo-c", "curl", "ca-certificates", "gnupg"];

/** $1: the machine's directory, $2: the root below it, $3: the lab's directory, $4: bun, $5: what to run. */
const enter = `
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
for at in dev proc sys; do mount --rbind /$at "$1/root/$at"; done
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/sys/fs"; mkdir "$1/root/sys/fs/selinux"; echo 1 >"$1/root/sys/fs/selinux/enforce"
mkdir -p "$1/root/lab"; mount --bind "$3" "$1/root/lab"
touch "$1/root/usr/local/bin/bun"; mount --bind "$4" "$1/root/usr/local/bin/bun"
exec chroot "$1/root" sh -ec "$5"`;

/** A package made on the spot; its name should say that it stands in. */
export interface Rpm {
  name: string;
  version?: string;
  /** Further lines of its spec file's head, like \`Requires: …\`. */
  head?: readonly string[];
  /** What it runs after it was installed, and before it is removed. */
  post?: string;
  preun?: string;
}

/** What packages need of every system, and what tells dnf which release it is. */
export const standInSystem: Rpm = {
  name: "stand-in-system",
  version: "9",
  head: ["Provides: /bin/sh", "Provides: system-release", "Provides: system-release(releasever) = 9"],
};

/**
 * Not a whole machine: a root with the real dnf and rpm whose os-release is that of Rocky Linux 9, in the lab's client's
 * network. What is mounted in it is gone with each command, what was written stays until the lab closes.
 */
export class ElMachine {
  readonly #lab: Lab;
  readonly #root: string;
  readonly #directory: string;

  private constructor(lab: Lab, root: string) {
    this.#lab = lab;
    this.#root = root;
    this.#directory = join(lab.work, "el");
  }

  static async start(lab: Lab): Promise<ElMachine> {
    const machine = new ElMachine(lab, await ensureToolRoot("rpm", packages, console.error));
    for (const name of ["upper", "work", "root"])
      await mkdir(join(machine.#directory, name), { recursive: true });
    const rocky = releases.find(({ key, text }) => key === "el-9" && text.includes("Rocky"));
    await machine.put("/etc/os-release", rocky?.text ?? "");
    // Nobody answers for names here; rpmbuild asks for its own.
    await machine.put("/etc/hosts", `127.0.0.1 localhost ${hostname()}\n`);
    await machine.put("/etc/resolv.conf", "");
    await machine.sh("mkdir -p /etc/yum.repos.d /etc/pki/rpm-gpg");
    // SELinux by name alone: who is asked for a label is noted.
    await machine.put("/usr/local/sbin/restorecon", '#!/bin/sh\necho "$@" >>/root/labels\n');
    await machine.sh("chmod 755 /usr/local/sbin/restorecon");
    await machine.makeRepository("/srv/system", [standInSystem]);
    await machine.sh("rpm -i --nodeps --force-debian /srv/system/stand-in-system-9-1.noarch.rpm");
    return machine;
  }

  async put(path: string, content: string): Promise<void> {
    const target = join(this.#directory, "upper", path);
    await mkdir(join(target, ".."), { recursive: true });
    await writeFile(target, content);
  }

  /** Runs a script in it; what the lab keeps is at `/lab`. */
  async sh(text: string, options: { check?: boolean } = {}): Promise<ExecResult> {
    const words = [this.#directory, this.#root, this.#lab.work, process.execPath, text];
    const argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", enter, "sh", ...words];
    return this.#lab.client.run(argv, { ...options, timeoutMs: 80_000 });
  }

  /** Builds packages and makes a repository of them at a path in the machine; `sign`: GnuPG's home and the key's name. */
  async makeRepository(
    path: string,
    rpms: readonly Rpm[],
    sign?: { home: string; key: string },
  ): Promise<void> {
    const work = "/tmp/rpms";
    for (const rpm of rpms) await this.put(`${work}/${rpm.name}.spec`, spec(rpm));
    const names = rpms.map(({ name }) => name).join(" ");
    await this.sh(`mkdir -p ${path}
      for name in ${names}; do
        rpmbuild -bb --quiet --define "_rpmdir ${path}" --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" ${work}/$name.spec 2>/dev/null
      done
      ${sign ? `rpmsign --define "__gpg /usr/bin/gpg" --define "_gpg_path ${sign.home}" --define "_gpg_name ${sign.key}" --addsign ${path}/*.rpm >/dev/null` : ""}
      createrepo_c -q ${path}`);
  }
}

function spec({ name, version = "1.0", head = [], post, preun }: Rpm): string {
  return `Name: ${name}
Version: ${version}
Release: 1
Summary: stands in for a package
License: none
BuildArch: noarch
${head.join("\n")}
%description
Stands in for a package.
%install
mkdir -p %{buildroot}/usr/share/${name}
echo "${version}" >%{buildroot}/usr/share/${name}/version
${post ? `%post\n${post}` : ""}
${preun ? `%preun\n${preun}` : ""}
%files
/usr/share/${name}
`;
}
