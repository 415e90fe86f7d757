/** Run by the kill loop and the full-disk tests: applies a fixed set of files below argv[2], or takes them back. */
import { join } from "node:path";
import { toChimeError } from "../../src/core/errors.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply } from "../../src/plan/run.ts";
import { directory } from "../../src/resources/directory.ts";
import { file } from "../../src/resources/file.ts";
import { hosts } from "../../src/resources/hosts.ts";
import { kinds } from "../../src/resources/index.ts";

const [, , root = "", verb = "apply", size = "10"] = process.argv;
const tree = join(root, "tree");
const resources = [
  directory({ path: join(tree, "made/deep"), mode: 0o750 }),
  ...Array.from({ length: 12 }, (_, at) =>
    file({
      path: join(tree, at % 3 === 0 ? "made/deep" : at % 3 === 1 ? "new" : "old", `f${at}`),
      content: `ours ${at}\n`.repeat(Number(size)),
      mode: 0o640,
      needs: at % 3 === 0 ? [`directory:${join(tree, "made/deep")}`] : [],
    }),
  ),
  hosts({ name: "members", path: join(tree, "hosts"), entries: [{ address: "10.0.0.1", names: ["node1"] }] }),
];
const ledger = await openLedger(join(root, "state/ledger.jsonl"));
if (verb === "apply") {
  const { signal } = new AbortController();
  const outcome = await apply(resources, ledger, { signal, progress: () => undefined });
  for (const { error } of outcome.failed) console.log(error.code);
  process.exitCode = outcome.failed.length > 0 ? 1 : 0;
} else {
  await undoAll(ledger, kinds, { progress: () => undefined }).catch((error: unknown) => {
    console.log(toChimeError(error).code);
    process.exitCode = 1;
  });
}
