import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { builtIfPossible } from "./built-once.ts";
import { goDirectory, goEnvironment } from "./go.ts";
import { aptInstall } from "./prerequisites.ts";

/** The last InfluxDB 2.x that Go 1.24 builds (2.8 and on want a newer one). */
const version = "v2.7.12";

/**
 * $1: the directory, $2: the version. InfluxDB's go.mod replaces a module, so that `go install` refuses it: a throw-away
 * module says the same. Its query language is a Rust library: pkg-config's stand-in of InfluxData builds it when Go asks
 * for its flags, with a feature that makes new warnings errors: a cargo of ours leaves that out. All that is written
 * stays below the directory's place, and goes with the build.
 */
const script = `
set -eu
final=$1 version=$2 work=$1.new
[ -d "$final" ] && exit 0
clean() { [ ! -d "$work" ] || { chmod -R u+w "$work"; rm -rf --one-file-system "$work"; }; }
clean
mkdir -p "$work/bin" "$work/cargo" "$work/module"
export HOME="$work" CARGO_HOME="$work/cargo-home" REAL_CARGO="$(command -v cargo)"
export GOPATH="$work/go" GOCACHE="$work/cache" GOTMPDIR="$work" GOBIN="$work/bin"
export GOTOOLCHAIN=local GOFLAGS="-mod=mod -modcacherw -buildvcs=false" GOWORK=off
cat > "$work/cargo/cargo" <<'CARGO'
#!/bin/sh
case $1 in build) exec "$REAL_CARGO" "$@" --no-default-features --features cffi ;; *) exec "$REAL_CARGO" "$@" ;; esac
CARGO
chmod +x "$work/cargo/cargo"
cd "$work/module"
go mod init influxd.invalid
go mod edit -replace github.com/nats-io/nats-streaming-server@v0.11.2=github.com/influxdata/nats-streaming-server@v0.11.3-0.20201112040610-c277f7560803
go get -tool "github.com/influxdata/influxdb/v2/cmd/influxd@$version" github.com/influxdata/pkg-config@v0.2.14
go install github.com/influxdata/pkg-config
export CARGO="$work/cargo/cargo" PKG_CONFIG="$work/bin/pkg-config"
nice -n 10 go build -trimpath -tags 'sqlite_foreign_keys sqlite_json' -ldflags "-s -w -X main.version=$version" -o "$work/influxd" github.com/influxdata/influxdb/v2/cmd/influxd
mkdir "$final.done"
mv "$work/influxd" "$final.done/influxd"
clean
mv "$final.done" "$final"
`;

/** What Go's C parts need beside Go and Rust, and the Debian packages that bring it. */
const tools: Record<string, readonly string[]> = { cc: ["gcc", "libc6-dev"], "pkg-config": ["pkg-config"] };

/** Rust's toolchain as the one who runs the tests finds it. */
function rustDirectory(): string | undefined {
  const found = Bun.which("cargo", { PATH: `${process.env["PATH"]}:${join(homedir(), ".cargo/bin")}` });
  return found ? dirname(found) : undefined;
}

/** A library asks rustup for a toolchain of its own, which it would have to download: it gets the one that is there. */
async function rustToolchain(cargo: string): Promise<string | undefined> {
  const rustup = join(cargo, "rustup");
  if (!existsSync(rustup)) return undefined;
  const { code, stdout } = await exec([rustup, "default"], { ok: "any" });
  return code === 0 ? stdout.split(" ")[0] : undefined;
}

/**
 * The real server, for tests alone: built once (nine minutes of two cores, 93 MB) and kept in the cache.
 * @returns its path, or undefined where there is no Go or Rust that can build it, or no way to its source: say
 * `describe.skipIf(!influxd)` with the reason in the name
 */
export async function influxdBinary(
  progress: (line: string) => void = console.error,
): Promise<string | undefined> {
  const go = await goDirectory();
  const rust = rustDirectory();
  if (go === undefined || rust === undefined) return undefined;
  const building = goEnvironment(go, rust);
  const missing = Object.keys(tools).filter((tool) => !Bun.which(tool, { PATH: building.PATH }));
  // Where that fails the building does, and says why.
  if (missing.length > 0)
    await aptInstall(
      missing.flatMap((tool) => tools[tool] ?? []),
      progress,
    );
  const toolchain = await rustToolchain(rust);
  const env = {
    ...building,
    RUSTUP_HOME: process.env["RUSTUP_HOME"] ?? join(homedir(), ".rustup"),
    ...(toolchain === undefined ? {} : { RUSTUP_TOOLCHAIN: toolchain }),
  };
  const wanted = {
    name: "influxdb",
    what: "InfluxDB",
    script,
    words: [version],
    env,
    source: "Go's modules and Rust's crates",
  };
  const directory = await builtIfPossible(wanted, progress);
  return directory && join(directory, "influxd");
}
