#!/bin/sh
# Installs chime-node, upgrades it, or takes it away again, as root or with sudo:
#
#   curl -sfL URL/install.sh | sh                           this release
#   curl -sfL URL/install.sh | sh -s -- join --role mysql   … and then: chime-node join --role mysql
#   sh install.sh --binary FILE                             a binary that is here already, without any network
#   sh install.sh --bundle FILE --trust PUB                 a bundle: the binary and the packages, without any network
#
# Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a check. Whatever fails leaves nothing behind.

set -eu

# Written by scripts/build --release; empty in a checkout.
release_version=''
# Where the files are.
release_url=''
# One packed binary a line: name, sha256, bytes; sha256 and bytes of what is in it.
release_files=''
# Ed25519 public keys, base64 of the SPKI form; each of them may have signed.
release_keys=''

usage() {
  cat <<'END'
usage: sh install.sh [OPTION]… [COMMAND…]
  --prefix DIR     install to DIR/bin (default /usr/local)
  --version V      this version instead of the newest
  --base-url URL   where the release is
  --trust PUB      a public key (file or base64); the release must be signed by it. May be repeated
  --binary FILE    install this binary; download nothing
  --bundle FILE    install from this bundle and import its packages; download nothing
  --rollback       back to the binary before the last upgrade
  --uninstall      remove what was installed
  COMMAND…         run chime-node with these words afterwards: init …, join --role mysql
END
}

# Results: on stdout, which belongs to the command where there is one.
say() { echo "$1" >&3; }

note() { echo "install.sh: $1" >&2; }

# Nothing was touched.
usage_error() {
  note "$1"
  usage >&2
  exit 2
}

# A check said no; everything is as it was.
refuse() {
  note "$1"
  exit 3
}

fail() {
  note "$1"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ -n "$sudo" ]; then sudo -- "$@"; else "$@"; fi
}

# ── the machine ──────────────────────────────────────────────────────────────────────────────────────────────────────

find_machine() {
  [ "$(uname -s)" = Linux ] || refuse "chime-node runs on Linux only"
  # elf: e_machine of elf(5), as od prints it.
  case $(uname -m) in
    x86_64 | amd64) machine=linux-x64 elf=3e00 loader=/lib64/ld-linux-x86-64.so.2 ;;
    aarch64 | arm64) machine=linux-arm64 elf=b700 loader=/lib/ld-linux-aarch64.so.1 ;;
    *) refuse "there is no chime-node for $(uname -m), only for x86_64 and aarch64" ;;
  esac
  [ -e "$loader" ] ||
    refuse "chime-node needs glibc ($loader), which this system does not have; Alpine and other musl systems are not supported"
  if [ "$machine" = linux-x64 ] && [ -r /proc/cpuinfo ] && ! grep -qw sse4_2 /proc/cpuinfo; then
    refuse "this CPU shows no SSE4.2, which chime-node needs; in a VM, set the CPU type to host"
  fi
}

# What is no program for this CPU would be run by the shell as a script.
check_program() {
  head=$(od -An -v -tx1 -N20 "$1" | tr -d ' \n')
  case $head in
    7f454c46*"$elf") ;;
    2321*) ;;
    7f454c46*) refuse "$2 is not for this CPU ($(uname -m))" ;;
    *) refuse "$2 is no program" ;;
  esac
}

# The nearest directory above $1 that exists.
existing() {
  at=$1
  while [ ! -d "$at" ]; do at=$(dirname "$at"); done
  echo "$at"
}

# Decides whether sudo is needed; only the commands that need it get it.
find_rights() {
  sudo='' at=$(existing "$directory")
  [ "$(id -u)" -ne 0 ] || return 0
  if [ -w "$at" ] && ! agent_runs; then return 0; fi
  have sudo || refuse "$at can be written by root only, and there is no sudo: run this as root, or give --prefix"
  sudo true || refuse "sudo did not make this user root: run this as root, or give --prefix"
  sudo=yes
}

# Refuses when the bytes to come ($1) do not fit; a MiB stays free.
check_space() {
  at=$(existing "$directory")
  free=$(df -Pk "$at" 2>/dev/null | tail -n 1 | { read -r _ _ _ kib _ && echo "$kib"; }) || return 0
  case $free in '' | *[!0-9]*) return 0 ;; esac
  needed=$(($1 / 1024 + 1024))
  [ "$free" -ge "$needed" ] ||
    refuse "$at has $((free / 1024)) MiB free and this needs $((needed / 1024)) MiB: free some, or give --prefix"
}

# ── what is made, and undone when something fails ────────────────────────────────────────────────────────────────────

