import { paths } from "../../core/paths.ts";
import { ChimeError } from "../../core/errors.ts";
import { file } from "../../resources/file.ts";
import { port } from "../../resources/port.ts";
import { service } from "../../resources/service.ts";
import { sysctl } from "../../resources/sysctl.ts";
import { productPath } from "../../host/catalog.ts";
import type { RoleContext, RolePlan } from "../types.ts";
import { accounts } from "./accounts.ts";
import { Session } from "./client.ts";
import { stagePath } from "./copy/places.ts";
import { engineOf } from "./engine/index.ts";
import { firstData } from "./first-data.ts";
import type { Engine } from "./engine/types.ts";
import { isHeld } from "./guard/unit.ts";
import { layout, mysqlPort, mysqlSpec, roleName } from "./layout.ts";
import { issuedCertificate } from "../issued.ts";
import { marker } from "../marker.ts";
import { productPackages } from "../product-packages.ts";

/** All that a node of the pair has on its host, by the phase it completes. */
export function resources(context: RoleContext): RolePlan {
  const { self, cluster } = context;
  const { product, config, data, pidFile, dropIn, socket, startOptions, tls } = layout(context);
  const spec = mysqlSpec(context);
  const engine = engineOf(spec);
  // Most make the empty database.
  const packages = productPackages(product, context, { data, answers: product.answers ?? [] });
  const installed = packages.ids;
  const database = firstData({ data, product }, engine, installed);
  const mine = marker(
    roleName,
    { data, owner: product.user },
    { cluster: cluster.id, clusterName: cluster.name, node: self.name },
    [...installed, database.id],
  );
  // The VIP too: a client that verifies names what it connects to.
  const addresses = [self.address, spec.vip.address];
  const keys = issuedCertificate({
    name: "mysql",
    called: self.name,
    paths: tls,
    owner: product.user,
    subjects: addresses,
    reload: () => reloadCertificate({ socket, unit: product.unit }, engine),
    needs: installed,
  });
  // In place before the package is: systemd reads it with the package's unit.
  const unit = file({ path: dropIn, content: unitDropIn(startOptions, data, engine) });
  const settings = file({
    path: config,
    content: engine.config({
      serverId: self.index,
      address: self.address,
      vip: spec.vip.address,
      // Neighbours by index differ; where they do not, one writer at a time still makes no key twice.
      incrementOffset: 2 - (self.index % 2),
      pidFile,
      tls,
    }),
    check: { argv: engine.configCheck(productPath(product, "binary")) },
    needs: [...installed, mine.id, keys.id],
  });
  const anyAddress = sysctl("net.ipv4.ip_nonlocal_bind", "1");
  const server = service({
    unit: product.unit,
    // The agent starts it: how depends on what became of the writer's term meanwhile.
    enabled: false,
    isHeld,
    restartOn: [settings, unit],
    needs: [...installed, anyAddress.id],
  });
  return {
    installed: [unit, ...packages.resources],
    configured: [
      database,
      mine,
      keys,
      settings,
      anyAddress,
      server,
      port({ port: mysqlPort, protocol: "tcp" }),
    ],
    ready: [accounts(context, [server.id])],
  };
}

/**
 * systemd restarts nothing here: after an unclean stop the guard first learns whether the peer took over, for that
 * decides what becomes of transactions that nobody acknowledged. Before a stop the agent hands over what this server
 * writes: at a shutdown it is stopped first, while keepalived and the agent still run.
 */
function unitDropIn(
  startOptions: string,
  data: string,
  { beforeStop, stopSeconds, environment }: Pick<Engine, "beforeStop" | "stopSeconds" | "environment">,
): string {
  // Also where the agent is dead.
  const stop = beforeStop === undefined ? "" : `ExecStop=+/bin/sh -c '${beforeStop}'\n`;
  const limit = stopSeconds === undefined ? "" : `TimeoutStopSec=${stopSeconds}s\nSendSIGKILL=yes\n`;
  const variable = environment === undefined ? "" : `Environment=${environment}\n`;
  return `# Written by chime-node.
[Unit]
After=chime-node.service keepalived.service
# Old data that are going and new ones that are coming: a server that starts on them would make a third kind.
AssertPathExists=!${stagePath(data, "clear")}
AssertPathExists=!${stagePath(data, "fill")}

[Service]
Restart=no
EnvironmentFile=-${startOptions}
${variable}# The server listens on the VIP also while that is on the other node (ip-sysctl: ip_nonlocal_bind).
ExecStartPre=+/bin/sh -c 'echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind'
ExecStop=-+${paths.binary} agent --before-stop ${roleName}
${stop}${limit}`;
}

const reloadMs = 5_000;

/** Connections that are open keep theirs. */
async function reloadCertificate(at: { socket: string; unit: string }, engine: Engine): Promise<void> {
  const session = new Session({ ...at, timeoutMs: reloadMs });
  try {
    await session.run([engine.reloadTls]);
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "mysql.down")) throw error;
  } finally {
    session.close();
  }
}
