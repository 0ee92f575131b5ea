#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# From a fresh Debian 12 to a video on demand: installs what is missing, builds
# vodsink, starts vod-emulator (the service on this machine) and uploads ten
# seconds of a live test picture with sound while they are being recorded.
#
#   examples/quickstart.sh          stays up at the end, until Ctrl-C
#   examples/quickstart.sh --once   ends when the video is there
set -euo pipefail

usage() {
  sed -n '3,8s/^# \{0,1\}//p' "$0"
}

once=
case "${1:-}" in
  '') ;;
  --once) once=yes ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac

cd "$(dirname "$(readlink -f "$0")")/.."
# shellcheck source=tests/lib-setup.sh
. tests/lib-setup.sh

build=build
log=$(mktemp -d)
emulator=
pipeline=

# --- the end, however it comes ------------------------------------------------

# Ends one of our processes and waits until it is gone.
end_process() {
  [ -n "$1" ] || return 0
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

clean_up() {
  trap - EXIT INT TERM HUP
  end_process "$pipeline"
  end_process "$emulator"
  rm -rf "$log"
}

interrupted() {
  say
  say "Interrupted."
  exit 130
}

trap clean_up EXIT
trap interrupted INT
trap 'exit 143' TERM HUP

fail() {
  say "$1"
  exit 1
}

# Starts a program of its own session, so that Ctrl-C reaches this script
# alone, and so that it never outlives it.
start() {
  exec setsid setpriv --pdeathsig TERM "$@"
}

# --- steps --------------------------------------------------------------------

build_all() {
  if [ ! -f "$build/build.ninja" ]; then
    with_system_python meson setup "$build" >"$log/build" 2>&1 || {
      cat "$log/build"
      fail "Setting up the build failed."
    }
  fi
  with_system_python meson compile -C "$build" gstvodsink vod-emulator \
    >"$log/build" 2>&1 || {
    cat "$log/build"
    fail "The build failed."
  }
}

start_emulator() {
  mkfifo "$log/address"
  start "$build/examples/vod-emulator/vod-emulator" \
    >"$log/address" 2>"$log/emulator" </dev/null &
  emulator=$!
  # Kept open: it says more later, and must not meet a closed pipe.
  exec 3<"$log/address"
  read -r -t 20 line <&3 || true
  address=${line#listening on }
  case "$address" in
    http://*) ;;
    *)
      cat "$log/emulator"
      fail "vod-emulator did not start."
      ;;
  esac
}

pipeline_text="videotestsrc is-live=true num-buffers=300
      ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1
      ! x264enc tune=zerolatency speed-preset=superfast bitrate=6000
        key-int-max=60
      ! h264parse ! queue ! mp4mux name=mux
    audiotestsrc is-live=true num-buffers=500 samplesperbuffer=960
        wave=ticks
      ! audio/x-raw,rate=48000,channels=2 ! voaacenc ! aacparse
      ! queue ! mux.
    mux. ! vodsink media-name=Quickstart"

# The value of a string field in a message as gst-launch-1.0 -m prints it.
field() {
  local value

  value=$(sed -n "s/.*[ ,]$1=(string)\"\{0,1\}\([^\",;]*\).*/\1/p" <<<"$2")
  printf '%s' "${value//\\/}"
}

number() {
  sed -n "s/.*[ ,]$1=([a-z0-9]*)\([0-9]*\).*/\1/p" <<<"$2"
}

mebibytes() {
  printf '%d.%d MiB' $(($1 / 1048576)) $(($1 % 1048576 * 10 / 1048576))
}

# One line that is written over on a terminal, many elsewhere.
show() {
  if [ -t 1 ]; then
    printf '\r\033[K  %s' "$1"
  else
    printf '  %s\n' "$1"
  fi
}

end_show() {
  if [ -t 1 ]; then
    printf '\n'
  fi
}

# Makes of gst-launch's many messages what a person wants to know.
follow() {
  local line loaded speed begun=$SECONDS

  while read -r line; do
    printf '%s\n' "$line" >>"$log/pipeline"
    case "$line" in
      *vodsink-progress,*)
        loaded=$(number loaded "$line")
        speed=$(number speed "$line")
        show "$((SECONDS - begun)) s: $(mebibytes "${loaded:-0}") uploaded \
($(mebibytes "${speed:-0}")/s)"
        ;;
      *vodsink-retry,*)
        end_show
        say "  trying again: $(field message "$line")"
        ;;
      *vodsink-finish,*)
        file_id=$(field file-id "$line")
        video_url=$(field video-url "$line")
        size=$(number size "$line")
        parts=$(number parts "$line")
        ;;
    esac
  done
  end_show
}

run_pipeline() {
  local status=0

  export GST_PLUGIN_PATH="$PWD/$build/gst${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}"
  mkfifo "$log/messages"
  # shellcheck disable=SC2086
  start gst-launch-1.0 -e -m $pipeline_text \
    endpoint="$address" signature-url="$address/signature" \
    >"$log/messages" 2>&1 </dev/null &
  pipeline=$!
  follow <"$log/messages"
  wait "$pipeline" || status=$?
  pipeline=
  if [ "$status" -ne 0 ] || [ -z "${video_url:-}" ]; then
    grep -v -e '(state-changed)' -e '(stream-status)' "$log/pipeline" || true
    fail "The pipeline failed (exit code $status)."
  fi
}

# --- what happens -------------------------------------------------------------

say "1. What is needed from Debian"
install_missing "${packages_build[@]}" "${packages_run[@]}" ||
  fail "Without these packages it cannot go on."

say "2. Building with meson into $build/ (the first time takes a minute)"
build_all

say "3. Starting vod-emulator, the service on this machine"
start_emulator
say "   $address"

say "4. Recording and uploading ten seconds, live:"
say "    gst-launch-1.0 -e $pipeline_text"
say "      endpoint=$address"
say "      signature-url=$address/signature"
run_pipeline

say "5. Done: $(mebibytes "$size") in $parts parts"
say "   file id:   $file_id"
say "   video URL: $video_url"
say "   page:      $address/"
if [ -z "$once" ]; then
  say "The video plays on the page. Ctrl-C ends the emulator; the video goes with it."
  trap 'say; exit 0' INT
  wait "$emulator" || fail "vod-emulator ended."
fi
