#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uploads what a pipeline makes, with signatures that the application gets from
its own server whenever vodsink asks for one (the signal get-signature).

    apt-get install python3-gi gir1.2-gstreamer-1.0
    examples/get-signature.py https://sign.example.com/vod \\
        "videotestsrc num-buffers=300 ! video/x-raw,format=I420 ! x264enc
         ! h264parse ! mp4mux ! vodsink name=vod media-name=Test"

The server is asked with "Authorization: Bearer $SIGN_TOKEN", as
examples/sign-service.py wants it. Ctrl-C ends the recording properly, a second
one at once. Exits with 0 when the media is there."""

import json
import os
import signal
import sys
import threading
import urllib.request

import gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

stopping = threading.Event()


def get_signature(sink, url):
    """In a thread of vodsink's, so that it may wait; until there is a signature
    or the program ends."""
    token = os.environ.get("SIGN_TOKEN", "")
    request = urllib.request.Request(
        url, headers={"Authorization": "Bearer " + token} if token else {})
    while not stopping.is_set():
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read(1 << 16))["signature"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            print("no signature, again in 2 s:", error, file=sys.stderr)
            stopping.wait(2)
    return None  # "later": by setting the property "signature"


class Upload:
    def __init__(self, url, text):
        self.file_id = None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(text)
        sink = self.pipeline.get_by_name("vod") or sys.exit(
            "there is no vodsink name=vod in the pipeline")
        sink.connect("get-signature", get_signature, url)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::element", self.on_element)
        bus.connect("message::error", self.on_error)
        bus.connect("message::eos", lambda *unused: self.loop.quit())
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGINT, self.on_signal)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        stopping.set()
        self.pipeline.set_state(Gst.State.NULL)
        return 0 if self.file_id else 1

    def on_element(self, _bus, message):
        said = message.get_structure()
        if said.get_name() == "vodsink-progress":
            print("%d bytes are up" % said.get_value("loaded"), flush=True)
        elif said.get_name() == "vodsink-finish":
            self.file_id = said.get_value("file-id")
            print("file id %s\n%s" % (
                self.file_id, said.get_value("video-url")), flush=True)

    def on_error(self, _bus, message):
        print(message.parse_error().gerror.message, file=sys.stderr)
        self.loop.quit()

    def on_signal(self):
        self.pipeline.send_event(Gst.Event.new_eos())
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGINT, self.loop.quit)
        return GLib.SOURCE_REMOVE


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    Gst.init(None)
    try:
        sys.exit(Upload(*sys.argv[1:]).run())
    except GLib.Error as problem:
        sys.exit(problem.message)
