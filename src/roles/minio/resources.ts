import { paths } from "../../core/paths.ts";
import { disk } from "../../resources/disk.ts";
import { file } from "../../resources/file.ts";
import { hosts } from "../../resources/hosts.ts";
import { mount } from "../../resources/mount.ts";
import { owner } from "../../resources/owner.ts";
import { port } from "../../resources/port.ts";
import { program } from "../../resources/program.ts";
import { service, unitCheck } from "../../resources/service.ts";
import type { Resource } from "../../resources/types.ts";
import { user } from "../../resources/user.ts";
import { awaitTurn } from "../await-turn.ts";
import { productPackages } from "../product-packages.ts";
import type { RoleContext, RolePlan } from "../types.ts";
import { application } from "./application.ts";
import { givenDisks } from "./given.ts";
import { formatFile } from "./kept.ts";
import { restartTogether } from "./restart.ts";
import { rememberedSlot, slotAddresses } from "./slots.ts";
import { certificates, serverCertificate } from "./tls.ts";
import { versionedBucket } from "./versioned.ts";
import {
  consolePort,
  layout,
  minioSpec,
  place,
  roleName,
  s3Port,
  slotName,
  users,
  volumes,
} from "./layout.ts";

/** All that a node of the store has on its host, by the phase it completes. */
export function resources(context: RoleContext): RolePlan {
  const { product, binary, environment } = layout(context);
  const { binary: own, topology } = minioSpec(context);
  const packages = productPackages(product, context);
  const installed = packages.ids;
  const programs = own === undefined ? [] : [program({ from: own, to: binary })];
  const runsAs = user(product.user);
  const disks = givenDisks().map((given) => ({
    disk: disk(given, installed),
    mount: mount(given, product.unit),
    owner: owner({
      at: given.at,
      witness: formatFile,
      user: product.user,
      needs: [`mount:${given.at}`, runsAs.id],
    }),
  }));
  // In place of the package's own, which an update may change.
  const unit = file({
    path: `/etc/systemd/system/${product.unit}`,
    content: unitText({ binary, environment, user: product.user, handsOver: topology === "mirror" }),
    check: unitCheck,
    needs: [runsAs.id, ...installed, ...programs.map(({ id }) => id)],
  });
  const keys = minioSpec(context).tls ? [serverCertificate(context, product, [runsAs.id, ...installed])] : [];
  const settings = file({
    path: environment,
    content: environmentText(context),
    mode: 0o640,
    group: product.user,
    secret: true,
    needs: [runsAs.id],
  });
  // The stores of a mirror know each other by address.
  const names = topology === "pool" ? [hosts({ name: "minio", entries: slotEntries(context) })] : [];
  const mounted = disks.flatMap(({ mount, owner }) => [...mount.map(({ id }) => id), owner.id]);
  const server = service({
    unit: product.unit,
    // It says that it has started when the others have, too.
    startedByAgent: true,
    // The servers of a pool run one program or wait for each other; those of a mirror do not ask.
    restartOn: [settings, unit, ...(topology === "mirror" ? programs : [])],
    ...(topology === "mirror" && { beforeRestart: awaitTurn(roleName) }),
    needs: [...installed, ...keys.map(({ id }) => id), ...mounted, ...names.map(({ id }) => id)],
  });
  const account = application(context, [server.id]);
  // The stores of a mirror keep them for each other.
  const versions = topology === "pool" ? [versionedBucket(context, [account.id])] : [];
  const restarts =
    topology === "pool" ? programs.map(({ id }) => restartTogether(context, id, [server.id])) : [];
  return {
    installed: [runsAs, ...packages.resources, ...programs, ...disks.flatMap(flat)],
    configured: [
      ...keys,
      settings,
      unit,
      ...names,
      server,
      ...restarts,
      port({ port: s3Port, protocol: "tcp" }),
      port({ port: consolePort, protocol: "tcp" }),
    ],
    ready: [account, ...versions],
  };
}

const flat = ({ disk, mount, owner }: { disk: Resource; mount: Resource[]; owner: Resource }): Resource[] => [
  disk,
  ...mount,
  owner,
];

function slotEntries(context: RoleContext): { address: string; names: string[] }[] {
  const { members, spec } = context;
  return slotAddresses(context, members, rememberedSlot()).map(([slot, address]) => ({
    address,
    names: [slotName(slot, spec.cluster.domain)],
  }));
}

/**
 * No start time-out: a node alone waits for the others, for days if need be. A new file system belongs to root, and the engine
 * lets every user of the machine read what it writes to it, so that nobody else gets past its root. A disk
 * that is not mounted is an immutable directory, which stays root's (docs/disks.md). The store that clients of a mirror have
 * is stopped when they have gone over: at a shutdown while keepalived, haproxy and the agent still run. One that dies is
 * started a second later (`RestartSec`), and is up when the balancers have missed it (`everyMs` in `balanced.ts`): otherwise it
 * would have clients before it has found the others' drives.
 */
function unitText({
  binary,
  environment,
  user,
  handsOver,
}: {
  binary: string;
  environment: string;
  user: string;
  handsOver: boolean;
}): string {
  const after = handsOver ? " chime-node.service keepalived.service" : "";
  const stop = handsOver ? `ExecStop=-+${paths.binary} agent --before-stop ${roleName}\n` : "";
  return `# Written by chime-node.
[Unit]
Description=S3 store of chime-node
Wants=network-online.target
After=network-online.target${after}
StartLimitIntervalSec=0

[Service]
Type=notify
User=${user}
Group=${user}
EnvironmentFile=${environment}
ExecStartPre=+/bin/sh -c 'for d in ${place("*")}; do mountpoint -q $$d && chown ${user}: $$d && chmod 750 $$d; done; :'
ExecStart=${binary} server $MINIO_OPTS $MINIO_VOLUMES
${stop}Restart=always
RestartSec=1s
TimeoutStartSec=infinity
TimeoutStopSec=30s
LimitNOFILE=1048576
TasksMax=infinity
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
`;
}

/**
 * Where a name leads, a server forgets after ten minutes: for so long it would look for a node that was replaced at the old
 * one's address, and the new one would wait for it [tried]. The names are in a file, so asking costs nothing.
 */
function environmentText(context: RoleContext): string {
  const { self, secrets } = context;
  const { address } = self;
  return `# Written by chime-node.
MINIO_ROOT_USER=${users.root}
MINIO_ROOT_PASSWORD=${secrets["minio"]?.["root_password"] ?? ""}
MINIO_VOLUMES="${volumes(context)}"
MINIO_OPTS="--address ${address}:${s3Port} --console-address ${address}:${consolePort}${minioSpec(context).tls ? ` --certs-dir ${certificates}` : ""}"
MINIO_UPDATE=off
MINIO_DNS_CACHE_TTL=3s
`;
}
