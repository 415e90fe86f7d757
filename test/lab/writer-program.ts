/** Runs the drill's writer in the client's namespace; settings come on stdin. */
import { DrillWriter, type WriterSettings } from "../../src/operations/drill/writer.ts";
import { appendAcknowledged, type ClientsFile } from "./lab-clients.ts";

export type ProgramSettings = WriterSettings & ClientsFile;

const settings = (await Bun.stdin.json()) as ProgramSettings;
const writer = new DrillWriter(settings);

for (;;) {
  try {
    await writer.prepare();
    break;
  } catch (error) {
    console.error((error as Error).message);
    await Bun.sleep(100);
  }
}
await appendAcknowledged(writer, settings);
process.exitCode = 0;
// eslint-disable-next-line unicorn/no-process-exit -- a dropped connection to a dead server would keep us alive
process.exit();
