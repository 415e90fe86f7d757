import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { exec } from "../../src/core/exec.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { startWriters, status, writerOf, type Status } from "./pair.ts";
import { sql, sqlOrNothing, strayWrite } from "./sql.ts";
import { system } from "./system.ts";
import { nothingIsMissing, openPair, untilProtected } from "./trial.ts";
import { waitUntil } from "./wait.ts";

const extras = "/var/lib/chime-node/extras";

let lab: Lab;

beforeAll(async () => {
  lab = await openPair();
}, 400_000);
afterAll(() => lab?.close());

async function saved(node: LabNode): Promise<string[]> {
  const list = await node.sh(`ls ${extras}/*.sql 2>/dev/null || :`);
  return list.stdout.split("\n").filter(Boolean);
}

test("what a writer had flushed when it was cut off, and nobody was told of, is saved as SQL, and gone", async () => {
  const writers = await startWriters(lab, { table: "tail" });
  const { writer: node, replica } = await writerOf(lab);
  // A client on the node itself, connected before the cut.
  const local = node.sh(`mkfifo /tmp/statements; exec timeout 60 ${system.client} <>/tmp/statements`, {
    check: false,
    timeoutMs: 90_000,
  });
  const say = (statement: string) => appendFile(node.path("/tmp/statements"), `${statement};\n`);
  const listens = async () => existsSync(node.path("/tmp/statements"));
  await waitUntil("the local client", 30_000, listens);
  await say("CREATE TABLE chime.stranded (id INT)");
  const connected = async () => (await sql(node, "SHOW TABLES LIKE 'stranded'", "chime")) !== "";
  await waitUntil("the local client's table", 30_000, connected);
  // Alone: what waits in the log keeps others out of it.
  await writers.stop();
  await node.cutPort("silent");
  await say(`INSERT INTO chime.stranded VALUES (42)`);
  const takesOver = async () => (await status(replica)).roles["mysql"]?.writable[0] === replica.name;
  await waitUntil("the replica to take over", 30_000, takesOver, 100);
  expect((await local).code).not.toBe(0);
  await node.heal();
  await nothingIsMissing(lab, writers);
  const [file = ""] = await saved(node);
  const text = (await node.sh(`cat ${file}; stat -c '%a %U' ${extras} ${file}`)).stdout;
  console.error(text.split("\n").slice(0, 3).join("\n"));
  expect(text).toContain("### INSERT INTO `chime`.`stranded`");
  expect(text).toMatch(/GTID \d+-\d+-\d+|^-- SET @@SESSION\.GTID_NEXT= /m);
  expect(text).toContain("700 root\n600 root\n");
  // Its row is nowhere.
  const ids = [...text.matchAll(/###\s+@1=(\d+)/g)].map(([, id]) => Number(id));
  expect(ids).toEqual([42]);
  for (const one of lab.nodes) expect(await sql(one, "SELECT COUNT(*) FROM chime.stranded")).toBe("0");
  const { problems, healthy } = await status(node);
  expect(healthy).toBe(true);
  expect(problems.find(({ code }) => code === "mysql.extras_saved")?.message).toContain(file);
}, 240_000);

test("a quarantined node names the file with its transactions, and the way back", async () => {
  const { writer, replica } = await writerOf(lab);
  await strayWrite(
    replica,
    "CREATE DATABASE stray; CREATE TABLE stray.own (id INT); INSERT INTO stray.own VALUES (42)",
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
  await replica.kill(system.unit);
  await waitUntil("the quarantine again", 30_000, async () => {
    const node = (await status(writer)).roles["mysql"]?.nodes.find(({ name }) => name === replica.name);
    return node?.state === "quarantined";
  });
  expect((await saved(replica)).filter((name) => name === file)).toEqual([file]);
  await replica.run(["chime-node", "join", "--rebuild", replica.name, "--yes"], { timeoutMs: 120_000 });
  await untilProtected(lab);
  expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'stray'")).toBe("");
}, 120_000);

test("transactions that cannot be cut off and of which nobody can have been told: rebuilt without a word", async () => {
  const { replica } = await writerOf(lab);
  const term = "/var/lib/chime-node/terms/mysql/term.json";
  // What a protected writer's memory says once it was outrun; DDL in its tail would have kept the server from cutting.
  await replica.sh(`systemctl stop chime-node
    ${system.client} -e 'SET GLOBAL read_only = OFF; CREATE DATABASE untold; ${system.words.stop}'
    sed -i 's/"outrun":[a-z"]*/"outrun":"protected"/; t; s/}$/,"outrun":"protected"}/' ${term}
    systemctl start chime-node`);
  await waitUntil("the rebuild", 30_000, async () =>
    (await status(replica)).problems?.some(({ code }) => code === "mysql.rebuilding"),
  );
  await untilProtected(lab);
  expect(await sqlOrNothing(replica, "SHOW DATABASES LIKE 'untold'")).toBe("");
  expect((await status(replica)).problems.map(({ code }) => code)).toContain("mysql.extras_saved");
  expect(JSON.parse(await replica.read(term))).toMatchObject({ outrun: null });
}, 120_000);

test("a commit that the replica has received, and whose acknowledgement was lost with the connection, ends all the same", async () => {
  const { writer, replica } = await writerOf(lab);
  await sql(writer, "CREATE TABLE chime.lost (id INT)");
  const namespace = lab.network.namespace(replica.name);
  const nft = (rules: string) => exec(["ip", "netns", "exec", namespace, "nft", rules]);
  await nft("table inet lost { chain out { type filter hook output priority 0; tcp dport 3306 drop; }; }");
  const commit = sql(writer, "INSERT INTO chime.lost VALUES (1)");
  const arrived = async () => (await sql(replica, "SELECT id FROM chime.lost")) === "1";
  await waitUntil("the row on the replica", 30_000, arrived, 20);
  const dumps = "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
  await sql(writer, `KILL ${await sql(writer, dumps)}`);
  await nft("delete table inet lost");
  // Nobody else commits: the next acknowledgement would be for this commit, too.
  await commit;
  expect((await writerOf(lab)).writer).toBe(writer);
  await untilProtected(lab);
}, 90_000);
