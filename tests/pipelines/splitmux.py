#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording that is cut into fragments by splitmuxsink: each becomes one
media while the next is recorded, whatever becomes of the others.
`splitmux.py BUILD [WORD...]`; speaks TAP."""

import os
import re
import signal
import sys
import unittest

import harness
import mp4
import vodwire
from harness import Client, Emulator

RATE = 25  # frames in a second, and in a fragment

# Key frames only where splitmuxsink asks for them.
ENCODER = ("video/x-raw,width=%d,height=%d,framerate=25/1 ! x264enc "
           "speed-preset=ultrafast tune=zerolatency threads=1 "
           "key-int-max=1000 ! h264parse ! split.video")
ENCODED = ENCODER % (320, 240)


def video(seconds, live=False):
    return "videotestsrc num-buffers=%d%s ! %s" % (
        seconds * RATE, " is-live=true" if live else "", ENCODED)


def audio(seconds, live=False):
    return ("audiotestsrc samplesperbuffer=441 num-buffers=%d%s ! avenc_aac ! "
            "aacparse ! split.audio_0" % (
                seconds * 100, " is-live=true" if live else ""))


def names(count):
    return ["rec%02d" % i for i in range(count)]


class Case(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.state_dir = os.path.join(self.where, "state", "vodsink")
        self.root = os.path.join(self.where, "root")
        self.emulator = Emulator("--root", self.root)
        self.addCleanup(lambda: self.emulator.__exit__(None, None, None))
        self.base = "http://127.0.0.1:%d" % self.emulator.port
        self.program = None
        self.addCleanup(lambda: self.program and self.program.kill())

    def restart(self):
        self.emulator = Emulator("--root", self.root, "--port",
                                 str(self.emulator.port))
        self.program.before.add(self.emulator.process.pid)

    # -- recording --

    def split(self, *settings, muxer="mp4mux", location="rec%02d.mp4",
              signature=True):
        """splitmuxsink as docs/splitmuxsink.md has it, with these of vodsink's settings."""
        properties = ["properties", "endpoint=" + self.base, *settings]
        if signature:
            properties.append("signature-url=%s/signature" % self.base)
        return ["splitmuxsink", "name=split", "async-finalize=true",
                "muxer-factory=" + muxer, "sink-factory=vodsink",
                "sink-properties=" + ",".join(properties),
                *self.cut(location)]

    def to_files(self, muxer="mp4mux", location="rec%02d.mp4"):
        """The same, into files."""
        return ["splitmuxsink", "name=split", "async-finalize=true",
                "muxer-factory=" + muxer,
                *self.cut(os.path.join(self.where, location))]

    @staticmethod
    def cut(location):
        return ["max-size-time=1000000000", "send-keyframe-requests=true",
                "location=" + location]

    def start(self, args, env=None):
        self.program = harness.Program(args, env={
            "XDG_STATE_HOME": os.path.dirname(self.state_dir), **(env or {})})
        return self.program

    def launch(self, splitter, *sources):
        """Begins to record with gst-launch-1.0. From live sources: with others
        it may wait for EOS for ever, whatever the sink, if that comes soon
        after it was PREROLLED (GStreamer 1.22)."""
        return self.start(harness.launch(
            [*splitter, *" ".join(sources).split()]))

    def record(self, splitter, *sources, options=(), prefix=(), env=None):
        """Begins to record with the application."""
        splitter = [re.sub("^([a-z-]+)=(.*)$", r'\1="\2"', word)
                    for word in splitter]
        return self.start([*prefix, harness.FRAGMENTS, *options,
                           " ".join([*splitter, *sources])], env)

    def end(self, code=0, timeout=60):
        result = self.program.finish(timeout)
        self.assertEqual(result.code, code, result.tail())
        return result

    def said(self, key, name=None):
        """What the application has said so far."""
        return harness.lines(self.program.output(), key, name)

    # -- what the service has --

    def fetch(self, url):
        return Client(self.emulator).request(
            "GET", "/" + url.split("/", 3)[3]).body

    def media(self, expected=None):
        """Name -> bytes of what was committed, which must be those in
        @expected; nothing else is left at the service or here."""
        state = self.emulator.state()
        self.assertEqual(state["uploads"], [])
        if expected is not None:
            self.assertEqual(sorted(m["name"] for m in state["media"]),
                             sorted(expected))
            self.assertEqual(self.left(), [])
        return {m["name"]: self.fetch(m["url"]) for m in state["media"]}

    def left(self):
        return sorted(os.listdir(self.state_dir)
                      if os.path.isdir(self.state_dir) else [])

    def check_frames(self, media, frames):
        """All of them whole, with so many frames together."""
        for name, data in media.items():
            self.assertGreater(mp4.samples(data, "vide"), 0, name)
        self.assertEqual(sum(mp4.samples(data, "vide")
                             for data in media.values()), frames)

    def check_in_time(self, result, frames):
        """The recording was never held up."""
        said, = harness.lines(result.out, "frames")
        self.assertEqual(said["count"], frames)
        self.assertLess(said["late-ms"], 3000)

    def check_decodes(self, data, frames):
        path = os.path.join(self.where, "media")
        with open(path, "wb") as f:
            f.write(data)
        result = harness.run([harness.REPLAY, "--decode", path])
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(
            int(re.search(r"^video/x-raw (\d+)", result.out, re.M)[1]),
            frames)

    def check_same_as_files(self, media, suffix=".mp4", same=bytes):
        """What filesink has written."""
        for name, data in media.items():
            with open(os.path.join(self.where, name + suffix), "rb") as f:
                self.assertEqual(same(data), same(f.read()), name)


