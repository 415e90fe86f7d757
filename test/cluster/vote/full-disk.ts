import { appendFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "../../../src/cluster/vote/memory.ts";

/** Run by term.test.ts upon a small file system: says what is remembered while that is full. */
const [directory = ""] = process.argv.slice(2);
const file = new MemoryFile(directory);
const ballast = join(directory, "ballast");
const held = async () => console.log(`term ${(await file.load()).term?.term} is on the disk`);

function save(term: number): void {
  const others = { writer: "a", in_sync: ["a"], voters: ["a"], old_voters: [], tie: "gateway" } as const;
  file.save({ term: { term, ...others, in_sync: ["a"], voters: ["a"], old_voters: [] }, proven: null });
}

function fill(): void {
  for (;;) {
    try {
      appendFileSync(ballast, Buffer.alloc(4096, 1));
    } catch {
      return;
    }
  }
}

save(1);
file.keepReserve();
fill();
save(2);
await held();
// Somebody else takes what was given up.
fill();
try {
  save(3);
} catch (error) {
  console.log(`term 3 is not: ${(error as NodeJS.ErrnoException).code}`);
}
file.keepReserve();
await held();
rmSync(ballast);
save(4);
await held();
file.keepReserve();
if (existsSync(join(directory, "reserve"))) console.log("reserved again");
