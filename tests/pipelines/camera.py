#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A camera for tests: H.264 and AAC by RTSP, to whoever asks. Prints its URL.
`camera.py PORT FRAMES`: with a key frame every FRAMES of 40 ms. Killed it is gone,
stopped (SIGSTOP) it is silent."""

import sys

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

STREAM = """( videotestsrc is-live=true pattern=ball
    ! video/x-raw,width=320,height=240,framerate=25/1
    ! x264enc speed-preset=ultrafast tune=zerolatency threads=1 key-int-max=%s
    ! rtph264pay name=pay0 config-interval=-1
    audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2
    ! voaacenc ! rtpmp4gpay name=pay1 pt=97 )"""


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
    factory = GstRtspServer.RTSPMediaFactory(launch=STREAM % sys.argv[2],
                                             shared=True)
    server.get_mount_points().add_factory("/stream", factory)
    server.attach(None)
    print("rtsp://127.0.0.1:%d/stream" % server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
