#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Measures vodsink against what people use instead; docs/performance.md tells
# what the table means.
#
#   tests/bench/run.sh [BUILD] [options of bench.py]
#
# COS_C_SDK=DIR names a checkout of the official C SDK with its static library
# built somewhere below it; without it the SDK is left out.
set -euo pipefail
root=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
build=$root/build
if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
  build=$1
  shift
fi
[ -f "$build/build.ninja" ] || meson setup "$build" "$root"
ninja -C "$build" >/dev/null
exec python3 "$root/tests/bench/bench.py" "$build" "$@"
