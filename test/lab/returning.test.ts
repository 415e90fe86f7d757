import { afterAll, beforeAll, expect, test } from "bun:test";
import { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { formPair, startWriters, status, writerOf, type Status } from "./pair.ts";
import { faults } from "./faults.ts";
import { untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

const extras = "/var/lib/chime-node/extras";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.open({ nodes: ["node1", "node2"] });
  await formPair(lab);
  await untilProtected(lab);
}, 400_000);
afterAll(() => lab?.close());

async function saved(node: LabNode): Promise<string[]> {
  const list = await node.sh(`ls ${extras}/*.sql 2>/dev/null || :`);
  return list.stdout.split("\n").filter(Boolean);
}

async function query(node: LabNode, statement: string): Promise<string> {
  return (await node.run(["mariadb", "-N", "-B", "-e", statement], { check: false })).stdout.trim();
}

test("what a killed writer had flushed and nobody was told of is saved as SQL, and gone", async () => {
  const writers = await startWriters(lab, { connections: 16, pauseMs: 5, table: "tail" });
  let found: { node: LabNode; file: string } | undefined;
  for (let round = 0; round < 8 && !found; round += 1) {
    const victim = lab.node((await faults.kill(lab)).victim);
    await untilProtected(lab);
    const [file] = await saved(victim);
    if (file !== undefined) found = { node: victim, file };
  }
  await writers.stop();
  await untilProtected(lab);
  if (!found) throw new Error("8 kills left no tail");
  const { node, file } = found;
  const text = (await node.sh(`cat ${file}; stat -c '%a %U' ${extras} ${file}`)).stdout;
  console.error(text.split("\n").slice(0, 3).join("\n"));
  expect(text).toContain("### INSERT INTO `chime`.`tail`");
  expect(text).toMatch(/GTID \d+-\d+-\d+/);
  expect(text).toContain("700 root\n600 root\n");
  // Its rows are nowhere, and none of them was promised.
  const ids = [...text.matchAll(/###\s+@1=(\d+)/g)].map(([, id]) => Number(id));
  expect(ids.length).toBeGreaterThan(0);
  const told = new Set((await writers.acknowledged()).map(({ id }) => id));
  expect(ids.filter((id) => told.has(id))).toEqual([]);
  for (const one of lab.nodes)
    expect(await query(one, `SELECT id FROM chime.tail WHERE id IN (${ids.join()})`)).toBe("");
  for (const one of lab.nodes)
    await waitUntil("every row", 60_000, async () => (await writers.missingOn(one)).length === 0);
  const { problems, healthy } = await status(node);
  expect(healthy).toBe(true);
  expect(problems.find(({ code }) => code === "mysql.extras_saved")?.message).toContain(file);
}, 240_000);

test("a quarantined node names the file with its transactions, and the way back", async () => {
  const { writer, replica } = await writerOf(lab);
  await query(
    replica,
    "CREATE DATABASE stray; CREATE TABLE stray.own (id INT); INSERT INTO stray.own VALUES (42); STOP SLAVE",
  );
  let told: Status["problems"][number] | undefined;
  await waitUntil("the quarantine", 30_000, async () => {
    told = (await status(writer)).problems.find(({ code }) => code === "mysql.quarantined");
    return told !== undefined;
  });
  const file = new RegExp(`${extras}/mysql-\\S+\\.sql`).exec(told?.message ?? "")?.[0] ?? "";
  const text = await replica.read(file);
  expect(text).toContain("CREATE DATABASE stray");
  expect(text).toContain("@1=42");
  expect(told?.remedy).toContain(`chime-node join --rebuild ${replica.name}`);
  // The same again after the next start of the server: saved once.
  await replica.kill("mariadb.service");
  await waitUntil("the quarantine again", 30_000, async () => {
    const node = (await status(writer)).roles["mysql"]?.nodes.find(({ name }) => name === replica.name);
    return node?.state === "quarantined";
  });
  expect((await saved(replica)).filter((name) => name === file)).toEqual([file]);
  await replica.run(["chime-node", "join", "--rebuild", replica.name, "--yes"], { timeoutMs: 120_000 });
  await untilProtected(lab);
  expect(await query(replica, "SHOW DATABASES LIKE 'stray'")).toBe("");
}, 120_000);

test("transactions that cannot be cut off and of which nobody can have been told: rebuilt without a word", async () => {
  const { replica } = await writerOf(lab);
  // What a protected writer's memory says once it was outrun; DDL in its tail would have kept the server from cutting.
  await replica.sh(`systemctl stop chime-node
    mariadb -e 'CREATE DATABASE untold; STOP SLAVE'
    sed -i 's/"outrun":[a-z"]*/"outrun":"protected"/; t; s/}$/,"outrun":"protected"}/' /var/lib/chime-node/terms/mysql/term.json
    systemctl start chime-node`);
  await waitUntil("the rebuild", 30_000, async () =>
    (await status(replica)).problems?.some(({ code }) => code === "mysql.rebuilding"),
  );
  await untilProtected(lab);
  expect(await query(replica, "SHOW DATABASES LIKE 'untold'")).toBe("");
  expect((await status(replica)).problems.map(({ code }) => code)).toContain("mysql.extras_saved");
}, 120_000);
