import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { exec } from "../../src/core/exec.ts";
import { builtIfPossible } from "../../test/lab/built-once.ts";
import { goDirectory, goEnvironment } from "../../test/lab/go.ts";
import type { Row } from "./row.ts";

/** Real sockets on loopback, all in one process: more of them would wait for the cores. */
const nodes = 64;

const source = resolve(import.meta.dir, "../../test/memberlist");
const files = ["go.mod", "go.sum", "main.go"] as const;

/** $1: the directory, then what the files hold: another program makes another directory. */
const script = `
set -eu
final=$1 work=$1.new
[ -d "$final" ] && exit 0
clean() { [ ! -d "$work" ] || { chmod -R u+w "$work"; rm -rf --one-file-system "$work"; }; }
clean
mkdir -p "$work/module"
printf %s "$2" > "$work/module/go.mod"
printf %s "$3" > "$work/module/go.sum"
printf %s "$4" > "$work/module/main.go"
export HOME="$work" GOPATH="$work/go" GOCACHE="$work/cache" GOTMPDIR="$work"
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS="-modcacherw -mod=mod" GOWORK=off
cd "$work/module"
go build -trimpath -o "$work/memberlist" .
mkdir "$final.done"
mv "$work/memberlist" "$final.done/memberlist"
cd /
clean
mv "$final.done" "$final"
`;

const answer = v.object({ changes: v.array(v.number()), deaths: v.array(v.number()) });

/** hashicorp/memberlist in its LAN configuration, for comparison. Nothing where there is no Go that builds it. */
export async function measureMemberlist(quick: boolean, progress: (line: string) => void): Promise<Row[]> {
  const program = await memberlist(progress);
  if (program === undefined) {
    progress("gossip: memberlist is left out: it takes a Go toolchain and the way to its source");
    return [];
  }
  const runs = quick ? 5 : 20;
  progress(`gossip: memberlist, ${nodes} nodes: ${runs} changes, ${runs} deaths`);
  const argv = [program, "-nodes", String(nodes), "-changes", String(runs), "-deaths", String(runs)];
  const ran = await exec(argv, { timeoutMs: 900_000 }).catch((error: Error) => error);
  if (ran instanceof Error) {
    // What it is compared with does not keep ours from being measured.
    progress(`gossip: memberlist is left out: ${ran.message}`);
    return [];
  }
  const { changes, deaths } = v.parse(answer, JSON.parse(ran.stdout));
  const named = `memberlist, ${nodes} nodes:`;
  const spread = { unit: "s", target: null, spread: "percentiles" } as const;
  return [
    { name: `${named} a change known everywhere`, values: changes, ...spread },
    { name: `${named} a dead node known everywhere`, values: deaths, ...spread },
  ];
}

async function memberlist(progress: (line: string) => void): Promise<string | undefined> {
  const go = await goDirectory();
  if (go === undefined) return undefined;
  const env = goEnvironment(go);
  const words = await Promise.all(files.map((file) => readFile(join(source, file), "utf8")));
  const wanted = { name: "memberlist", what: "memberlist", script, words, env, source: "Go's modules" };
  const directory = await builtIfPossible(wanted, progress);
  return directory && join(directory, "memberlist");
}
