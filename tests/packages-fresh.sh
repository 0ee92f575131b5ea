#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# On a Debian on which nothing is installed: the packages in this folder bring all
# that they need, do what they are for, and go away again.
set -euxo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y install --no-install-recommends \
  ./gstreamer1.0-vodsink_*.deb ./vodsink-tools_*.deb gstreamer1.0-tools

getent passwd vodsink
gst-inspect-1.0 vodsink | grep libgstvodsink.so
[ -f /lib/systemd/system/vodsink-record@.service ]
[ ! -e /etc/systemd/system/timers.target.wants/vod-resume.timer ]
vod-resume --state-dir /nothing --list
gzip -t /usr/share/man/man1/vod-resume.1.gz

# A file, signed by vod-sign, into the service on this machine.
vod-emulator --port 8088 --secret-id AKIDtest --secret-key test &
until (: </dev/tcp/127.0.0.1/8088) 2>/dev/null; do sleep 0.1; done
umask 077
VOD_SECRET_ID=AKIDtest VOD_SECRET_KEY=test vod-sign >/root/signature
gst-launch-1.0 -v filesrc location=/bin/bash ! vodsink media-name=packaged \
  media-type=mp4 endpoint=http://127.0.0.1:8088 \
  signature-url=file:///root/signature | grep 'file-id = [0-9]'
kill %1
wait %1

apt-get -q -y purge gstreamer1.0-vodsink vodsink-tools
[ ! -e /usr/bin/vod-resume ]
if gst-inspect-1.0 vodsink; then exit 1; fi
