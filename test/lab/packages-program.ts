/**
 * Runs in a node, as root: adds a repository and installs packages from it as a role's resources would, or takes both
 * back. argv[2]: apply, undo; argv[3]: what is wanted, as JSON. Prints what was changed, or the error.
 */
import { toChimeError } from "../../src/core/errors.ts";
import type { Repository } from "../../src/host/packages/types.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { undoAll } from "../../src/plan/reset.ts";
import { apply } from "../../src/plan/run.ts";
import { kinds } from "../../src/resources/index.ts";
import { pkg } from "../../src/resources/package.ts";
import { repository } from "../../src/resources/repository.ts";

/** What a test asks for. */
export interface Wanted {
  family: string;
  source: Repository;
  packages: string[];
  answers: string[];
}

const [, , verb = "apply", json = "{}"] = process.argv;
const { family, source, packages, answers } = JSON.parse(json) as Wanted;
const files = repository(source, family);
const needs = files.map(({ id }) => id);
const resources = [
  ...files,
  ...packages.map((name) => pkg({ name, family, from: "auto", repository: source, answers, needs })),
];
const ledger = await openLedger("/var/lib/stand-in/ledger.jsonl");
const progress = (line: string) => console.error(line);
try {
  if (verb === "undo") await undoAll(ledger, kinds, { progress });
  else {
    const { applied, failed } = await apply(resources, ledger, {
      signal: new AbortController().signal,
      progress,
    });
    if (failed[0]) throw failed[0].error;
    console.log(JSON.stringify({ applied }));
  }
} catch (error) {
  const { code, message } = toChimeError(error);
  console.log(JSON.stringify({ code, message }));
}
