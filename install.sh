#!/bin/sh
# Installs a given chime-node binary, or removes it again. It downloads nothing and starts nothing.
#
#   sh install.sh --binary PATH [--prefix /usr/local]
#   sh install.sh --uninstall [--prefix /usr/local]

set -eu

usage() {
  echo "usage: sh install.sh --binary PATH [--prefix /usr/local]"
  echo "       sh install.sh --uninstall [--prefix /usr/local]"
}

# Wrong usage: nothing was touched.
usage_error() {
  echo "install.sh: $1" >&2
  usage >&2
  exit 2
}

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

install_binary() {
  binary=$1 target=$2
  [ -f "$binary" ] || usage_error "$binary is no file"
  [ "$(uname -s)" = Linux ] || fail "chime-node runs on Linux only"
  # Compare before writing: an installation that is up to date is left alone.
  if [ -f "$target" ] && cmp -s "$binary" "$target"; then
    echo "$target is up to date"
    return 0
  fi
  directory=$(dirname "$target")
  mkdir -p "$directory" || fail "$directory cannot be made: run as root, or give --prefix"
  # A rename replaces the file even while it runs, and nobody ever sees half of it.
  new=$target.new.$$
  trap 'rm -f "$new"' EXIT
  trap 'exit 130' INT TERM HUP
  cp "$binary" "$new" || fail "$directory cannot be written: run as root, or give --prefix"
  chmod 0755 "$new"
  # Tried before it takes the old one's place: a binary for another machine stops here.
  version=$("$new" --version 2>/dev/null </dev/null) ||
    fail "$binary does not run on this machine ($(uname -m)): take the one for it"
  mv -f "$new" "$target"
  echo "installed $target ($version)"
}

uninstall() {
  target=$1
  if [ -e /var/lib/chime-node/ledger.jsonl ] && [ "$target" = /usr/local/bin/chime-node ]; then
    echo "install.sh: this node is still managed: run 'chime-node reset' first, then this again" >&2
    exit 3
  fi
  if [ ! -e "$target" ]; then
    echo "$target is not there"
    return 0
  fi
  rm -f "$target" || fail "$target cannot be removed: run as root"
  echo "removed $target"
}

main() {
  binary='' prefix=/usr/local action=''
  while [ $# -gt 0 ]; do
    case $1 in
      --binary | --prefix)
        [ -n "${2:-}" ] || usage_error "$1 needs a value"
        if [ "$1" = --binary ]; then binary=$2; else prefix=$2; fi
        shift
        ;;
      --uninstall) action=uninstall ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) usage_error "unknown argument $1" ;;
    esac
    shift
  done
  case $prefix in /*) ;; *) usage_error "--prefix must be an absolute path" ;; esac
  target=${prefix%/}/bin/chime-node
  if [ "$action" = uninstall ]; then
    [ -z "$binary" ] || usage_error "--binary and --uninstall exclude each other"
    uninstall "$target"
  else
    [ -n "$binary" ] || usage_error "--binary is missing"
    install_binary "$binary" "$target"
  fi
}

# The last line: a script that was cut off on its way does nothing at all.
main "$@"
