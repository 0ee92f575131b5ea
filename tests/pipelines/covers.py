#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Covers, as users give them: a file, a snapshot of the very stream, the image
tag of a song. `covers.py BUILD [WORD...]`; speaks TAP."""

import glob
import hashlib
import json
import os
import signal
import sys
import unittest

import harness
from harness import Emulator

# Two seconds and a bit, live, so that there is something to be seen in time.
PICTURE = ("videotestsrc %s ! video/x-raw,width=320,height=240,"
           "framerate=25/1")
RECORD = (PICTURE % "is-live=true num-buffers=60 pattern=ball") + \
    (" ! tee name=t t. ! queue ! x264enc tune=zerolatency "
     "speed-preset=ultrafast key-int-max=25 ! h264parse ! mp4mux ! ")

# Written when half of that is over, whole.
LATE_PICTURE = (PICTURE % "num-buffers=1") + \
    " ! identity sleep-time=1200000 ! jpegenc ! filesink async=false"


def id3(picture):
    """An ID3v2.3 tag with @picture as the front cover, and another one."""
    def size(n):
        return bytes((n >> shift) & 127 for shift in (21, 14, 7, 0))

    def frame(kind, data):
        body = b"\0image/jpeg\0" + kind + b"\0" + data
        return b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body

    frames = frame(b"\x04", b"\xff\xd8\xff\xe0" + bytes(500)) + \
        frame(b"\x03", picture)
    return b"ID3\x03\0\0" + size(len(frames)) + frames


class CoverCase(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.root = os.path.join(self.where, "root")
        self.emulator = Emulator("--root", self.root)
        self.emulator.__enter__()
        self.cover = os.path.join(self.where, "cover.jpg")

    def tearDown(self):
        self.emulator.__exit__(None, None, None)
        harness.remove(self.where)

    def draw(self, path=None, encoder="jpegenc", pattern="smpte"):
        """A picture as a file; returns its bytes."""
        path = path or self.cover
        result = harness.run(harness.launch(
            (PICTURE % "num-buffers=1 pattern=%s" % pattern) +
            " ! %s ! filesink location=%s" % (encoder, path)))
        self.assertEqual(result.code, 0, result.tail())
        with open(path, "rb") as f:
            return f.read()

    def sink(self, *settings):
        return harness.sink(self.emulator, "resume=false", *settings)

    def upload(self, *settings, env=None, before=""):
        """A file, by gst-launch-1.0; returns how it ended."""
        result = harness.run(harness.launch(
            ["filesrc", "location=%s/short.mkv" % harness.content(), "!",
             *before.split(), *self.sink(*settings)]), env=env)
        self.assertEqual(result.code, 0, result.tail())
        return result

    def get(self, url):
        base = "http://127.0.0.1:%d" % self.emulator.port
        self.assertTrue(url.startswith(base + "/"), url)
        answer = self.emulator.get(url[len(base):])
        self.assertEqual(answer.status, 200)
        return answer.body

    def media(self, n=0):
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), n + 1)
        return state["media"][n]

    def check(self, output, picture, key=None):
        """@picture: what the cover is, at the service and as it was told."""
        media = self.media()
        finish = harness.messages(output, "vodsink-finish") if key is None \
            else harness.lines(output, key, "vodsink-finish")
        self.assertEqual(len(finish), 1)
        if picture is None:
            self.assertIsNone(finish[0].get("cover-url"))
            self.assertNotIn("cover", media)
            return
        self.assertEqual(finish[0]["cover-url"], media["cover"]["url"])
        self.assertEqual(media["cover"]["md5"],
                         hashlib.md5(picture).hexdigest())
        self.assertEqual(self.get(finish[0]["cover-url"]), picture)

    def count(self, op):
        return sum(self.emulator.state()["requests"].get(op, {}).values())


class TestFiles(CoverCase):
    def test_jpeg(self):
        picture = self.draw()
        result = self.upload("cover-location=" + self.cover)
        self.check(result.out, picture)
        self.assertEqual(self.media()["cover"]["type"], "jpg")
        self.assertEqual(self.count("ApplyUploadUGC"), 1)
        self.assertNotIn("WARNING", result.out + result.err)

    def test_png_whatever_its_name(self):
        picture = self.draw(encoder="pngenc")
        result = self.upload("cover-location=" + self.cover)
        self.check(result.out, picture)
        self.assertEqual(self.media()["cover"]["type"], "png")

    def test_a_name_that_is_no_ascii(self):
        path = os.path.join(self.where, "封面 \"1\".jpg")
        picture = self.draw()
        os.rename(self.cover, path)
        result = self.upload("cover-location=" + path.replace('"', '\\"'))
        self.check(result.out, picture)

    def test_no_file(self):
        result = self.upload("cover-location=" + self.cover)
        self.check(result.out, None)
        warnings = harness.messages(result.out, "vodsink-warning")
        self.assertEqual(len(warnings), 1)
        self.assertEqual(warnings[0]["phase"], "cover")
        self.assertEqual(warnings[0]["code"], -1)
        self.assertRegex(result.out + result.err,
                         r"WARNING: from element \S*GstVodSink.*\n?.*"
                         "The cover cannot be read")

    def test_a_pipe_that_nobody_writes_to(self):
        os.mkfifo(self.cover)
        result = self.upload("cover-location=" + self.cover)
        self.check(result.out, None)
        self.assertLess(result.seconds, 20)

    def test_the_pipeline_writes_it_itself(self):
        """Not there when the upload begins: exchanged after Commit."""
        result = harness.run(harness.launch(
            RECORD.split() + self.sink("cover-location=" + self.cover) +
            LATE_PICTURE.split() + ["location=" + self.cover]))
        self.assertEqual(result.code, 0, result.tail())
        with open(self.cover, "rb") as f:
            self.check(result.out, f.read())
        self.assertEqual(self.count("CommitUploadUGC"), 2)

    def test_a_storage_that_does_not_take_it(self):
        self.draw()
        self.emulator.faults({"op": "PutObject", "status": 403,
                              "code": "AccessDenied"})
        result = self.upload("cover-location=" + self.cover)
        self.check(result.out, None)
        self.assertIn("AccessDenied", result.out + result.err)


class TestApp(CoverCase):
    def record(self, snapshot, option="--cover-from=shot"):
        pipeline = RECORD + " ".join(self.sink()) + " t. ! queue ! " + snapshot
        result = harness.run([harness.APP, option, pipeline])
        self.assertEqual(result.code, 0, result.tail())
        self.assertIn("eos", result.out)
        return result

    def snapshots(self):
        found = []
        for path in glob.glob(os.path.join(self.where, "shot*.jpg")):
            with open(path, "rb") as f:
                found.append(f.read())
        return found

    def test_snapshot(self):
        """The sample of an appsink, while the recording goes on"""
        result = self.record(
            "videorate ! video/x-raw,framerate=5/1 ! jpegenc ! tee name=j "
            "j. ! queue ! multifilesink location=%s/shot%%03d.jpg "
            "j. ! queue ! appsink name=shot drop=true max-buffers=1 "
            "sync=false wait-on-eos=false" % self.where)
        self.assertIn("cover set", result.out)
        url = harness.lines(result.out, "message",
                            "vodsink-finish")[0]["cover-url"]
        picture = self.get(url)
        self.assertIn(picture, self.snapshots())
        self.check(result.out, picture, "message")

    def test_raw_video_is_no_cover(self):
        sink = "gdkpixbufsink"
        if harness.run(["gst-inspect-1.0", sink]).code != 0:
            sink = "appsink drop=true max-buffers=1 wait-on-eos=false"
        result = self.record("videoconvert ! video/x-raw,format=RGB ! " +
                             sink + " name=shot")
        self.assertIn("cover set", result.out)
        self.check(result.out, None, "message")
        warnings = harness.lines(result.out, "message", "vodsink-warning")
        self.assertEqual([w["phase"] for w in warnings], ["cover"])
        self.assertRegex(result.out, "warning .*no picture")

    def test_tag_behind_the_muxer(self):
        picture = self.draw()
        result = self.record("fakesink", "--tag=" + self.cover)
        self.check(result.out, picture, "message")
        self.assertEqual(self.count("PutObject"), 1)


class TestSong(CoverCase):
    """Demuxers and parsers hand image tags on; muxers do not."""

    def setUp(self):
        super().setUp()
        self.picture = self.draw()
        song = os.path.join(self.where, "bare.mp3")
        result = harness.run(harness.launch(
            "audiotestsrc num-buffers=200 ! lamemp3enc ! filesink location=" +
            song))
        self.assertEqual(result.code, 0, result.tail())
        with open(song, "rb") as f:
            self.bare = f.read()
        self.song = os.path.join(self.where, "song.mp3")
        with open(self.song, "wb") as f:
            f.write(id3(self.picture) + self.bare)

    def upload_song(self, *settings, parser=""):
        result = harness.run(harness.launch(
            ["filesrc", "location=" + self.song, "!", "id3demux", "!",
             *parser.split(), *self.sink("media-type=mp3", *settings)]))
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.media()["md5"],
                         hashlib.md5(self.bare).hexdigest())
        return result

    def test_front_cover(self):
        result = self.upload_song()
        self.check(result.out, self.picture)
        self.assertEqual(self.count("PutObject"), 1)

    def test_the_same_tag_over_and_over(self):
        """A parser repeats it with each bitrate that it learns"""
        result = self.upload_song(parser="mpegaudioparse !")
        self.check(result.out, self.picture)
        self.assertEqual(self.count("PutObject"), 1)
        self.assertEqual(self.count("CommitUploadUGC"), 1)

    def test_a_file_goes_first(self):
        path = os.path.join(self.where, "other.jpg")
        other = self.draw(path, pattern="snow")
        result = self.upload_song("cover-location=" + path)
        self.check(result.out, other)


class TestInterrupted(CoverCase):
    """What kill -9 has left, with a cover or without"""

    def interrupt(self, *settings):
        self.states = os.path.join(self.where, "state")
        program = harness.Program(harness.launch(
            ("filesrc location=%s/short.mkv ! matroskademux ! h264parse ! "
             "clocksync ! mpegtsmux !" % harness.content()).split() +
            harness.sink(self.emulator, "spool=true", "media-type=ts",
                         "slice-size=1048576", "state-dir=" + self.states,
                         *settings)))
        program.wait_for(lambda: any(u["parts"] for u in
                                     self.emulator.state()["uploads"]))
        program.signal(signal.SIGKILL)
        program.finish()
        self.settled = harness.settled(self.emulator)

    def resume(self, *settings):
        base = "http://127.0.0.1:%d" % self.emulator.port
        result = harness.run([harness.RESUME, "--state-dir", self.states,
                              "--signature-url", base + "/signature",
                              *settings])
        self.assertEqual(result.code, 0, result.tail())
        return result

    def test_the_first_run_has_uploaded_it(self):
        """It is committed with the media that another run finishes"""
        picture = self.draw()
        self.interrupt("cover-location=" + self.cover)
        self.assertEqual(self.settled["requests"]["PutObject"], {"200": 1})
        os.unlink(self.cover)
        self.resume()
        self.assertEqual(self.get(self.media()["cover"]["url"]), picture)
        self.assertEqual(self.count("PutObject"), 1)

    def test_the_second_run_brings_it(self):
        picture = self.draw()
        self.interrupt()
        self.resume("--set", "cover-location=" + self.cover)
        self.assertEqual(self.get(self.media()["cover"]["url"]), picture)


class TestSecrets(CoverCase):
    def secrets(self):
        """All that the emulator has made, and the signer's key."""
        with open(os.path.join(self.root, "journal"), encoding="utf-8") as f:
            events = [json.loads(line) for line in f if line.startswith("{")]
        keys = {event["id"] for event in events if event["e"] == "session"}
        found = {event[key] for event in events for key in ("sk", "token")
                 if key in event}
        self.assertGreaterEqual(len(keys), 2)
        self.assertGreaterEqual(len(found), 4)
        return keys | found | {harness.vodwire.SECRET_KEY}

    def test_nothing_secret_is_logged(self):
        """GST_DEBUG=*:6, with a cover beside the media and one exchanged"""
        result = harness.run(harness.launch(
            RECORD.split() + self.sink("cover-location=" + self.cover) +
            LATE_PICTURE.split() + ["location=" + self.cover]),
            env={"GST_DEBUG": "*:6", "GST_DEBUG_NO_COLOR": "1",
                 "GST_DEBUG_FILE": os.path.join(self.where, "log")})
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.count("CommitUploadUGC"), 2)
        with open(os.path.join(self.where, "log"), encoding="utf-8",
                  errors="replace") as f:
            log = f.read() + result.out + result.err
        self.assertRegex(log, "file id")
        for secret in self.secrets():
            self.assertNotIn(secret, log)
        for trace in ("c2VjcmV0SWQ9", "NlY3JldElkP", "zZWNyZXRJZD",
                      "q-signature"):
            self.assertNotIn(trace, log)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    harness.configure(sys.argv.pop(1))
    harness.main()