@harness.beside
class TestFragments(Case):
    def test_the_line_of_the_manual(self):
        """gst-launch-1.0: fragments finish while the next ones are recorded,
        each is one media"""
        self.emulator.faults({"op": "CompleteMultipartUpload", "delay": 1500})
        self.launch(self.split(), video(5, live=True), audio(5, live=True))
        result = self.end()
        state = self.emulator.state()
        media = self.media(names(5))
        self.check_frames(media, 5 * RATE)
        self.check_decodes(media["rec00"], RATE)
        committed = {m["name"]: m for m in state["media"]}
        for finish in harness.messages(result.out, "vodsink-finish"):
            name = finish["video-name"]
            self.assertEqual(finish["location"], name + ".mp4")
            self.assertEqual(finish["size"], len(media[name]))
            self.assertEqual(finish["file-id"], committed[name]["fileId"])
            self.assertEqual(committed[name]["crc64"],
                             str(vodwire.crc64(media[name])))
        # As the application sees it.
        order = [(m.name, m["location"]) for m in
                 harness.messages(result.out) if "location" in m.fields]
        for i in range(3):
            self.assertLess(order.index(
                ("splitmuxsink-fragment-opened", "rec%02d.mp4" % (i + 2))),
                order.index(("vodsink-finish", "rec%02d.mp4" % i)), order)
        # As the service sees it: the second next upload begins before one
        # ends.
        ends = [e["time"] + e["ms"] / 1000 for e in state["log"]
                if e["op"] == "CompleteMultipartUpload"]
        begins = [e["time"] for e in state["log"]
                  if e["op"] == "ApplyUploadUGC"]
        self.assertEqual((len(ends), len(begins)), (5, 5))
        for end, begin in zip(ends, begins[2:]):
            self.assertLess(begin, end)

    # -- muxers --

    def test_bytes_of_mp4mux(self):
        """mp4mux: each fragment is what filesink would have written"""
        self.record(self.split(), video(4), audio(4))
        self.end()
        media = self.media(names(4))
        self.check_frames(media, 4 * RATE)
        self.record(self.to_files(), video(4), audio(4))
        self.end()
        self.check_same_as_files(media, same=mp4.without_dates)

    def test_bytes_of_mpegtsmux(self):
        """mpegtsmux: each fragment is what filesink would have written"""
        args = {"muxer": "mpegtsmux", "location": "rec%02d.ts"}
        self.record(self.split(**args), video(3), audio(3))
        self.end()
        self.record(self.to_files(**args), video(3), audio(3))
        self.end()
        self.check_same_as_files(self.media(names(3)), ".ts")

    def test_matroskamux(self):
        """matroskamux: each fragment decodes to its end"""
        self.record(self.split(muxer="matroskamux", location="rec%02d.mkv"),
                    video(3), audio(3))
        self.end()
        for data in self.media(names(3)).values():
            self.check_decodes(data, RATE)

    def test_muxer_properties(self):
        """muxer-properties: fragmented mp4"""
        self.record([*self.split(), "muxer-properties=properties,"
                     "fragment-duration=300"], video(2))
        self.end()
        for data in self.media(names(2)).values():
            self.assertGreaterEqual(sum(
                path == (b"moof",) for path, _, _ in mp4.boxes(data)), 3)

    def test_robust_muxing(self):
        """use-robust-muxing: what is rewritten all the time"""
        self.record([*self.split(), "use-robust-muxing=true",
                     "muxer-properties=properties,"
                     "reserved-moov-update-period=(guint64)200000000,"
                     "reserved-max-duration=(guint64)10000000000"],
                    video(3, live=True))
        self.end()
        media = self.media(names(3))
        self.check_frames(media, 3 * RATE)
        self.check_decodes(media["rec01"], RATE)

    def test_another_resolution(self):
        """a picture that changes its size changes nothing: the fragments of
        filesink, and their bytes"""
        raw, encode = ENCODER.split(" ! ", 1)
        sources = (
            "concat name=c !", encode,
            "videotestsrc num-buffers=30 !", raw % (320, 240), "! c.",
            "videotestsrc num-buffers=40 !", raw % (160, 120), "! c.")
        self.record(self.split(), *sources)
        self.end()
        self.record(self.to_files(), *sources)
        self.end()
        media = self.media([name[:5] for name in os.listdir(self.where)
                            if name.endswith(".mp4")])
        self.assertGreaterEqual(len(media), 2)
        self.check_frames(media, 70)
        self.check_same_as_files(media, same=mp4.without_dates)

    # -- without async-finalize --

    def sink(self):
        return ["splitmuxsink", "name=split", "muxer=mp4mux",
                "sink=vodsink endpoint=%s signature-url=%s/signature" % (
                    self.base, self.base), *self.cut("rec%02d.mp4")]

    def test_one_sink_for_all(self):
        """without async-finalize the same sink makes one media after the
        other"""
        self.record(self.sink(), video(4), audio(4))
        self.end()
        self.record(self.to_files(), video(4), audio(4))
        self.end()
        self.check_same_as_files(self.media(names(4)), same=mp4.without_dates)

    def test_one_sink_for_all_waits(self):
        """without async-finalize the recording waits for each upload"""
        self.emulator.faults({"op": "CompleteMultipartUpload", "delay": 2500})
        self.record(self.sink(), video(3, live=True))
        result = self.end()
        order = [line.split(" ", 1)[0] for line in result.out.splitlines()
                 if line.startswith(("opened ", "closing "))]
        self.assertEqual(order, ["opened", "closing"] * 3)
        self.assertGreater(result.seconds, 3 * 2.5)
        self.check_frames(self.media(names(3)), 3 * RATE)

    # -- an application --

    def test_file_ids(self):
        """an application gets each file id before EOS, by a message and by
        the sink of splitmuxsink's; signatures are asked for by signal"""
        self.record(self.split(signature=False), video(4, live=True),
                    options=["--ask", "--nosy"], env={
                        "GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7"})
        result = self.end()
        self.assertIn("object-alive", result.err)  # as the tracer is made
        self.assertNotRegex(result.err, r"type-name=\(string\)[A-Z]")
        media = {m["name"]: m for m in self.emulator.state()["media"]}
        self.assertEqual(sorted(media), names(4))
        finishes = harness.lines(result.out, "message", "vodsink-finish")
        self.assertEqual(len(finishes), 4)
        for finish in finishes:
            one = media[finish["location"][:5]]
            self.assertEqual(finish["file-id"], one["fileId"])
            self.assertEqual(finish["video-url"], one["url"])
            self.assertEqual(finish["source-location"], finish["location"])
        for key in ("closing", "closed"):
            closed = harness.lines(result.out, key)
            self.assertEqual({c["location"]: c.get("file-id") for c in closed},
                             {f["location"]: f["file-id"] for f in finishes})
        ends = [line.split(" ", 1)[0] for line in result.out.splitlines()]
        self.assertGreater(ends.index("eos"), max(
            i for i, word in enumerate(ends) if word in ("closed", "message")))
        # One-time signatures: none was used twice, or it would be refused.
        self.assertEqual(self.emulator.state()["requests"][
            "ApplyUploadUGC"], {"200": 4})
        self.check_frames(self.media(names(4)), 4 * RATE)

    def test_every_setting(self):
        """sink-properties takes every setting without a type"""
        settings = {
            "media-name": "A name", "media-type": "mov",
            "cover-location": "/tmp/cover.jpg", "report-id": "7",
            "report-endpoint": "http://127.0.0.1:1",
            "storage-region": "ap-shanghai", "slice-size": 2097152,
            "parallel-uploads": 3, "max-size-bytes": 8589934592,
            "max-upload-bitrate": 4000000, "upload-paused": True,
            "content-md5": True, "progress-interval": 0,
            "backup-endpoint": "http://127.0.0.1:2", "forward": False,
            "storage-endpoint": "http://127.0.0.1:3", "timeout": 7,
            "retry-duration": -1, "proxy": "http://127.0.0.1:4",
            "user-agent": "a/b c", "tls-ca-file": "/etc/ca.pem",
            "resume": False, "state-dir": "/var/lib/x", "resume-key": "key 1",
            "spool": True, "keep-spool": True, "discard-on-stop": True,
            "fatal-errors": False,
        }
        text = [name + "=" + (
            str(value).lower() if isinstance(value, bool)
            else r"\"%s\"" % value if " " in str(value) else str(value))
            for name, value in settings.items()]
        self.record(self.split(*text), video(100, live=True))
        self.program.wait_for(lambda: self.said("added"), what="a sink")
        self.program.signal(signal.SIGTERM)
        result = self.end(code=2)
        added, = harness.lines(result.out, "added")[:1]
        read = {name: added[name] for name in settings}
        self.assertEqual(read, settings)
        # All there are, but for those that splitmuxsink sets itself.
        self.assertEqual(set(added.fields) - set(settings),
                         {"location", "endpoint", "signature-url"})

    def test_signature_headers(self):
        """signature-headers, the one setting whose type has to be said"""
        asked = []

        def answer(connection):
            asked.append(connection.recv(65536).decode())
            text = vodwire.upload_signature()
            connection.sendall(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
                                "Connection: close\r\n\r\n%s" % (
                                    len(text), text)).encode())

        with harness.Listener(answer) as server:
            self.launch(self.split(
                "signature-url=" + server.url,
                r'signature-headers=(structure)"headers\,X-Key\='
                r'\(string\)abc\;"', signature=False), video(2, live=True))
            self.end()
        self.media(names(2))
        for request in asked:
            self.assertIn("\r\nX-Key: abc\r\n", request)

    def test_no_secret_is_dumped(self):
        """no signature is in a dump of the pipeline"""
        secret = vodwire.upload_signature()
        dot = os.path.join(self.where, "dot")
        self.record(self.split(signature=False), video(2, live=True),
                    options=["--signature", secret, "--dot", dot])
        self.end()
        self.media(names(2))
        with open(dot) as f:
            text = f.read()
        self.assertIn("GstVodSink", text)
        self.assertIn("rec01.mp4", text)
        for begin in range(0, len(secret) - 12, 12):
            self.assertNotIn(secret[begin:begin + 12], text)

    # -- a fragment that is lost --

    LOST = {"op": "UploadPart", "skip": 1, "times": 1, "status": 403,
            "code": "AccessDenied"}

    def test_a_lost_fragment_does_not_end_the_recording(self):
        """fatal-errors=false: one lost fragment does not end the recording"""
        self.emulator.faults(self.LOST)
        self.record(self.split("fatal-errors=false"), video(5, live=True),
                    options=["--nosy"])
        result = self.end()
        error, = harness.lines(result.out, "message", "vodsink-error")
        self.assertEqual((error["phase"], error["code"], error["location"]),
                         ("part", 403, "rec01.mp4"))
        problem, = harness.lines(result.out, "problem")
        self.assertEqual((problem.name, problem["source-location"]),
                         ("warning", "rec01.mp4"))
        self.assertIn("rec01.mp4", problem["debug"])
        media = self.media([n for n in names(5) if n != "rec01"])
        self.check_frames(media, 4 * RATE)
        closed = {c["location"]: c.get("file-id") for c in
                  harness.lines(result.out, "closed")}
        self.assertEqual(len(closed), 5)
        self.assertEqual([n for n, i in closed.items() if i is None],
                         ["rec01.mp4"])
        self.check_in_time(result, 5 * RATE)

    def test_a_lost_fragment_ends_the_recording(self):
        """fatal-errors=true: the pipeline ends, and says which it was"""
        self.emulator.faults(self.LOST)
        self.launch(self.split(), video(30, live=True))
        result = self.end(code=1)
        error = harness.failure(result)
        self.assertEqual((error["phase"], error["code"]), ("part", 403))
        self.assertRegex(result.err, "(?m)^location rec01.mp4$")
        self.assertEqual(
            [m["name"] for m in self.emulator.state()["media"]], ["rec00"])
        self.assertLess(result.seconds, 10)


