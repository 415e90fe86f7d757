import { failed } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import { paths } from "../../core/paths.ts";
import { product, productPath } from "../../host/catalog.ts";
import type { Finding } from "../../host/checks.ts";
import { readText } from "../../host/files.ts";
import { showUnit } from "../../host/systemd.ts";
import { file } from "../../resources/file.ts";
import { pkg } from "../../resources/package.ts";
import { service } from "../../resources/service.ts";
import { sysctl } from "../../resources/sysctl.ts";
import { configMarker as marker, renderHaproxy } from "./haproxy-config.ts";
import { isOf, mainProcess } from "./haproxy-process.ts";
import { askHaproxy } from "./haproxy-socket.ts";
import { foreignConfig } from "../foreign.ts";
import { hold, holdMap, holdMapText, holdScript, holdScriptText, release } from "./hold.ts";
import { shutdownScript, shutdownScriptText } from "./shutdown-sessions.ts";
import { parseStats, showServers } from "./stats.ts";
import type { Balancer } from "./types.ts";

/** On every system that the catalog has it for. */
const configPath = "/etc/haproxy/haproxy.cfg";
const unit = "haproxy.service";

/** As what its unit asks the agent before it stops. */
export const balancerName = "balancer";

/** Known before the spec is: a joiner may ignore it by name. */
export const foreignCheck = "haproxy.foreign";

/** haproxy on every node of a service: all of them bind its VIP, whoever holds it. */
export const haproxy: Balancer = {
  products: ["haproxy"],
  checks: (clusterId) => [
    { name: foreignCheck, run: async () => checkForeign(await readText(configPath), clusterId) },
  ],
  resources({ context, services }) {
    const { cluster, facts, spec } = context;
    const row = product("haproxy", facts.os);
    const { family } = facts.os;
    const packages = row.packages.map((name) =>
      pkg({ name, family, from: spec.cluster.packages, units: [row.unit] }),
    );
    const installed = packages.map(({ id }) => id);
    // In place before the package is: systemd reads it with the package's unit.
    const dropIn = file({ path: `/etc/systemd/system/${row.unit}.d/chime-node.conf`, content: dropInText });
    const scripts = [
      file({ path: shutdownScript, content: shutdownScriptText, needs: installed }),
      file({ path: holdScript, content: holdScriptText, needs: installed }),
    ];
    const map = file({ path: holdMap, content: holdMapText, needs: installed });
    const certificates = [
      ...new Map(
        services.flatMap(({ tls }) => (tls ? [[tls.certificate.id, tls.certificate]] : [])),
      ).values(),
    ];
    const config = file({
      path: productPath(row, "config"),
      content: renderHaproxy(cluster.id, services),
      check: { argv: [productPath(row, "binary"), "-c", "-f", "{}"] },
      needs: [...installed, ...[...scripts, map, ...certificates].map(({ id }) => id)],
    });
    const anyAddress = sysctl("net.ipv4.ip_nonlocal_bind", "1");
    const running = service({
      unit: row.unit,
      reloadOn: [...scripts, map, ...certificates, config],
      needs: [...installed, dropIn.id, anyAddress.id],
    });
    return {
      installed: [dropIn, ...packages],
      configured: [anyAddress, ...certificates, ...scripts, map, config, running],
    };
  },
  async view() {
    const answer = await askHaproxy(showServers);
    return answer === undefined ? [] : parseStats(answer);
  },
  async admit({ service, route, node }) {
    await askHaproxy(`set server ${service}.${route}/${node} health up`);
  },
  hold: (service, seconds) => hold(service, seconds, Date.now()),
  release: (service) => release(service),
  async find() {
    const pid = await mainProcess(unit);
    if (pid === undefined) throw failed("balancer.down", "haproxy does not run", `systemctl status ${unit}`);
    return {
      // Not by systemd, which answers nobody while it reloads.
      stopTaking: () => void process.kill(pid, stopSignal),
      end: () => end(pid),
    };
  },
  async endStopped() {
    const { active } = await showUnit(unit);
    // haproxy itself tells systemd that it is stopping.
    if (active !== "active" && active !== "deactivating") return;
    const pid = await mainProcess(unit);
    if (pid !== undefined && (await askHaproxy(showServers)) === undefined) await end(pid);
  },
};

/** A worker that was told to stop ends at SIGTERM, too (management.txt, 4); its unit starts another one. */
async function end(pid: number): Promise<void> {
  if (!(await isOf(unit, pid))) return;
  log.info("haproxy: told to stop, and still answering somebody: ended");
  process.kill(pid, "SIGTERM");
}

/** To its first process, which tells the others: nothing new is taken, what is under way is ended (management.txt, 4). */
const stopSignal = "SIGUSR1";

/** Long enough for what is under way when it is told to stop; large objects are begun again by their clients. */
const stopSeconds = 20;

/** After the agent, so that at a shutdown it stops while that still runs. */
const dropInText = `# Written by chime-node.
[Unit]
After=chime-node.service keepalived.service
StartLimitIntervalSec=0

[Service]
RuntimeDirectory=haproxy
# Nobody new is let in, what is under way is ended, and the VIP leaves: then it is told to stop.
ExecStop=-+${paths.binary} agent --before-stop ${balancerName}
# It listens on the VIPs also while they are on another node (ip-sysctl: ip_nonlocal_bind).
ExecStartPre=+/bin/sh -c 'echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind'
KillSignal=${stopSignal}
TimeoutStopSec=${stopSeconds}s
Restart=always
RestartSec=100ms
`;

/** What packages bring along has no part that serves anything; on Enterprise Linux it has, as an example. Pure. */
export function checkForeign(text: string | undefined, clusterId: string): Finding | undefined {
  const serves = text !== undefined && /^\s*(frontend|listen)\s/m.test(text);
  return serves ? foreignConfig({ name: "haproxy", path: configPath, marker }, text, clusterId) : undefined;
}
