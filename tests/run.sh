#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds and runs everything that CI checks; installs what is missing.
#
#   tests/run.sh              all tests, the format, quickstart, installing,
#                             the official clients if node and npm are there
#   tests/run.sh --sanitize   unit and element tests with ASan and UBSan
#
# The last line of the output counts: "N passed, N failed".
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$root" || exit 1
# shellcheck source=tests/lib-setup.sh
. tests/lib-setup.sh
# shellcheck source=tests/lib-checks.sh
. tests/lib-checks.sh

case "${1:-}" in
  '') mode=all ;;
  --sanitize) mode=sanitize ;;
  *)
    sed -n '3,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

check_devenv() {
  (cd / && meson devenv -C "$root/$build" gst-inspect-1.0 vodsink)
}

# Installed below a folder of its own, GStreamer finds the plugin there, and
# the programs start.
check_install() {
  local into plugins status=0

  into=$(mktemp -d)
  plugins=$(pkg-config --variable=pluginsdir gstreamer-1.0)
  DESTDIR=$into meson install -C "$build" --no-rebuild --quiet &&
    [ -f "$into$plugins/libgstvodsink.so" ] &&
    env -u GST_PLUGIN_PATH GST_PLUGIN_SYSTEM_PATH="$into$plugins" \
      GST_REGISTRY="$into/registry" gst-inspect-1.0 vodsink >/dev/null &&
    "$(find "$into" -name vod-emulator -type f)" --version &&
    "$(find "$into" -name vod-resume -type f)" --state-dir "$into/none" --list &&
    [ -x "$(find "$into" -name vod-sign -type f)" ] || status=1
  rm -rf "$into"
  return $status
}

# What a missing dependency is called in Debian is said, not only its .pc file.
check_missing_named() {
  local where output

  where=$(mktemp -d)
  output=$(env PKG_CONFIG_LIBDIR="$where" meson setup "$where/build" 2>&1)
  rm -rf "$where"
  grep -q "apt-get install lib" <<<"$output"
}

# Without ISA-L the table version of the CRC64 must do.
check_without_isal() {
  configure_in build-tables -Dwerror=true -Disal=disabled &&
    meson compile -C build-tables test-checksum &&
    meson test -C build-tables --no-rebuild test-checksum
}

if ! install_missing "${packages_build[@]}" "${packages_run[@]}" \
  "${packages_test[@]}"; then
  failed=1
  finish
fi
export PATH="/usr/bin:/bin:$PATH"
# Most of their time tests wait: for pauses, outages and clocks to pass; with
# sanitizers they have more to do meanwhile.
at_a_time=$((3 * $(nproc)))
[ "$mode" = sanitize ] && at_a_time=$((2 * $(nproc)))
# The checkout may be another user's, as in containers.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory \
  GIT_CONFIG_VALUE_0="$root"

if [ "$mode" = sanitize ]; then
  build=build-sanitize
  check "build with sanitizers" build_in "$build" -Dwerror=true \
    -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
  # The scanner of plugins is not built with ASan, and could not load ours.
  export GST_REGISTRY_FORK=no G_SLICE=always-malloc
  # Leaks are looked for by GStreamer's own tracer (vodsink-leaks) and by
  # valgrind (nightly.sh): LeakSanitizer sees what libsoup's server, GLib and
  # plugins keep for life, and crashes where GnuTLS was loaded.
  export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  # Lists of faults by chance go where each fault goes by itself, 300 times over:
  # that is for the plain build.
  run_meson_tests "$build" --suite unit --suite element --no-suite random -t 4 \
    --num-processes "$at_a_time"
  finish
fi

build=build-check
check "format" tests/format.sh
check "build without a warning" build_in "$build" -Dwerror=true
run_meson_tests "$build" -t 2 --num-processes "$at_a_time"
check "meson devenv" check_devenv
check "meson install" check_install
check "missing packages are named" check_missing_named
check "CRC64 without ISA-L" check_without_isal
run_tap python3 tests/pipelines/quickstart.py
run_tap tests/interop/run.sh "$build"
finish
