import { file } from "../../resources/file.ts";
import { port } from "../../resources/port.ts";
import { program } from "../../resources/program.ts";
import { service, unitCheck } from "../../resources/service.ts";
import { user } from "../../resources/user.ts";
import { marker } from "../marker.ts";
import { awaitTurn } from "../await-turn.ts";
import { productPackages } from "../product-packages.ts";
import type { RoleContext, RolePlan } from "../types.ts";
import { buckets } from "./bucket-resource.ts";
import { httpPort, influxdbSpec, layout, roleName, type Layout } from "./layout.ts";
import { serverCertificate, serverFiles } from "./tls.ts";

/** All that one of the twins has on its host, by the phase it completes. */
export function resources(context: RoleContext): RolePlan {
  const { cluster, self } = context;
  const where = layout(context);
  const { product, binary, data } = where;
  const { binary: own, tls } = influxdbSpec(context);
  const packages = productPackages(product, context, own === undefined ? { data } : {});
  const programs = own === undefined ? [] : [program({ from: own, to: binary })];
  const runsAs = user(product.user);
  const ready = [runsAs.id, ...packages.ids, ...programs.map(({ id }) => id)];
  // In place of the package's own, which an update may change.
  const unit = file({
    path: `/etc/systemd/system/${product.unit}`,
    content: unitText(where, tls),
    check: unitCheck,
    needs: ready,
  });
  const mine = marker(
    roleName,
    { data, owner: product.user },
    { cluster: cluster.id, clusterName: cluster.name, node: self.name },
    ready,
  );
  const keys = tls ? [serverCertificate(context, product, ready)] : [];
  const server = service({
    unit: product.unit,
    restartOn: [unit, ...programs],
    beforeRestart: awaitTurn(roleName),
    needs: [mine.id, ...keys.map(({ id }) => id)],
  });
  return {
    // It needs nothing of the other one to start: so it does, and is set up, beside the packages of the address.
    installed: [
      runsAs,
      ...packages.resources,
      ...programs,
      ...keys,
      unit,
      mine,
      server,
      port({ port: httpPort, protocol: "tcp" }),
    ],
    configured: [],
    ready: [buckets(context, [server.id])],
  };
}

const tlsText = `Environment=INFLUXD_TLS_CERT=${serverFiles.cert}
Environment=INFLUXD_TLS_KEY=${serverFiles.key}
Environment=INFLUXD_TLS_MIN_VERSION=1.2
`;

/**
 * All settings are here, so that no file of the package's has a say. It listens on every address, since it can be told only
 * one and the VIP comes and goes. The state directory is systemd's to give to the user, with all that is in it: kept data
 * may belong to a number that is somebody else's by now.
 */
function unitText({ binary, data, product: { user } }: Layout, tls: boolean): string {
  return `# Written by chime-node.
[Unit]
Description=InfluxDB of chime-node
Documentation=https://docs.influxdata.com/influxdb/v2/
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User=${user}
Group=${user}
StateDirectory=${data.replace("/var/lib/", "")}
StateDirectoryMode=0750
UMask=0027
Environment=INFLUXD_HTTP_BIND_ADDRESS=:${httpPort}
${tls ? tlsText : ""}Environment=INFLUXD_BOLT_PATH=${data}/influxd.bolt
Environment=INFLUXD_SQLITE_PATH=${data}/influxd.sqlite
Environment=INFLUXD_ENGINE_PATH=${data}/engine
Environment=INFLUXD_REPORTING_DISABLED=true
# Else two lines for each query, of which a node asks one a second.
Environment=INFLUXD_LOG_LEVEL=warn
Environment=HOME=${data}
ExecStart=${binary}
Restart=always
RestartSec=100ms
TimeoutStopSec=30s
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;
}
