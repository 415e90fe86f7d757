/**
 * Runs in a node, as root: prepares the installation of packages, and installs others or the same ones once they are named in
 * a file. argv[2]: what is prepared, argv[3]: the file. Prints the error, if there is one.
 */
import { existsSync, readFileSync } from "node:fs";
import { toChimeError } from "../../src/core/errors.ts";
import { packageManager } from "../../src/host/packages/index.ts";

const [, , prepared = "", wordPath = ""] = process.argv;
const manager = packageManager("debian");
const log = "/root/held.log";
const record = "/root/held.record";
const work = { signal: new AbortController().signal, progress: (line: string) => console.error(line) };

await manager.prepare({ names: [prepared], record }, log, work);
while (!existsSync(wordPath)) await Bun.sleep(20);
try {
  const names = [readFileSync(wordPath, "utf8").trim()];
  await manager.install({ names, record, log, fresh: [], repositories: [], answers: [] }, work);
} catch (error) {
  const { code, message } = toChimeError(error);
  console.log(JSON.stringify({ code, message }));
}
