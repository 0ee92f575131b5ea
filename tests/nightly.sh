#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What takes too long for CI: valgrind on unit and element tests, the long forms
# of the random tests, 10 GiB, the end-to-end tests several times over and on a
# busy machine, the campaigns of tests/soak, and everything once more on a Debian
# 12 made from nothing: what README tells a newcomer to type, CI, and packages.
#
#   tests/nightly.sh [PART...]   parts: long valgrind size soak repeat busy fresh
#                                packages
#
# The last line of the output counts: "N passed, N failed".
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$root" || exit 1
# shellcheck source=tests/lib-setup.sh
. tests/lib-setup.sh
# shellcheck source=tests/lib-checks.sh
. tests/lib-checks.sh

all=(long valgrind size soak repeat busy fresh packages)
parts=("$@")
[ $# -gt 0 ] || parts=("${all[@]}")
build=build-nightly
suppressions=/usr/share/glib-2.0/valgrind/glib.supp

# --- parts --------------------------------------------------------------------

# GLib's random tests run much longer with -m slow.
part_long() {
  local program

  for program in "$build"/tests/check/test-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    check "${program##*/} -m slow" timeout 3600 env G_DEBUG=fatal-criticals \
      "$program" -m slow
  done
}

part_valgrind() {
  local options=(--quiet --error-exitcode=99 --num-callers=30
    --leak-check=full --show-leak-kinds=definite
    --errors-for-leak-kinds=definite
    "--suppressions=$root/tests/valgrind.supp")

  [ -f "$suppressions" ] && options+=("--suppressions=$suppressions")
  export G_SLICE=always-malloc VOD_TEST_SLOWNESS=15
  export GST_REGISTRY_FORK=no ORC_CODE=backup
  run_meson_tests "$build" --suite unit --suite element -t 30 \
    --num-processes 1 --wrap "valgrind ${options[*]}"
  unset G_SLICE VOD_TEST_SLOWNESS GST_REGISTRY_FORK ORC_CODE
}

# 10 GiB through a client of less than 120 MiB.
part_size() {
  VOD_TEST_GIB=10 run_tap python3 tests/pipelines/limits.py "$build" gib
}

# Hundreds of uploads with everything that may happen to them; and longer
# outages.
part_soak() {
  local name

  for name in faults flips day kill; do
    run_tap python3 "tests/soak/$name.py" "$build" --long \
      --results "$build/soak-$name.jsonl"
  done
  for name in outages splitmux_outages; do
    VOD_TEST_OUTAGE=60 run_tap python3 "tests/pipelines/$name.py" "$build"
  done
}

# What fails once in a while fails here.
part_repeat() {
  run_meson_tests "$build" --suite element --suite pipelines --repeat 5
}

# The same while two others want each CPU.
part_busy() {
  local pids=() i

  for ((i = 0; i < 2 * $(nproc); i++)); do
    (while :; do :; done) &
    pids+=($!)
  done
  VOD_TEST_SLOWNESS=5 run_meson_tests "$build" --suite element \
    --suite pipelines -t 5
  kill "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null
}

# As somebody would who has just cloned it, on Debian's smallest system: README,
# line by line, and CI.
part_fresh() {
  local into walk

  can_make_debian || return
  into=$(mktemp -d /var/tmp/vodsink-debian-XXXXXX)
  check "debootstrap" debootstrap --variant=minbase bookworm "$into/ci"
  for walk in first second; do
    cp -a "$into/ci" "$into/$walk"
  done
  git clone -q --no-local "$root" "$into/clone"
  cp -a "$into/clone" "$into/ci/root/vodsink"
  run_tap python3 tests/walk.py "$into/clone" "$into/first" "$into/second"
  check ".ci/run on a fresh Debian" in_debian "$into/ci" .ci/run
  rm -rf --one-file-system "$into"
}

# The packages of examples/debian, on a Debian that has nothing else.
part_packages() {
  local into

  can_make_debian || return
  into=$(mktemp -d /var/tmp/vodsink-debian-XXXXXX)
  check "packages, and lintian" tests/packages.sh "$into/packages"
  check "debootstrap" debootstrap --variant=minbase bookworm "$into/debian"
  mv "$into/packages" "$into/debian/root/vodsink"
  cp tests/packages-fresh.sh "$into/debian/root/vodsink"
  check "packages on a fresh Debian" \
    in_debian "$into/debian" ./packages-fresh.sh
  rm -rf --one-file-system "$into"
}

can_make_debian() {
  [ "$(id -u)" -eq 0 ] && return
  say "SKIP fresh Debian: needs root"
  skipped=$((skipped + 1))
  return 1
}

# Namespaces of its own: no mount and no process outlives it. Its root is a mount:
# in a mere chroot nobody may make other namespaces, which tests do.
in_debian() {
  local into=$1

  shift
  printf '127.0.0.1 localhost\n' >"$into/etc/hosts"
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    mount --bind "$0" "$0" && cd "$0" && mkdir -p old &&
    mount -t proc proc proc && mount --rbind /dev dev &&
    pivot_root . old && umount -l /old &&
    exec chroot . env -i HOME=/root TERM=dumb \
      PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      bash -c "cd /root/vodsink && \"\$@\"" bash "$@"' "$into" "$@"
}

# --- all of it ----------------------------------------------------------------

if ! install_missing "${packages_build[@]}" "${packages_run[@]}" \
  "${packages_test[@]}" "${packages_nightly[@]}"; then
  failed=1
  finish
fi
export PATH="/usr/bin:/bin:$PATH"
check "build" build_in "$build" -Dwerror=true
for part in "${parts[@]}"; do
  case " ${all[*]} " in
    *" $part "*) ;;
    *)
      say "There is no part $part; there are: ${all[*]}"
      exit 2
      ;;
  esac
  say "=== $part"
  "part_$part"
done
finish
