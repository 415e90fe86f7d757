import { paths } from "../core/paths.ts";
import { product, productPath } from "../host/catalog.ts";
import { file } from "../resources/file.ts";
import { pkg } from "../resources/package.ts";
import { port } from "../resources/port.ts";
import { service } from "../resources/service.ts";
import type { Resource } from "../resources/types.ts";
import type { RoleContext, VipRequest } from "../roles/types.ts";
import { notifyFifo } from "./fifo.ts";
import { vipInstances } from "./instances.ts";
import { parseVersion, renderKeepalived } from "./keepalived.ts";

/** Made at boot and before each start of keepalived, whichever comes first. */
const tmpfilesPath = "/etc/tmpfiles.d/chime-node.conf";

/**
 * keepalived with these VIPs, for the phases `installed` and `configured`. Pure.
 * @throws ChimeError `host.unsupported`, and what `vipInstances` throws
 */
export function vipResources(input: { context: RoleContext; requests: readonly VipRequest[] }): {
  installed: Resource[];
  configured: Resource[];
} {
  const { context, requests } = input;
  const { cluster, self, facts } = context;
  const keepalived = product("keepalived", facts.os);
  const installed = keepalived.packages.map((name) =>
    pkg({ name, family: facts.os.family, from: context.spec.cluster.packages, units: [keepalived.unit] }),
  );
  const packages = installed.map((resource) => resource.id);
  // In place before the package is: systemd reads it with the package's unit.
  const tmpfiles = file({ path: tmpfilesPath, content: renderTmpfiles() });
  const dropIn = file({
    path: `/etc/systemd/system/${keepalived.unit}.d/chime-node.conf`,
    content: renderDropIn(),
  });
  const config = file({
    path: productPath(keepalived, "config"),
    content: renderKeepalived(
      { name: self.name, clusterId: cluster.id, version: parseVersion(keepalived.version) },
      vipInstances(context, requests),
    ),
    // keepalived exits 0 on some mistakes that it only talks about, and its exit codes changed between versions.
    check: { argv: [productPath(keepalived, "binary"), "-t", "-f", "{}"], silent: true },
    needs: packages,
  });
  const firewall = port({ protocol: "vrrp" });
  const running = service({
    unit: keepalived.unit,
    reloadOn: [config],
    needs: [...packages, tmpfiles.id, dropIn.id, firewall.id],
  });
  return { installed: [tmpfiles, dropIn, ...installed], configured: [config, firewall, running] };
}

/** tmpfiles.d(5). `p` leaves a FIFO that is there alone, so that agent and keepalived keep hold of the same one. */
function renderTmpfiles(): string {
  return `# Written by chime-node: where its agent and keepalived meet.
d ${paths.run} 0700 root root
d ${paths.vip} 0755 root root
p ${notifyFifo} 0600 root root
`;
}

/**
 * Without the directory keepalived drops the track file and would take part in elections that nobody allowed:
 * hence it does not start without it. After the agent, so that at a shutdown it stops before: the agent still runs
 * while the VIP leaves. A killed keepalived leaves its addresses behind, and clears them at its next start.
 */
function renderDropIn(): string {
  return `# Written by chime-node.
[Unit]
After=chime-node.service
StartLimitIntervalSec=0

[Service]
ExecStartPre=/usr/bin/systemd-tmpfiles --create ${tmpfilesPath}
Restart=always
RestartSec=100ms
`;
}