make_directory() {
  missing='' at=$1
  while [ ! -d "$at" ]; do
    missing="$missing$at
" at=$(dirname "$at")
  done
  [ -n "$missing" ] || return 0
  said=$(as_root mkdir -p "$1" 2>&1) || fail "$1 cannot be made (${said##*: }): give --prefix"
  # The innermost first, as they can be removed.
  made=$missing$made
}

# A directory beside the target, so that the last step is a rename and nothing runs from /tmp, which may be noexec.
open_work() {
  make_directory "$directory"
  said=$(as_root mkdir -m 0700 "$directory/.chime-node.$$" 2>&1) ||
    fail "$directory cannot be written (${said##*: }): give --prefix"
  work=$directory/.chime-node.$$
  [ -z "$sudo" ] || as_root chown "$(id -u)" "$work"
}

close_work() {
  [ -z "$work" ] || as_root rm -rf "$work"
  work=''
}

cleanup() {
  status=$?
  trap '' INT TERM HUP
  # Between the rename and the end the old binary is in the work directory only.
  [ -z "$swapped" ] || keep_old || :
  close_work
  [ "$status" -eq 0 ] || remove_directories "$made"
}

remove_directories() {
  echo "$1" | while read -r path; do
    [ -z "$path" ] || as_root rmdir "$path" </dev/null 2>/dev/null || :
  done
}

# ── downloads ────────────────────────────────────────────────────────────────────────────────────────────────────────

# fetch URL FILE; the reason for a failure is in $said.
fetch() {
  if have curl; then
    said=$(curl -fsSL --connect-timeout 15 --speed-limit 1024 --speed-time 30 --retry 2 -o "$2" "$1" 2>&1)
  elif wget --version 2>/dev/null | grep -q GNU; then
    said=$(wget -nv --timeout=30 --tries=3 -O "$2" "$1" 2>&1)
  else
    said=$(wget -q -O "$2" "$1" 2>&1)
  fi
}

download() {
  fetch "$1" "$2" && return 0
  said=$(echo "$said" | tail -n 1)
  check_space 0
  fail "$1 cannot be downloaded$(through_proxy "$1")${said:+: $said}"
}

# The proxy that the environment names for URL, without what may be a password in it.
through_proxy() {
  case $1 in
    https:*) proxy=${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY:-}}}} ;;
    *) proxy=${http_proxy:-${all_proxy:-${ALL_PROXY:-}}} ;;
  esac
  proxy=${proxy##*@} proxy=${proxy#*://}
  [ -z "$proxy" ] || echo " through the proxy ${proxy%%/*} that the environment names"
}

sum_of() {
  if have sha256sum; then sha256sum <"$1"; else openssl dgst -sha256 -r <"$1"; fi | cut -c 1-64
}

field() { echo "$1" | cut -d ' ' -f "$2"; }

# The manifest's packed binaries in the form of release_files.
manifest_files() {
  sed -n 's/.*"name":"\([^"]*\)","sha256":"\([0-9a-f]*\)","size":\([0-9]*\),"binary":{"sha256":"\([0-9a-f]*\)","size":\([0-9]*\)}}.*/\1 \2 \3 \4 \5/p' "$work/manifest.json"
}

# Fetches the manifest of $from and checks who signed it, where that can be done here; where not, it says so.
# True when the signature is good.
check_signature() {
  if [ -z "$keys" ]; then
    note "the release is not signed: only its checksum is checked"
  elif ! can_verify "the checksum is"; then
    :
  else
    download "$from/manifest.json" "$work/manifest.json"
    fetch "$from/manifest.json.sig" "$work/manifest.json.sig" ||
      refuse "the release has no signature at $from/manifest.json.sig$(through_proxy "$from"), and it must have one"
    verify_manifest || refuse "the signature at $from/manifest.json.sig is by none of the trusted keys"
    return 0
  fi
  return 1
}

# Whether a signature can be checked here; where not, it says so, and what is checked instead.
can_verify() {
  if ! have openssl; then
    note "the signature is not checked, because openssl is not installed; $1"
  elif ! openssl pkeyutl -help 2>&1 | grep -q -e -rawin; then
    note "the signature is not checked, because this openssl is older than 3.0; $1"
  else
    return 0
  fi
  return 1
}

# True when one of $keys has signed the manifest in $work.
verify_manifest() {
  for key in $keys; do
    printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$key" >"$work/key.pem"
    if openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/manifest.json" \
      -sigfile "$work/manifest.json.sig" >/dev/null 2>&1; then
      return 0
    fi
  done
  return 1
}

