/** `first-data PRODUCT`, compiled, in a node: makes that product's empty database, twice, with the plan engine. */
import { product } from "../../src/host/catalog.ts";
import { readFacts } from "../../src/host/facts.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { apply } from "../../src/plan/run.ts";
import { engines } from "../../src/roles/mysql/engine/index.ts";
import { firstData } from "../../src/roles/mysql/first-data.ts";
import { layoutOf } from "../../src/roles/mysql/layout.ts";

const name = process.argv[2] as keyof typeof engines;
const { os } = await readFacts();
const { data } = layoutOf(name, os);
const resource = firstData({ data, product: product(name, os) }, engines[name], []);
const outcome = await apply([resource], await openLedger(), {
  signal: new AbortController().signal,
  progress: () => undefined,
});
console.log(
  JSON.stringify({
    changed: outcome.changes.map(({ resource }) => resource),
    failed: outcome.failed.map(({ error }) => error.message),
  }),
);
