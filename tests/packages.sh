#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian packages of what is committed, in a folder, judged by lintian.
#
#   tests/packages.sh FOLDER
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "$0")")")
[ $# -eq 1 ] || {
  sed -n '3,5s/^# \{0,1\}//p' "$0"
  exit 2
}
mkdir -p "$1"
into=$(readlink -f "$1")
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

git -C "$root" archive --prefix=vodsink/ HEAD | tar -x -C "$copy"
cd "$copy/vodsink"
# A copy, in which debhelper writes; its links lead where they led.
cp -rL examples/debian debian
# Debian's meson wants Debian's python.
PATH="/usr/bin:/bin:$PATH" dpkg-buildpackage -us -uc -b
lintian --fail-on error,warning --allow-root "$copy"/*.changes
mv "$copy"/*.deb "$into"