# Sets $from, and $line: what is known of the file to download.
find_release() {
  wanted=${version:-$release_version} from=$base_url files=$release_files
  if [ "$wanted" = "$release_version" ]; then
    line=$(pick "$files")
    check_space $(($(field "$line" 3) + $(field "$line" 5)))
    open_work
    if check_signature && ! manifest_files | grep -qxF "$line"; then
      refuse "the signed manifest at $from does not name the file that this install.sh names: one of them is not of release $wanted; take the install.sh that is there"
    fi
  else
    from=$base_url/v$wanted
    open_work
    check_signature || download "$from/manifest.json" "$work/manifest.json"
    grep -q "\"version\": \"$wanted\"" "$work/manifest.json" || refuse "$from is not release $wanted"
    line=$(pick "$(manifest_files)")
    check_space $(($(field "$line" 3) + $(field "$line" 5)))
  fi
}

# gz unpacks five times as fast as xz, which is more than the smaller file saves on any line above 20 Mbit/s.
pick() {
  if have gzip; then format=gz; else format=xz; fi
  echo "$1" | grep "^chime-node-$machine\\.$format " || refuse "the release has no chime-node-$machine.$format"
}

install_release() {
  [ -n "$release_version" ] ||
    usage_error "--binary is missing: this install.sh belongs to no release, so it has nothing to download"
  [ -n "$base_url" ] || usage_error "this install.sh does not know where its release is: give --base-url URL"
  find_machine
  have curl || have wget || refuse "neither curl nor wget is installed: install one of them, or bring the binary and give --binary FILE"
  have gzip || have xz || refuse "neither gzip nor xz is installed: install one of them"
  have sha256sum || have openssl || refuse "neither sha256sum nor openssl is installed: install one of them"
  find_rights
  find_release
  if [ -f "$target" ] && [ "$(sum_of "$target")" = "$(field "$line" 4)" ]; then
    say "$target is up to date (chime-node $wanted)"
    return 0
  fi
  name=$(field "$line" 1) packed=$work/packed
  note "downloading chime-node $wanted for $machine ($(($(field "$line" 3) / 1048576)) MiB) from $from"
  download "$from/$name" "$packed"
  [ "$(sum_of "$packed")" = "$(field "$line" 2)" ] ||
    refuse "$from/$name is not what release $wanted says: it has $(wc -c <"$packed") bytes with sha256 $(sum_of "$packed"), expected $(field "$line" 3) with $(field "$line" 2)"
  case $name in
    *.gz) unpack=gzip ;;
    *) unpack=xz ;;
  esac
  said=$({ "$unpack" -dc "$packed" >"$work/new"; } 2>&1) || {
    check_space 0
    fail "$name cannot be unpacked in $directory: $said"
  }
  rm -f "$packed"
  place "$work/new" "$from/$name"
}

install_binary() {
  [ -f "$binary" ] || usage_error "$binary is no file"
  find_machine
  check_program "$binary" "$binary"
  find_rights
  if [ -f "$target" ] && cmp -s "$binary" "$target"; then
    say "$target is up to date"
    return 0
  fi
  check_space "$(wc -c <"$binary")"
  open_work
  cp "$binary" "$work/new" || fail "$binary cannot be copied to $directory"
  place "$work/new" "$binary"
}

# One file of the bundle. To a stream, so that nothing but its bytes counts, whatever its entry says that it is.
from_bundle() { tar -xOf "$bundle" "$1" >"$work/$1" 2>/dev/null && [ -s "$work/$1" ]; }

