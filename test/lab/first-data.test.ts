import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { sql } from "./sql.ts";
import { system } from "./system.ts";

/**
 * Debian's packages fill the data directory; Enterprise Linux's leave that to us, and so does a disk that was mounted there
 * later, which is root's. So what Debian's made is taken away, and what is then made is what a server would start on.
 */
let lab: Lab;
let node: LabNode;

const data = "/var/lib/mysql";

beforeAll(async () => {
  lab = await Lab.open({ nodes: ["node1"] });
  node = lab.node("node1");
  const program = join(lab.work, "first-data");
  const source = join(import.meta.dir, "first-data-program.ts");
  await exec([process.execPath, "build", "--compile", source, "--outfile", program]);
  await node.install(program);
  const [server] = system.mirror;
  await node.sh(`apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${server}`);
  await node.sh(
    `systemctl stop ${system.unit}; find ${data} -mindepth 1 -delete; mkdir -m 700 ${data}/lost+found; chown root: ${data}`,
  );
}, 300_000);

afterAll(async () => {
  await lab?.close();
});

/** @param blocks of 512 bytes: the largest file that may be written */
async function make(blocks = "unlimited"): Promise<{ changed: string[]; failed: string[] }> {
  const { stdout } = await node.sh(`ulimit -f ${blocks}; exec /usr/local/bin/chime-node ${system.engine}`);
  return JSON.parse(stdout) as { changed: string[]; failed: string[] };
}

const made = { changed: [`database:${data}`], failed: [] };

test("a run that ended half-way is begun anew, a finished one is left alone", async () => {
  expect((await make("2048")).failed).not.toEqual([]);
  expect((await node.sh(`ls ${data}`)).stdout).toContain("ibdata1");
  expect(await make()).toEqual(made);
  expect(await make()).toEqual({ changed: [], failed: [] });
});

test("root is let in by the socket, and nobody else as root", async () => {
  await node.run(["systemctl", "start", system.unit]);
  expect(await sql(node, "SELECT CURRENT_USER()")).toBe("root@localhost");
  expect((await as("nobody", "--user=root")).stderr).toContain("Access denied");
});

test.skipIf(system.engine !== "mariadb")(
  "the server's user is let in: copies are made as that one",
  async () => {
    expect((await as("mysql")).stdout).toContain("mysql@localhost");
  },
);

function as(user: string, ...options: string[]) {
  const client = [system.client, ...options, "-e", "SELECT CURRENT_USER()"];
  return node.run(["setpriv", `--reuid=${user}`, "--clear-groups", "--", ...client], { check: false });
}

test("data without our marker are somebody's: nothing is made over them", async () => {
  await node.sh(`systemctl stop ${system.unit}; rm -rf /var/lib/chime-node; touch ${data}/theirs`);
  expect(await make()).toEqual({ changed: [], failed: [] });
});
