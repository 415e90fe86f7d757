# shellcheck shell=sh
# Sourced by every script: Node.js and npm are all it needs; everything else comes from package-lock.json.
# Sets $root (the checkout) and $bun (the pinned runtime).

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
bun=$root/node_modules/.bin/bun

# npm writes node_modules/.package-lock.json last: older than the lockfile means stale or half-done.
fresh() {
  [ -f "$root/node_modules/.package-lock.json" ] &&
    [ -z "$(find "$root/package-lock.json" -newer "$root/node_modules/.package-lock.json")" ] &&
    "$bun" --version >/dev/null 2>&1
}

bootstrap() {
  fresh && return 0
  command -v npm >/dev/null 2>&1 || {
    echo "npm is not installed: install Node.js 20 or later, then run this again" >&2
    return 1
  }
  (
    # A second script started at the same time waits here and then finds the work done.
    exec 9<"$root/package-lock.json"
    flock 9
    fresh && exit 0
    echo "installing the pinned tools (npm ci)" >&2
    # Through a link npm would empty another work tree's tools: only the link goes.
    [ ! -L "$root/node_modules" ] || rm "$root/node_modules" || exit 1
    cd "$root" && npm ci --no-audit --no-fund --loglevel=error >&2 || exit 1
    # npm before 11 knows no allowScripts, and some setups skip install scripts altogether.
    "$bun" --version >/dev/null 2>&1 || node node_modules/bun/install.js >&2 || exit 1
    touch node_modules/.package-lock.json
  ) || {
    echo "the pinned tools could not be installed: see the npm message above" >&2
    return 1
  }
}

bootstrap || exit 1