# The program in the bundle checks all of it and takes the packages in before it gets its own place.
install_bundle() {
  [ -f "$bundle" ] || usage_error "$bundle is no file"
  case $bundle in /*) ;; *) bundle=$PWD/$bundle ;; esac
  [ -n "$keys" ] || usage_error "--trust PUB is missing: the public key of whoever made the bundle"
  find_machine
  have tar || refuse "tar is not installed: install it"
  have gzip || refuse "gzip is not installed: install it"
  have sha256sum || have openssl || refuse "neither sha256sum nor openssl is installed: install one of them"
  find_rights
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || refuse "packages can be imported by root only, and there is no sudo: run this as root"
    sudo=yes
  fi
  open_work
  from_bundle manifest.json || refuse "$bundle is no bundle of chime-node"
  from_bundle manifest.json.sig || refuse "$bundle is not signed"
  if can_verify "the program in the bundle will check it"; then
    verify_manifest || refuse "the signature of $bundle is by none of the trusted keys"
  fi
  line=$(manifest_files | grep "^chime-node-$machine\\.gz ") || refuse "$bundle is not for this CPU ($(uname -m))"
  name=$(field "$line" 1) packed=$work/$(field "$line" 1)
  check_space $(($(field "$line" 3) + $(field "$line" 5)))
  if ! from_bundle "$name" || [ "$(sum_of "$packed")" != "$(field "$line" 2)" ]; then
    refuse "$bundle was not copied whole, or was changed: its $name is not what its manifest says"
  fi
  said=$({ gzip -dc "$packed" >"$work/new"; } 2>&1) || {
    check_space 0
    fail "$name cannot be unpacked in $directory: $said"
  }
  rm -f "$packed"
  chmod 0755 "$work/new"
  run_quietly "$work/new" --version >/dev/null || cannot_run "$?" "$bundle"
  set --
  for key in $keys; do set -- "$@" --trust "$key"; done
  (cd / && as_root "$work/new" bundle import "$bundle" "$@" >&2) || exit "$?"
  if [ -f "$target" ] && cmp -s "$work/new" "$target"; then
    say "$target is up to date"
    return 0
  fi
  place "$work/new" "$bundle"
}

roll_back() {
  find_machine
  find_rights
  [ -e "$kept/previous" ] || refuse "there is no earlier binary to go back to at $kept/previous"
  check_space "$(wc -c <"$kept/previous")"
  open_work
  cp "$kept/previous" "$work/new" || fail "$kept/previous cannot be copied to $directory"
  place "$work/new" "$kept/previous"
}

# ── the binary in its place ──────────────────────────────────────────────────────────────────────────────────────────

# In /, because the runtime does not start in a directory that was deleted.
run_quietly() { (cd / && "$@" </dev/null 2>/dev/null); }

# The agent's unit names this path.
is_systemwide() { [ "$target" = /usr/local/bin/chime-node ]; }

# Also one that keeps failing or that systemd gave up on: an upgrade may be what helps. One that was stopped stays so.
agent_runs() {
  is_systemwide && have systemctl || return 1
  case $(systemctl is-active chime-node.service 2>/dev/null) in
    active | activating | reloading | failed) ;;
    *) return 1 ;;
  esac
}

# chime-node made something on this machine and has not taken it back.
in_use() {
  is_systemwide || return 1
  for path in /var/lib/chime-node/ledger.jsonl /var/lib/chime-node/bundles /etc/chime-node/pki /etc/systemd/system/chime-node.service; do
    if as_root test -e "$path"; then return 0; fi
  done
  return 1
}

# The form of the state on disk that a binary writes; versions that say nothing write the first one.
state_of() {
  state=$(run_quietly "$1" version --json | sed -n 's/.*"state": *\([0-9][0-9]*\).*/\1/p')
  echo "${state:-1}"
}

# place NEW WHENCE: tries it, puts it in the old one's place and restarts the agent; goes back if that fails.
place() {
  new=$1
  [ ! -d "$target" ] || refuse "$target is a directory"
  check_program "$new" "$2"
  chmod 0755 "$new"
  found=$(run_quietly "$new" --version) || cannot_run "$?" "$2"
  if in_use && [ -e "$target" ] && [ "$(state_of "$new")" -lt "$(state_of "$target")" ]; then
    refuse "$found cannot read the state that $(run_quietly "$target" --version) wrote on this node: stay, or go to a newer one"
  fi
  [ -z "$sudo" ] || as_root chown 0:0 "$new"
  if [ -e "$target" ]; then
    as_root ln "$target" "$work/old" 2>/dev/null || as_root cp -p "$target" "$work/old"
  fi
  # A rename replaces the file even while it runs, and nobody ever sees half of it.
  as_root mv -f "$new" "$target"
  swapped=yes
  restart_agent
  keep_old
  say "installed $target ($found)"
}

cannot_run() {
  why="exit $1"
  # What the shell says of a file that it may not execute.
  [ "$1" -ne 126 ] || why="$directory may be mounted noexec: then give --prefix"
  fail "$2 does not run on this machine ($why)"
}

# Failures of before do not count against systemd's limit on starts.
start_anew() {
  as_root systemctl reset-failed chime-node.service 2>/dev/null || :
  as_root systemctl restart chime-node.service
}

# What serves goes on while the agent is away: neither the VIP nor the writer moves.
restart_agent() {
  agent_runs || return 0
  note "restarting the agent"
  start_anew && return 0
  if [ -e "$work/old" ]; then
    as_root mv -f "$work/old" "$target"
    start_anew || :
    fail "the agent does not start with $found: the binary before is back (see journalctl -u chime-node)"
  fi
  fail "the agent does not start with $found (see journalctl -u chime-node)"
}

