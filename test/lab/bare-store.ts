import { copyFile, chmod } from "node:fs/promises";
import type { Lab } from "./lab.ts";

/** Whose it is: the one that it was started with. */
export const bareAccount = { accessKey: "labadmin", secretKey: "labadminsecret" };
export const bareBucket = "lab";
export const storeUnit = "minio.service";

/** MinIO on every node, three directories each, set up by hand: no role, no disks. One set, as a pool has it. */
export async function startStore(lab: Lab, binary: string): Promise<void> {
  const last = lab.nodes.length;
  const unit = `[Unit]
After=network.target
[Service]
Type=notify
# Directories of the root disk, which it takes nowhere else.
Environment=MINIO_CI_CD=1 MINIO_ROOT_USER=${bareAccount.accessKey} MINIO_ROOT_PASSWORD=${bareAccount.secretKey} MINIO_BROWSER_REDIRECT=off
Environment=MINIO_VOLUMES=http://10.77.0.1{1...${last}}:9000/minio/disk{1...3}
ExecStart=/usr/local/bin/minio server --address NODE:9000 --console-address NODE:9001
TimeoutStartSec=infinity
Restart=always
# As the role's: later than the balancers have missed it.
RestartSec=1s
LimitNOFILE=65536
[Install]
WantedBy=multi-user.target
`;
  await Promise.all(
    lab.nodes.map(async (node) => {
      const program = node.path("/usr/local/bin/minio");
      await copyFile(binary, program);
      await chmod(program, 0o755);
      await node.put(`/etc/systemd/system/${storeUnit}`, unit.replaceAll("NODE", node.address));
      await node.sh(`mkdir -p /minio/disk1 /minio/disk2 /minio/disk3
        systemctl enable --quiet ${storeUnit}; systemctl start --no-block ${storeUnit}`);
    }),
  );
  const [first] = lab.nodes;
  await untilHealthy(lab, `${first?.address}`);
  // A bucket is a directory on all disks.
  await Promise.all(
    lab.nodes.map((node) => node.sh(`for d in 1 2 3; do mkdir /minio/disk$d/${bareBucket}; done`)),
  );
}

/** One program that asks again and again: to start one costs as much as the server's own start. */
async function untilHealthy(lab: Lab, address: string): Promise<void> {
  const ask = `fetch("http://${address}:9000/minio/health/cluster").then(({ ok }) => ok, () => false)`;
  const script = `while (!(await ${ask})) await Bun.sleep(20)`;
  await lab.client.run([process.execPath, "-e", script], { timeoutMs: 60_000 });
}
