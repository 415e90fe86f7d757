/**
 * Runs the drill's writer in the client's namespace and appends each acknowledged row to a file; settings come on stdin
 * (a password has no place in argv).
 */
import { open } from "node:fs/promises";
import { DrillWriter, type WriterSettings } from "../../src/operations/drill/writer.ts";

export interface ProgramSettings extends WriterSettings {
  /** Lines "ID MILLISECONDS", by time, the time on the clock of `Date.now()`. */
  file: string;
}

const settings = (await Bun.stdin.json()) as ProgramSettings;
const writer = new DrillWriter(settings);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

for (;;) {
  try {
    await writer.prepare();
    break;
  } catch (error) {
    console.error((error as Error).message);
    await Bun.sleep(100);
  }
}
const file = await open(settings.file, "a");
let flushed = 0;
async function flush(): Promise<void> {
  const rows = writer.acknowledged.slice(flushed);
  flushed += rows.length;
  if (rows.length > 0) await file.write(rows.map(({ id, at }) => `${id} ${at.toFixed(2)}\n`).join(""));
}
writer.start();
console.log("writing");
while (!stop.signal.aborted) {
  await flush();
  await Bun.sleep(20);
}
await writer.stop();
await flush();
await file.close();
process.exitCode = 0;
// eslint-disable-next-line unicorn/no-process-exit -- a dropped connection to a dead server would keep us alive
process.exit();
