# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by examples/quickstart.sh and tests/*.sh: what the project needs from
# Debian 12, and how to get it.

# To build the plugin, the emulator and vod-sign.
packages_build=(gcc libc6-dev meson ninja-build pkg-config python3
  libgstreamer1.0-dev libsoup-3.0-dev libjson-glib-dev libssl-dev
  libisal-dev)

# To run a pipeline that makes H.264 and AAC in mp4, and to talk https.
packages_run=(gstreamer1.0-tools gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly glib-networking)

# To run the tests: decoders, the formatter, what names the files, and what counts
# instructions; what the examples use: Python's GStreamer, and stand-ins for
# cameras and the like; a browser for the emulator's page; who reads units and
# rotates log files.
packages_test=(gstreamer1.0-libav clang-format git valgrind
  chromium chromium-driver
  python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-rtsp-server-1.0 ffmpeg xvfb
  gstreamer1.0-alsa gstreamer1.0-x systemd logrotate curl)

# What only tests/nightly.sh wants.
# shellcheck disable=SC2034
packages_nightly=(debootstrap dpkg-dev debhelper help2man lintian)

say() {
  printf '%s\n' "$*"
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_missing PACKAGE... - says what is missing and installs it.
install_missing() {
  local package missing=() as_root=()

  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "This is no Debian: the equivalents of these packages are needed: $*"
    return 0
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  say "Missing Debian packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "There is no sudo here. As root, please run:"
      say "  apt-get update && apt-get install ${missing[*]}"
      return 1
    fi
    as_root=(sudo)
  fi
  say "Installing them: ${as_root[*]:+${as_root[*]} }apt-get install …"
  run_apt update && run_apt install --no-install-recommends "${missing[@]}"
}

run_apt() {
  local log status=0

  log=$(mktemp)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" \
    >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    cat "$log"
    say "apt-get $1 failed."
  fi
  rm -f "$log"
  return "$status"
}

# with_system_python COMMAND... - meson is Debian's, and so must its python be.
# Another python3 that comes first in PATH is left to the user's own programs.
with_system_python() {
  PATH="/usr/bin:/bin:$PATH" "$@"
}

# unpack_missing FOLDER PACKAGE... - for what would start a server if it were
# installed: the files of packages, in a folder of the build.
unpack_missing() {
  local into=$1 package

  shift
  [ -d "$into/root" ] && return 0
  rm -rf "$into" && mkdir -p "$into/packages" || return 1
  (cd "$into/packages" && apt-get -q -o Acquire::Retries=3 \
    -o APT::Sandbox::User=root download "$@") || return 1
  for package in "$into"/packages/*.deb; do
    dpkg-deb --extract "$package" "$into/unpacked" || return 1
  done
  mv "$into/unpacked" "$into/root"
}
