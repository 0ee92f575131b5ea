#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""For every muxer, and every way it may be set: the media at the service
equals, byte for byte, what filesink got from the same pushes, and decodes to
its end. `muxers.py BUILD [WORD...]`; speaks TAP."""

import hashlib
import os
import sys
import unittest

import harness
from harness import MIB, Client, Emulator

SMALL = "slice-size=1048576 max-size-bytes=%d" % (4 * MIB)
PACED = 20 * MIB
QUEUE = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0"


class Row:
    """One muxer in one mode.

    mux: the muxer; {…}: what feeds it
    source: which content, or a whole pipeline of its own
    facts: what must hold for the recording, so that the row tests what it
        is there for; figures of the muxers, not of vodsink
    frames: how much the decoder must give, at least, by media type
    """

    def __init__(self, name, mux, source="long", seekable=True, facts=None,
                 frames=None, settings="", stats=None):
        self.name, self.mux, self.source = name, mux, source
        self.seekable, self.facts = seekable, facts or {}
        self.frames = frames or FRAMES[source]
        self.settings, self.stats = settings, stats or {}

    def pipeline(self):
        where = harness.content()
        tail = "recorder seekable=" + ("true" if self.seekable else "false")
        if self.source in ("long", "short"):
            return ("filesrc location=%s/%s.mkv ! matroskademux name=d "
                    "d.video_0 ! %s ! h264parse ! m. "
                    "d.audio_0 ! %s ! aacparse ! m. %s name=m ! %s" % (
                        where, self.source, QUEUE, QUEUE, self.mux, tail))
        if self.source == "vp8":
            return ("filesrc location=%s/vp8.webm ! matroskademux name=d "
                    "d.video_0 ! %s ! m.video_0 "
                    "d.audio_0 ! %s ! m.audio_0 %s name=m ! %s" % (
                        where, QUEUE, QUEUE, self.mux, tail))
        return "%s ! %s" % (self.source.format(where=where), tail)


FRAMES = {
    "long": {"video/x-raw": 890, "audio/x-raw": 1390},
    "short": {"video/x-raw": 260, "audio/x-raw": 410},
    "vp8": {"video/x-raw": 350, "audio/x-raw": 500},
}

NOISE = ("audiotestsrc wave=white-noise samplesperbuffer=48000 num-buffers={n} "
         "! audio/x-raw,rate=48000,channels=2 ! audioconvert ! ")
AUDIO = {"audio/x-raw": 1}


def noise(seconds, encoder):
    return NOISE.replace("{n}", str(seconds)) + encoder


def robust(reserved):
    return ("mp4mux reserved-max-duration=%d000000000 "
            "reserved-moov-update-period=500000000" % reserved)


# A muxer that rewrites its header makes the first part go again.
HEAD = {"parts-rewritten": 1}
NO_REWRITE = {"segments": 0, "rewritten": 0}

ROWS = [
    Row("mp4mux", "mp4mux", facts={"asked": 1, "rewritten": 16}, stats=HEAD),
    Row("qtmux", "qtmux", facts={"asked": 1, "rewritten": 16}, stats=HEAD),
    Row("mp4mux, told that it cannot seek", "mp4mux", seekable=False,
        facts={"asked": 1, "rewritten": 0}),
    Row("mp4mux in fragments", "mp4mux fragment-duration=1000",
        facts={"asked": 1, "back": 1}, stats=HEAD),
    Row("mp4mux in fragments, finalised",
        "mp4mux fragment-duration=1000 "
        "fragment-mode=first-moov-then-finalise",
        facts={"asked": 1, "back": 10, "farthest": 1}, stats=HEAD),
    Row("mp4mux faststart", "mp4mux faststart=true",
        facts={"rewritten": 0}),
    Row("mp4mux robust, 10 s reserved", robust(10), source="short",
        facts={"back": 10, "forward": 1}, stats=HEAD),
    Row("mp4mux robust, 4 h reserved", robust(4 * 3600), source="short",
        facts={"back": 10, "forward": 1, "size": 32 * MIB}, stats=HEAD),
    Row("matroskamux", "matroskamux",
        facts={"asked": 1, "back": 5, "farthest": 5 * MIB}, stats=HEAD),
    Row("matroskamux streamable", "matroskamux streamable=true",
        facts=NO_REWRITE),
    Row("matroskamux, told that it cannot seek", "matroskamux",
        seekable=False, facts=NO_REWRITE),
    Row("webmmux", "webmmux", source="vp8",
        facts={"asked": 1, "back": 3, "farthest": 2 * MIB}, stats=HEAD),
    Row("flvmux", "flvmux", facts={"asked": 1, "back": 1}, stats=HEAD),
    Row("flvmux streamable", "flvmux streamable=true", facts=NO_REWRITE),
    Row("avimux", "avimux", facts={"asked": 0, "back": 1}, stats=HEAD),
    Row("mpegtsmux", "mpegtsmux", facts=NO_REWRITE),
    Row("oggmux", "", source=noise(60, "vorbisenc quality=1 ! oggmux"),
        facts=NO_REWRITE, frames=AUDIO),
    Row("wavenc", "", source=noise(60, "wavenc"),
        facts={"asked": 0, "back": 1, "rewritten": 44}, frames=AUDIO,
        stats=HEAD),
    Row("a raw mp3 stream", "", source=noise(
        100, "lamemp3enc target=bitrate bitrate=320 cbr=true ! "
        "mpegaudioparse"), frames=AUDIO, facts={"size": 3 * MIB}),
    Row("a raw aac stream", "", source=noise(
        100, "avenc_aac bitrate=320000 ! aacparse ! "
        "audio/mpeg,stream-format=adts"), frames=AUDIO,
        facts={"size": 2 * MIB}),
    Row("a raw flac stream", "", source=noise(60, "flacenc"), frames=AUDIO,
        facts={"size": 3 * MIB}),
    Row("filesrc", "", source="filesrc location={where}/long.mkv",
        frames=FRAMES["long"], settings="media-type=mkv",
        facts={"rewritten": 0, "size": 20 * MIB}),
]


def replay(*arguments, timeout=180):
    result = harness.run([harness.REPLAY, *arguments], timeout=timeout)
    facts = {}
    for line in result.out.splitlines():
        key, _, value = line.partition(" ")
        facts[key] = int(value) if value.isdigit() and \
            key != "file-id" else value
    return result, facts


def fetch(emulator, url):
    return Client(emulator, timeout=60).request(
        "GET", "/" + url.split("/", 3)[3]).body


class TestMuxers(unittest.TestCase):
    """The rows by themselves are made below."""

    @classmethod
    def setUpClass(cls):
        cls.where = harness.folder()

    @classmethod
    def tearDownClass(cls):
        harness.remove(cls.where)

    def path(self, name):
        return os.path.join(self.where, name)

    def replay_row(self, emulator, row, settings="", rate=PACED, *more):
        """Runs a row into both sinks; returns what replay said."""
        base = "http://127.0.0.1:%d" % emulator.port
        text = "vodsink endpoint=%s signature-url=%s/signature %s %s" % (
            base, base, row.settings, settings)
        result, facts = replay(
            "--file", self.path("file"), "--sink", text,
            *(["--rate=%d" % rate] if rate else []), *more, row.pipeline())
        self.assertEqual(result.code, 0, result.tail())
        return facts

    def compare(self, emulator, facts):
        """The same bytes, and nothing else at the service."""
        with open(self.path("file"), "rb") as f:
            expected = f.read()
        media = fetch(emulator, facts["url"])
        self.assertEqual(len(media), len(expected))
        if media != expected:
            at = next(i for i in range(len(media))
                      if media[i] != expected[i])
            self.fail("the media differs from the file at byte %d" % at)
        state = emulator.state()
        mine = [m for m in state["media"] if m["fileId"] == facts["file-id"]]
        self.assertEqual(len(mine), 1)
        self.assertEqual(mine[0]["md5"], hashlib.md5(expected).hexdigest())
        self.assertEqual(state["uploads"], [], "no upload is left open")

    def check_facts(self, row, facts):
        for key, value in row.facts.items():
            if value == 0 or key in ("segments", "rewritten"):
                self.assertEqual(facts[key], value, key)
            else:
                self.assertGreaterEqual(facts[key], value, key)

    def check_decodes(self, row):
        result, counts = replay("--decode", self.path("file"))
        self.assertEqual(result.code, 0, result.tail())
        for kind, number in row.frames.items():
            self.assertGreaterEqual(counts.get(kind, 0), number,
                                    (kind, counts))

    def check_row(self, row):
        with Emulator() as emulator:
            facts = self.replay_row(emulator, row)
            self.check_facts(row, facts)
            self.compare(emulator, facts)
            for key, value in row.stats.items():
                self.assertGreaterEqual(facts[key], value, key)
            # 1 MiB of floor, sent while it came.
            self.assertGreaterEqual(facts["parts-uploaded"], 2)
            self.assertEqual(facts["bytes-uploaded"], facts["size"])
            self.assertEqual(facts["bytes-buffered"], 0)
            self.assertEqual(facts["retries"], 0)
            self.assertIn("done", facts["state"])
        self.check_decodes(row)

    def check_at_once(self, row):
        """Everything is pushed before the upload is even open."""
        with Emulator("--latency", "60") as emulator:
            self.compare(emulator, self.replay_row(emulator, row, rate=0))

    def check_under_pressure(self, row):
        """4 MiB of memory, and a line slower than the muxer."""
        with Emulator("--rate", str(10 * MIB), "--latency", "5") as emulator:
            facts = self.replay_row(emulator, row, SMALL, rate=0)
            self.compare(emulator, facts)
            self.assertGreater(facts["blocked-time"], 0)

    def check_out_of_reach(self, row):
        """The rewrite is farther back than memory goes: an error that says
        what to do, and nothing committed."""
        with Emulator() as emulator:
            facts = self.replay_row(
                emulator, row, SMALL, PACED, "--expect-failure")
            self.assertIn("gst-resource-error-quark", facts["error"])
            self.assertNotIn("url", facts)
            state = emulator.state()
            self.assertEqual(state["media"], [])
            self.assertEqual(state["uploads"], [], "the parts are deleted")
            return facts

    def test_behind_a_tee(self):
        """matroskamux before a tee, another branch of which was asked"""
        row = next(r for r in ROWS if r.name == "matroskamux")
        with Emulator() as emulator:
            facts = self.replay_row(emulator, row, "", PACED, "--unasked")
            self.check_facts(row, facts)
            self.compare(emulator, facts)

    def test_out_of_reach_matroskamux(self):
        """matroskamux out of reach: an error that names streamable"""
        facts = self.check_out_of_reach(
            next(r for r in ROWS if r.name == "matroskamux"))
        self.assertIn("streamable", facts["error"])

    def test_out_of_reach_robust(self):
        """mp4mux robust, head too big: an error that names the property"""
        facts = self.check_out_of_reach(
            next(r for r in ROWS if "4 h" in r.name))
        self.assertIn("reserved-max-duration", facts["error"])


# Rows that 4 MiB of memory are enough for.
PRESSED = ["mp4mux", "mp4mux in fragments", "mp4mux faststart",
           "mp4mux robust, 10 s reserved", "matroskamux streamable",
           "avimux", "mpegtsmux", "filesrc"]
AT_ONCE = ["mp4mux", "mp4mux in fragments, finalised",
           "mp4mux robust, 4 h reserved", "matroskamux", "wavenc"]


def add(kind, row, doc):
    def method(self):
        getattr(self, "check_" + kind)(row)
    method.__doc__ = doc
    setattr(TestMuxers, "test_%s_%s" % (kind, row.name), method)


for each in ROWS:
    add("row", each, each.name)
    if each.name in PRESSED:
        add("under_pressure", each, each.name + ", with 4 MiB of memory")
    if each.name in AT_ONCE:
        add("at_once", each, each.name + ", before the upload is open")


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