keep_old() {
  [ -e "$work/old" ] || return 0
  make_directory "$kept"
  as_root mv -f "$work/old" "$kept/previous"
}

# What uninstall has to take away beside the files.
remember_directories() {
  [ -n "$made" ] || return 0
  make_directory "$kept"
  [ ! -e "$kept/made" ] || made=$made$(as_root cat "$kept/made")
  echo "$made" | as_root tee "$kept/made" >/dev/null
}

uninstall() {
  find_rights
  if in_use; then refuse "this node is still managed: run 'chime-node reset' first, then this again"; fi
  if [ ! -e "$target" ] && [ ! -d "$kept" ]; then
    say "$target is not there"
    return 0
  fi
  as_root rm -f "$target" || fail "$target cannot be removed: run this as root"
  made=''
  [ ! -e "$kept/made" ] || made=$(cat "$kept/made")
  as_root rm -f "$kept/previous" "$kept/made"
  remove_directories "$kept
$made"
  say "removed $target"
}

# ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────────

# A public key in one line, from a PEM file or as it is.
public_key() {
  key=$1
  if [ -f "$1" ]; then key=$(sed '/^-----/d' "$1" | tr -d ' \r\n'); fi
  case $key in
    # The head of every Ed25519 key in SPKI form (RFC 8410).
    MCowBQYDK2VwAyEA????????????????????????????????????????????) echo "$key" ;;
    *) usage_error "$1 is neither an Ed25519 public key nor a file with one" ;;
  esac
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --version | --base-url | --trust | --binary | --bundle)
        [ -n "${2:-}" ] || usage_error "$1 needs a value"
        case $1 in
          --prefix) prefix=${2%/} ;;
          --version) version=${2#v} ;;
          --base-url) base_url=${2%/} ;;
          --trust) trusted="$trusted $(public_key "$2")" ;;
          --binary) binary=$2 ;;
          --bundle) bundle=$2 ;;
        esac
        shift
        ;;
      --rollback | --uninstall)
        [ -z "$action" ] || [ "$action" = "$1" ] || usage_error "$action and $1 exclude each other"
        action=$1
        ;;
      -h | --help)
        usage
        exit 0
        ;;
      --)
        shift
        break
        ;;
      -*) usage_error "unknown argument $1" ;;
      *) break ;;
    esac
    shift
  done
  words=$#
}

check_usage() {
  case $prefix in '' | /*) ;; *) usage_error "--prefix must be an absolute path" ;; esac
  case $version in *[!0-9A-Za-z.+-]*) usage_error "$version is no version" ;; esac
  case $base_url in '' | http://?* | https://?*) ;; *) usage_error "--base-url must begin with http:// or https://" ;; esac
  [ -z "$action" ] || [ -z "$binary" ] || usage_error "--binary and $action exclude each other"
  [ -z "$action$binary" ] || [ -z "$bundle" ] || usage_error "--bundle and ${action:---binary} exclude each other"
  local_file=${binary:+--binary}${bundle:+--bundle}
  [ -z "$action$local_file" ] || [ -z "$version" ] || usage_error "--version and ${action:-$local_file} exclude each other"
  [ "$action" != --uninstall ] || [ "$words" -eq 0 ] || usage_error "--uninstall takes no command"
}

main() {
  prefix=/usr/local version='' base_url=$release_url trusted='' binary='' bundle='' action=''
  work='' made='' swapped='' sudo=''
  exec 3>&1
  parse "$@"
  check_usage
  shift $(($# - words))
  [ $# -eq 0 ] || exec 3>&2
  keys=${trusted:-$release_keys}
  directory=$prefix/bin target=$prefix/bin/chime-node kept=$prefix/lib/chime-node
  umask 022
  trap cleanup EXIT
  trap 'exit 130' INT TERM HUP
  case $action in
    --uninstall) uninstall ;;
    --rollback) roll_back ;;
    *)
      if [ -n "$binary" ]; then
        install_binary
      elif [ -n "$bundle" ]; then
        install_bundle
      else
        install_release
      fi
      ;;
  esac
  [ "$action" = --uninstall ] || remember_directories
  [ $# -gt 0 ] || return 0
  close_work
  trap - EXIT INT TERM HUP
  # sudo passes no environment on by itself, and a token in argv would be seen by every user.
  if [ "$(id -u)" -ne 0 ] && have sudo; then exec sudo --preserve-env=CHIME_TOKEN -- "$target" "$@" 3>&-; fi
  exec "$target" "$@" 3>&-
}

# The last line, and of no meaning without its brace: a script that was cut off anywhere does nothing at all.
{ main "$@"; }
