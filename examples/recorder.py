#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records round the clock: a media every minute, a row of a database for each
(recorder_rows.py), and a source that may go away and come back.

    apt-get install python3-gi gir1.2-gstreamer-1.0
    examples/recorder.py -u file://$HOME/.config/vod-signature cam1.db \\
        rtsp://camera/stream
    examples/recorder.py -u … cam1.db "rtspsrc location=rtsp://camera/stream name=c
        c. ! rtph264depay ! h264parse ! split.video
        c. ! rtpmp4gdepay ! aacparse ! split.audio_0"
    examples/recorder.py @cam1.conf      # an argument a line, as it holds secrets

When the source fails, ends or is silent, the fragment that is being recorded ends
there and goes up like the others, while a new pipeline asks the source again, at
once and then less and less often. Ctrl-C and SIGTERM finish what there is; what
takes too long, or was cut off by a crash, stays in the spool with its row "left",
for vod-resume: at the next start, and every ten minutes. Exit code 0: nothing is
left; 1: something is; 2: wrong use."""

import argparse
import fcntl
import os
import re
import signal
import sqlite3
import sys
import threading
import time

import gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

from recorder_rows import Resumer, Rows  # noqa: E402

LONGEST_PAUSE = 30   # seconds between two tries to reach the source
LONGEST_END = 3600   # seconds for the last uploads of a pipeline

# PyGObject makes a class when it is first asked for, and threads that ask for the
# same one at once may get half of it. So those of other threads are made here.
EOS, EVENT = Gst.EventType.EOS, Gst.PadProbeType.EVENT_DOWNSTREAM
OK = Gst.PadProbeReturn.OK
USED = Gst.Event, Gst.Message, Gst.PadProbeInfo, Gst.Sample, Gst.Structure

# The H.264 picture of a URI.
URI_SOURCE = ("urisourcebin name=in parse-streams=true "
              "in. ! h264parse ! split.video")
# Fragmented mp4 plays without its end, so it may be cut off.
SPLITTER = """ splitmuxsink name=split async-finalize=true sink-factory=vodsink
    muxer-factory=mp4mux muxer-properties="properties,fragment-duration=1000"
    send-keyframe-requests=true max-size-time=%d """


class Session:
    """A pipeline, from asking the source until all that it gave is up."""

    def __init__(self, recorder):
        self.recorder, self.rows = recorder, recorder.rows
        self.options = recorder.options
        self.current = None   # the fragment that is being recorded
        self.pending = set()  # fragments that are not up
        self.begun = self.alive = self.cut = time.monotonic()
        self.heard = False    # whether the source has given anything
        self.over = None      # since when nothing more is taken from it
        self.closed = False
        self.pipeline = self.split = None
        self.build()

    def build(self):
        source = self.options.source
        is_uri = re.fullmatch(r"\w+://\S+", source)
        self.pipeline = Gst.parse_launch(
            (URI_SOURCE if is_uri else source) +
            SPLITTER % (self.options.seconds * Gst.SECOND))
        if is_uri:
            self.pipeline.get_by_name("in").set_property("uri", source)
        self.split = self.pipeline.get_by_name("split")
        self.split.connect("format-location-full", self.on_fragment)
        self.split.connect("sink-added", self.on_sink)
        for pad in self.split.sinkpads:
            pad.add_probe(Gst.PadProbeType.DATA_DOWNSTREAM, self.on_data)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_message)
        # In vodsink's thread: the sooner noted the better, its spool is gone.
        bus.enable_sync_message_emission()
        bus.connect("sync-message::element", self.on_element)

    # -- in threads of GStreamer's: splitmuxsink must not be asked anything --

    def on_data(self, _pad, info):
        self.alive = time.monotonic()
        if not info.type & EVENT:
            self.heard = True
        elif info.get_event().type == EOS:
            GLib.idle_add(self.end, "it has ended")
        return OK

    def on_fragment(self, _split, _number, _sample):
        """The row is there before the first byte."""
        if self.current:
            self.rows.end(self.current)
        self.current = self.rows.begin(self.recorder.prefix)
        self.pending.add(self.current)
        self.cut = time.monotonic()
        return self.current + ".mp4"

    def on_sink(self, _split, sink):
        for name, value in self.recorder.settings.items():
            Gst.util_set_object_arg(sink, name, value)

    def on_element(self, _bus, message):
        said = message.get_structure()
        if said.get_name() == "vodsink-finish":
            self.on_result(said, "done", file_id=said.get_value("file-id"),
                           url=said.get_value("video-url"),
                           size=said.get_value("size"), error=None)
        elif said.get_name() == "vodsink-error":
            self.on_result(said, "left" if said.get_value("resumable")
                           else "lost", error=said.get_value("message"))

    def on_result(self, said, state, **values):
        name = said.get_value("location").rsplit(".", 1)[0]
        self.rows.end(name)
        self.rows.set(name, state, **values)
        self.alive = time.monotonic()
        self.pending.discard(name)

    # -- in the main loop --

    def on_message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            self.end(message.parse_error().gerror.message)
        elif message.type == Gst.MessageType.EOS:
            self.end("it has ended")
            self.close()

    def end(self, why):
        """Nothing more is taken from the source; what is here goes up."""
        if self.over is None:
            print("the source is left:", why, flush=True)
            self.over = self.alive = time.monotonic()
            self.recorder.on_end(self)
            if self.current:
                self.rows.end(self.current)
            if self.heard:
                threading.Thread(target=self.stop_source, daemon=True, args=[
                    self.split, self.pipeline.children]).start()
            else:
                self.close()

    @staticmethod
    def stop_source(split, elements):
        """A thread of its own, as sources may hang; and one for each stream, as
        one may wait for the end of the other."""
        ends = [threading.Thread(target=pad.send_event, daemon=True,
                                 args=[Gst.Event.new_eos()])
                for pad in split.sinkpads]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join()
        for element in elements:
            if element != split:
                element.set_locked_state(True)
                element.set_state(Gst.State.NULL)

    def look(self):
        """Every second."""
        now = time.monotonic()
        silent = now - self.alive > self.options.silence
        limit = self.options.seconds + 6 * self.options.silence
        if self.over is None and silent:
            self.end("no data for %d s" % self.options.silence)
        elif self.over is None and now - self.cut > limit:
            self.end("nothing of it was recorded for %d s" % limit)
        elif self.over and (silent and not self.pending or
                            now - self.over > LONGEST_END):
            self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            self.end("closed")
            self.pipeline.get_bus().remove_signal_watch()
            stop = threading.Thread(target=self.stop, args=[self.pipeline],
                                    daemon=True)
            stop.start()
            # They hold us by their handlers.
            self.pipeline = self.split = None
            self.recorder.on_close(self, stop)

    def stop(self, pipeline):
        """In a thread of its own. What is not up by now is left in the
        spool."""
        pipeline.set_state(Gst.State.NULL)
        for name in list(self.pending):
            self.rows.end(name)
            self.rows.leave(name, "not finished in time")


class Recorder:
    def __init__(self, options):
        base = os.path.splitext(options.database)[0]
        self.options, self.rows = options, Rows(options.database)
        self.prefix = os.path.basename(base)
        settings = dict([item.split("=", 1) for item in options.set],
                        **{"signature-url": options.signature_url})
        self.settings = dict(
            settings, **{"spool": "true", "state-dir": base + ".spool",
                         "fatal-errors": "false"})
        self.resumer = Resumer(self.rows, base + ".resume", base + ".spool",
                               settings)
        self.loop = GLib.MainLoop()
        self.sessions = []
        self.stops = []  # threads that stop pipelines: a source may hang
        self.pause = 1  # before the source is asked again
        self.stopping = False

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, self.stop)
        GLib.timeout_add_seconds(1, self.look)
        GLib.timeout_add_seconds(self.options.resume_every, self.resumer.start)
        self.resumer.start()
        self.record()
        self.loop.run()
        self.resumer.stop()
        for thread in self.stops:
            thread.join(5)
        self.rows.leave(None, "not finished in time")
        return 1 if not self.rows.flush() or self.rows.left() else 0

    def record(self):
        if not self.stopping:
            session = Session(self)
            self.sessions.append(session)
            session.pipeline.set_state(Gst.State.PLAYING)
        return GLib.SOURCE_REMOVE

    def on_end(self, session):
        lasted = session.over - session.begun
        self.pause = 1 if lasted > 60 else min(2 * self.pause, LONGEST_PAUSE)
        GLib.timeout_add_seconds(self.pause, self.record)

    def on_close(self, session, stop):
        self.sessions.remove(session)
        self.stops = [t for t in self.stops if t.is_alive()] + [stop]
        if self.stopping and not self.sessions:
            self.loop.quit()

    def look(self):
        for session in list(self.sessions):
            session.look()
        self.resumer.look()
        return GLib.SOURCE_CONTINUE

    def stop(self):
        """The first signal waits for the uploads, the second does not."""
        if self.stopping:
            self.give_up()
        self.stopping = True
        GLib.timeout_add_seconds(self.options.patience, self.give_up)
        for session in list(self.sessions):
            session.end("stopped")
        if not self.sessions:
            self.loop.quit()
        return GLib.SOURCE_CONTINUE

    def give_up(self):
        for session in list(self.sessions):
            session.close()


def setting(text):
    sink = Gst.ElementFactory.make("vodsink")
    if sink and not sink.find_property(text.split("=")[0]) or \
            "=" not in text or "\n" in text:
        raise argparse.ArgumentTypeError("not a property of vodsink: " +
                                         text.split("=")[0])
    return text


def seconds(text):
    if not re.fullmatch("[1-9][0-9]{0,6}", text):
        raise argparse.ArgumentTypeError("not from 1 to 9999999: " + text)
    return int(text)


def give_up(*problem):
    """What is raised in a callback would only end that one, for good. So who looks
    after this program starts it anew; what is not up is in the spool."""
    sys.__excepthook__(*problem)
    os._exit(1)


def main():
    sys.excepthook = give_up
    Gst.init(None)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter,
        fromfile_prefix_chars="@")
    parser.add_argument("database", help="NAME.db: media are called NAME-…")
    parser.add_argument("source", help="a URI, or a pipeline up to split.video")
    parser.add_argument("-u", "--signature-url", required=True)
    parser.add_argument("-s", "--set", action="append", default=[],
                        type=setting, metavar="PROPERTY=VALUE", help="of vodsink")
    for name, default, what in (
            ("seconds", 60, "of a fragment"),
            ("silence", 10, "seconds without data: ask the source again"),
            ("patience", 60, "seconds for the last uploads at the end"),
            ("resume-every", 600, "seconds between looks at what is left")):
        parser.add_argument("--" + name, type=seconds, default=default,
                            help=what)
    options = parser.parse_args()
    if not Gst.ElementFactory.find("vodsink"):
        parser.error("there is no element vodsink (GST_PLUGIN_PATH)")
    os.umask(0o077)
    with open(options.database + ".lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Recorder(options).run()
        except BlockingIOError:
            return options.database + " has a recorder already"
        except GLib.Error as error:
            return error.message
        except sqlite3.Error as error:
            return "%s: %s" % (options.database, error)


if __name__ == "__main__":
    sys.exit(main())