# ---- stopping: alone, because it is timed ----

class TestStop(Case):
    def stop(self, *faults, limit):
        """NULL while three fragments finish and one is recorded."""
        self.emulator.faults(*faults)
        self.record(self.split(), video(30, live=True), options=["--nosy"])
        self.program.wait_for(lambda: len(self.said("opened")) == 4,
                              what="the fourth fragment")
        self.program.wait_for(
            lambda: len(self.emulator.state()["uploads"]) == 4,
            what="its upload")
        self.program.signal(signal.SIGTERM)
        result = self.end(code=2)
        stopped, = harness.lines(result.out, "stopped")
        self.assertLess(stopped["ms"], limit)
        self.assertEqual(stopped["threads"], 0)
        self.assertEqual(harness.lines(result.out, "problem"), [])
        state = harness.settled(self.emulator)
        self.assertEqual(state["media"], [])
        return state

    STUCK = {"op": "CompleteMultipartUpload", "stall": True}

    def test_null(self):
        """NULL with three uploads pending returns at once, and deletes what is
        up"""
        state = self.stop(self.STUCK, limit=100)
        self.assertEqual(state["uploads"], [])
        self.assertEqual(self.left(), [])

    def test_null_while_nothing_can_be_deleted(self):
        """NULL takes 2 s for all together, if the service does not answer; the
        next recording deletes what is left"""
        state = self.stop(self.STUCK, {
            "op": "AbortMultipartUpload", "stall": True}, limit=2300)
        self.assertEqual(len(state["uploads"]), 4)
        self.assertEqual(len(self.left()), 4)
        self.emulator.clear_faults()
        self.record(self.split(), video(3))
        self.end()
        self.media(names(3))


if __name__ == "__main__":
    # The end of the scenarios, whatever happens to us.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
