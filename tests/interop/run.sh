#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The official clients of the service, unmodified, against vod-emulator:
# vod-wx-sdk-v2, vod-js-sdk-v6 and cos-nodejs-sdk-v5. Speaks TAP.
#
#   tests/interop/run.sh [BUILD [wx|js|cos]...]
#
# BUILD: the folder whose emulator is used, or "build", which is made if it is
# not there. Then the clients to run; default: all.
#
# Needs node and npm. The clients are installed by npm below BUILD/interop;
# nothing of them is in this repository. Without node, or where npm reaches no
# registry, this is skipped, unless CI=true and node is there: then it fails.
set -uo pipefail

here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
# shellcheck source=tests/lib-setup.sh
. "$root/tests/lib-setup.sh"

least_node=18.15
processes=()

skip() {
  say "1..1"
  say "ok 1 - the official clients # SKIP $1"
  exit 0
}

fail() {
  say "1..1"
  say "not ok 1 - the official clients"
  say "# $1"
  exit 1
}

# Shows a log as comments of TAP.
show() {
  tail -n 40 "$1" | sed 's/^/# /'
}

is_node_new_enough() {
  [ "$(printf '%s\n' "v$least_node" "$(node --version)" | sort -V | head -n 1)" \
    = "v$least_node" ]
}

# Into $work/node_modules, which stays until the list of packages changes.
install_clients() {
  cmp -s "$here/package-lock.json" "$work/installed.json" && return 0
  rm -rf "$work/installed.json" "$work/node_modules"
  cp "$here/package.json" "$here/package-lock.json" "$work/" &&
    (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund \
      --prefer-offline --fetch-retries=2 --fetch-retry-mintimeout=1000 \
      --fetch-retry-maxtimeout=5000) >"$work/npm.log" 2>&1 </dev/null &&
    cp "$here/package-lock.json" "$work/installed.json"
}

# What npm says when there is no way to the registry.
is_offline() {
  grep -Eq 'npm (error|ERR!) code (ECONN|ENOTFOUND|EAI_|E.*UNREACH|E.*TIMEDOUT)' \
    "$work/npm.log"
}

build_emulator() {
  { [ -f "$build/build.ninja" ] ||
    with_system_python meson setup "$build" "$root"; } &&
    with_system_python ninja -C "$build" examples/vod-emulator/vod-emulator
}

# start_emulator NAME OPTION... - sets port; its authority goes to $work/ca.pem.
start_emulator() {
  local line output name=$1

  shift
  mkdir "$work/$name" || return
  exec {output}< <(exec setpriv --pdeathsig TERM \
    "$build/examples/vod-emulator/vod-emulator" --tls --root "$work/$name" "$@")
  processes+=($!)
  read -r -t 20 line <&"$output" || return
  port=${line##*:}
  cat "$work/$name/ca.pem" >>"$work/ca.pem"
}

clean_up() {
  local pid

  trap - EXIT
  for pid in "${processes[@]}"; do
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
  done
  rm -rf "$work/usual" "$work/brief" "$work/temp" "$work/ca.pem"
}

command -v node >/dev/null || skip "there is no node"
command -v npm >/dev/null || skip "there is no npm"
is_node_new_enough || skip "node $(node --version) is older than $least_node"

build=$root/build
given=
if [ $# -gt 0 ]; then
  build=$(readlink -f "$1")
  given=yes
  shift
fi
work=$build/interop
mkdir -p "$work" || fail "cannot write to $work"
if [ -z "$given" ] && ! build_emulator >"$work/build.log" 2>&1; then
  show "$work/build.log"
  fail "the emulator cannot be built"
fi
if ! install_clients; then
  [ "${CI:-}" != true ] && is_offline && skip "npm reaches no registry"
  show "$work/npm.log"
  fail "npm cannot install the clients"
fi

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
rm -rf "$work/usual" "$work/brief" "$work/temp" "$work/ca.pem"
start_emulator usual || fail "vod-emulator does not start"
export EMULATOR_PORT=$port
start_emulator brief --credential-lifetime 3 ||
  fail "vod-emulator does not start"
export EMULATOR_BRIEF_PORT=$port
export NODE_EXTRA_CA_CERTS=$work/ca.pem NODE_PATH=$work/node_modules
# cos-nodejs-sdk-v5 writes what it remembers of uploads whenever it likes.
mkdir "$work/temp" || fail "cannot write to $work"
export INTEROP_TEMP=$work/temp XDG_CONFIG_HOME=$work/temp
# The clients go to no proxy but the one of the tests.
unset HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
setpriv --pdeathsig TERM node "$here/main.js" "$@" </dev/null &
processes+=($!)
wait $!
