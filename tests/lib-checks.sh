# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by tests/run.sh and tests/nightly.sh: running checks and counting
# them.

passed=0
failed=0
skipped=0
failures=()

# check NAME COMMAND... - one check; its output is shown if it fails.
check() {
  local name=$1 log begun=$SECONDS

  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    say "PASS $name ($((SECONDS - begun)) s)"
  else
    failed=$((failed + 1))
    failures+=("$name")
    tail -n 100 "$log"
    say "FAIL $name"
  fi
  rm -f "$log"
}

# configure_in FOLDER OPTION... - sets the build up, or its options.
configure_in() {
  local folder=$1

  shift
  if [ -f "$folder/build.ninja" ]; then
    meson configure "$folder" "$@"
  else
    meson setup "$folder" "$@"
  fi
}

build_in() {
  configure_in "$@" && meson compile -C "$1"
}

# run_meson_tests FOLDER ARGUMENT... - meson test; each case inside a test
# counts.
run_meson_tests() {
  local folder=$1 status=0 counts

  shift
  # The wrapper's name is in the file's.
  rm -f "$folder"/meson-logs/testlog*.junit.xml
  say "--- meson test -C $folder $*"
  meson test -C "$folder" --no-rebuild --print-errorlogs "$@" </dev/null ||
    status=$?
  if ! counts=$(python3 tests/count-junit.py \
    "$folder"/meson-logs/testlog*.junit.xml); then
    failed=$((failed + 1))
    failures+=("meson test $*")
    return 1
  fi
  add_counts "$counts" "meson test $*"
  # Never green when meson itself says otherwise.
  if [ "$status" -ne 0 ] && [ "${counts#* }" = "0 ${counts##* }" ]; then
    failed=$((failed + 1))
    failures+=("meson test $* (exit code $status)")
  fi
}

# add_counts "PASSED FAILED SKIPPED" NAME
add_counts() {
  local p f s

  read -r p f s <<<"$1"
  passed=$((passed + p))
  failed=$((failed + f))
  skipped=$((skipped + s))
  [ "$f" -eq 0 ] || failures+=("$2: $f")
}

# run_tap COMMAND... - a program that speaks TAP; each line counts.
run_tap() {
  local log status=0 p f s

  say "--- $*"
  log=$(mktemp)
  "$@" </dev/null | tee "$log" || status=$?
  p=$(grep -c '^ok ' "$log")
  f=$(grep -c '^not ok ' "$log")
  s=$(grep -c '^ok .*# SKIP' "$log")
  if [ "$f" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$p" -eq 0 ]; }; then
    f=1
  fi
  rm -f "$log"
  add_counts "$((p - s)) $f $s" "$*"
}

# Says the sum and exits.
finish() {
  local name

  for name in "${failures[@]}"; do
    say "FAILED: $name"
  done
  if [ "$skipped" -gt 0 ]; then
    say "$passed passed, $failed failed, $skipped skipped"
  else
    say "$passed passed, $failed failed"
  fi
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}
