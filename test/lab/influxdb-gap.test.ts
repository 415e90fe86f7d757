import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { influxdBinary } from "./influxdb-binary.ts";
import { testInNamespaces } from "./namespaces.ts";

const binary = await influxdBinary();
const why = binary ? "" : " (skipped: needs Go >= 1.24, Rust, and a way to their modules)";
const work = await mkdtemp(join(tmpdir(), "chime-influxdb-"));
/** 17 s on a machine with nothing else to do; with CHIME_LONG a minute. */
const limitMs = process.env["CHIME_LONG"] ? 900_000 : 300_000;
afterAll(() => rm(work, { recursive: true }));

test.skipIf(!binary)(
  `two real InfluxDB servers are brought level, whatever each lacks${why}`,
  async () => {
    const env = { INFLUXD: binary ?? "", DIRECTORY: work, CHIME_LONG: process.env["CHIME_LONG"] ?? "" };
    const program = join(import.meta.dir, "influxdb-gap-program.ts");
    expect(await testInNamespaces(program, env, limitMs)).toBe("passed");
  },
  limitMs + 5_000,
);
