#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an upload behaves as a whole: live, interrupted, in little memory, over
few connections, straight to the bucket; what it says on the wire, and what it
never says anywhere. `limits.py BUILD [WORD...]`; speaks TAP."""

import base64
import glob
import hashlib
import json
import os
import re
import signal
import sys
import time
import unittest

import harness
from harness import MIB, Client, Emulator
from vodwire import upload_signature



def entries(state, operation):
    return [e for e in state["log"] if e["op"] == operation]


def live(seconds, *settings, eos=True):
    """A camera and a microphone that take half a second off the CPU."""
    return harness.launch([
        *("videotestsrc is-live=true pattern=snow num-buffers=%d ! "
          "video/x-raw,format=I420,width=640,height=360,framerate=30/1 ! "
          "x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 "
          "key-int-max=30 ! h264parse ! queue ! mp4mux name=m "
          "audiotestsrc is-live=true samplesperbuffer=960 num-buffers=%d ! "
          "audio/x-raw,rate=48000,channels=2 ! audioconvert ! avenc_aac ! "
          "aacparse ! queue ! m. m. !" % (seconds * 30, seconds * 50)
          ).split(), *settings], eos)


class LimitCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = harness.folder()
        cls.long = os.path.join(harness.content(), "long.mkv")
        cls.short = os.path.join(harness.content(), "short.mkv")

    @classmethod
    def tearDownClass(cls):
        harness.remove(cls.where)

    def upload(self, emulator, path, *settings, timeout=90):
        """A file by gst-launch-1.0; the media is the file."""
        result = harness.run(harness.launch(
            ["filesrc", "location=" + path, "!",
             *harness.sink(emulator, *settings)]), timeout=timeout)
        self.assertEqual(result.code, 0, result.tail())
        media = emulator.state()["media"][-1]
        with open(path, "rb") as f:
            md5 = hashlib.file_digest(f, "md5").hexdigest()
        self.assertEqual(media["md5"], md5)
        return result

    def fetch(self, emulator, media, name):
        path = os.path.join(self.where, name)
        with open(path, "wb") as f:
            f.write(Client(emulator).request(
                "GET", "/" + media["url"].split("/", 3)[3]).body)
        return path

    def decode(self, path):
        result = harness.run([harness.REPLAY, "--decode", path])
        self.assertEqual(result.code, 0, result.tail())
        return dict(line.split() for line in result.out.splitlines()
                    if "/x-raw" in line)


class TestLive(LimitCase):
    def test_ctrl_c_ends_a_recording_well(self):
        """one Ctrl-C: 0, a video that plays, almost all up before EOS"""
        with Emulator() as emulator:
            program = harness.Program(live(60, *harness.sink(emulator)))
            program.wait_for_output("Setting pipeline to PLAYING")
            begun = time.monotonic()
            program.wait_for(lambda: time.monotonic() > begun + 7)
            interrupted = time.time()
            program.signal(signal.SIGINT)
            result = program.finish(10)
            self.assertEqual(result.code, 0, result.tail())
            self.assertLess(time.time() - interrupted, 2)
            state = emulator.state()
            media = state["media"][0]
            counts = self.decode(self.fetch(emulator, media, "live.mp4"))
        self.assertGreater(int(counts["video/x-raw"]), 190)
        self.assertGreater(int(counts["audio/x-raw"]), 290)
        # Each part but the first went once, before EOS or after.
        parts = [e for e in entries(state, "UploadPart")]
        early = {e["part"]: e["bytes"] for e in parts
                 if e["time"] + e["ms"] / 1000 < interrupted}
        late = [e for e in parts if e["part"] not in early]
        self.assertGreater(media["size"], 5 * MIB)
        self.assertLess(sum(e["bytes"] for e in late), 1.5 * MIB)
        self.assertLess(sum(e["bytes"] for e in parts),
                        media["size"] + 1.1 * MIB)
        self.assertTrue(all(n == 1 for part, n in media["sent"].items()
                            if part != "1"), media["sent"])
        # gst-launch-1.0 shows what it waits for.
        for text in ("Progress: (open)", "Progress: (close)"):
            self.assertIn(text, result.out)

    def test_without_e_ctrl_c_leaves_nothing(self):
        """Ctrl-C without -e: no media, no parts, and at once"""
        with Emulator() as emulator:
            program = harness.Program(
                live(60, *harness.sink(emulator), eos=False))
            program.wait_for(lambda: emulator.state()["requests"].get(
                "UploadPart"), what="a part")
            interrupted = time.monotonic()
            program.signal(signal.SIGINT)
            program.finish(10)
            self.assertLess(time.monotonic() - interrupted, 2)
            state = emulator.state()
            self.assertEqual((state["media"], state["uploads"]), ([], []))
            self.assertNotIn("CompleteMultipartUpload", state["requests"])

    def test_sigint_while_the_line_is_dead(self):
        """Ctrl-C without -e while nothing gets through: at once too"""
        with Emulator("--faults", json.dumps(
                {"op": "UploadPart", "stall": True})) as emulator:
            program = harness.Program(
                live(60, *harness.sink(emulator), eos=False))
            program.wait_for(
                lambda: any(f["hits"] for f in Client(emulator).request(
                    "GET", "/api/faults").json()), what="a stalled part")
            interrupted = time.monotonic()
            program.signal(signal.SIGINT)
            program.finish(10)
            self.assertLess(time.monotonic() - interrupted, 3)

    def test_eos_waits_for_the_commit(self):
        with Emulator("--faults", json.dumps(
                {"op": "CommitUploadUGC", "delay": 1500})) as emulator:
            program = harness.Program(harness.launch(
                ["filesrc", "location=" + self.short, "!",
                 *harness.sink(emulator)]))
            program.wait_for(
                lambda: any(f["hits"] for f in Client(emulator).request(
                    "GET", "/api/faults").json()), what="the commit")
            self.assertNotIn("(eos)", program.output())
            result = program.finish()
            self.assertEqual(result.code, 0, result.tail())
        self.assertLess(result.out.index("vodsink-finish"),
                        result.out.index("(eos)"))
        finish = harness.messages(result.out, "vodsink-finish")
        self.assertEqual(len(finish), 1)
        self.assertEqual(finish[0]["size"], os.path.getsize(self.short))

    def test_progress_never_falls_and_ends_at_100(self):
        with Emulator("--rate", str(6 * MIB)) as emulator:
            result = self.upload(emulator, self.short,
                                 "progress-interval=100",
                                 "slice-size=1048576",
                                 "max-size-bytes=4194304")
        seen = harness.messages(result.out, "vodsink-progress")
        loaded = [m["loaded"] for m in seen]
        self.assertGreater(len(loaded), 4)
        self.assertEqual(loaded, sorted(loaded))
        self.assertEqual((seen[-1]["loaded"], seen[-1]["total"],
                          seen[-1]["percent"]),
                         (os.path.getsize(self.short),) * 2 + (100.0,))
        self.assertTrue(all(m["loaded"] <= m["total"] for m in seen))
        speeds = [m["speed"] for m in seen[len(seen) // 2:]]
        self.assertTrue(all(MIB < s < 12 * MIB for s in speeds), speeds)

    def test_pipelines_without_preroll_and_with(self):
        """PROGRESS messages never keep gst-launch-1.0 from going on"""
        with Emulator() as emulator:
            for source in ("fakesrc is-live=true do-timestamp=true "
                           "num-buffers=5 sizetype=fixed sizemax=100000",
                           "fakesrc num-buffers=5 sizetype=fixed "
                           "sizemax=100000"):
                for more in ("", "async=false", "sync=true"):
                    with self.subTest(source=source, more=more):
                        result = harness.run(harness.launch(
                            [*source.split(), "!", *harness.sink(
                                emulator, "media-type=mp4", *more.split())]),
                            timeout=10)
                        self.assertEqual(result.code, 0, result.tail())


class TestMemory(LimitCase):
    def peak(self, emulator, path, *settings, timeout=120):
        """How much memory gst-launch-1.0 needs at most, in bytes."""
        program = harness.Program(harness.launch(
            ["filesrc", "location=" + path, "blocksize=65536", "!",
             *harness.sink(emulator, "media-type=mp4", *settings)]))
        peak = [0]

        def measure():
            peak[0] = max(peak[0], harness.peak_memory(program.pid))
            return not program.running()

        try:
            program.wait_for(measure, timeout)
        except AssertionError:
            if program.running():
                program.kill()
                raise
        result = program.finish()
        self.assertEqual(result.code, 0, result.tail())
        return peak[0]

    def test_gib_in_less_than_120_mib(self):
        """2 GiB (or VOD_TEST_GIB) in less than 120 MiB of memory"""
        size = int(os.environ.get("VOD_TEST_GIB", 2)) << 30
        path = os.path.join(self.where, "large.mp4")
        with open(path, "wb") as f:
            f.truncate(size)
        with Emulator("--discard") as emulator:
            peak = self.peak(emulator, path, timeout=size >> 22)
            media = emulator.state()["media"][0]
        self.assertEqual(media["size"], size)
        print("# %.1f MiB" % (peak / MIB))
        self.assertLess(peak, 120 * MIB)

    def test_media_in_memory_is_bounded(self):
        """a slow line: memory grows by max-size-bytes, and no more"""
        path = os.path.join(self.where, "slow.mp4")
        with open(path, "wb") as f:
            for _ in range(80):
                f.write(os.urandom(MIB))
        peaks = {}
        for size in (4, 16, 64):
            with Emulator("--discard", "--rate", str(30 * MIB)) as emulator:
                peaks[size] = self.peak(
                    emulator, path, "slice-size=1048576",
                    "max-size-bytes=%d" % (size * MIB))
        print("# %s" % {k: round(v / MIB, 1) for k, v in peaks.items()})
        for small, large in ((4, 16), (16, 64), (4, 64)):
            more = peaks[large] - peaks[small]
            self.assertLess(more, (large - small + 2) * MIB)
            # It is used, too.
            self.assertGreater(more, (large - small) * MIB * 0.7)


class TestConnections(LimitCase):
    def test_connections_are_few_and_kept(self):
        with Emulator() as emulator:
            self.upload(emulator, self.long, "slice-size=1048576",
                        "max-size-bytes=8388608")
            log = emulator.state()["log"]
        mine = {e["connection"] for e in log}
        self.assertLessEqual(len(mine), 7)
        parts = [e for e in log if e["op"] == "UploadPart"]
        self.assertGreater(len(parts), 15)

    def test_one_at_a_time(self):
        """parallel-uploads=1: parts go one after the other"""
        with Emulator("--latency", "10") as emulator:
            self.upload(emulator, self.short, "parallel-uploads=1",
                        "slice-size=1048576", "max-size-bytes=4194304")
            state = emulator.state()
        parts = sorted(entries(state, "UploadPart"), key=lambda e: e["time"])
        self.assertLessEqual(len({e["connection"] for e in state["log"]}), 2)
        for one, other in zip(parts, parts[1:]):
            self.assertGreaterEqual(
                other["time"] + 0.002, one["time"] + one["ms"] / 1000)

    def test_several_at_a_time(self):
        """parallel-uploads=4: four parts at a time, and never five"""
        with Emulator("--faults", json.dumps(
                {"op": "UploadPart", "delay": 150})) as emulator:
            self.upload(emulator, self.short, "parallel-uploads=4",
                        "slice-size=1048576", "max-size-bytes=8388608")
            parts = entries(emulator.state(), "UploadPart")
        most = max(sum(1 for other in parts
                       if other["time"] <= e["time"]
                       < other["time"] + other["ms"] / 1000) for e in parts)
        self.assertEqual(most, 4)

    def test_straight_to_the_bucket(self):
        """forward=false: storage requests go to storage-endpoint"""
        with Emulator() as emulator, harness.Wire(emulator.port) as wire:
            self.upload(emulator, self.short, "forward=false",
                        "storage-endpoint=" + wire.url)
            found = requests_on(wire)
        self.assertGreaterEqual(len(found), 4)
        hosts = set()
        for line, headers, _ in found:
            self.assertRegex(line, r"^(PUT|POST) \S+\?(uploads|partNumber=|"
                             r"uploadId=)\S* HTTP/1\.1$")
            self.assertNotIn("vod-forward-cos", headers)
            hosts.add(headers["host"])
        self.assertEqual(len(hosts), 1)
        self.assertRegex(hosts.pop(), r"^\S+\.cos\.\S+\.myqcloud\.com$")

    def test_tls_end_to_end(self):
        root = os.path.join(self.where, "tls")
        with Emulator("--tls", "--root", root) as emulator:
            self.upload(emulator, self.long,
                        "tls-ca-file=%s/ca.pem" % root)

    def test_on_a_long_line(self):
        """100 ms there and back: commits within a few round trips of EOS"""
        with Emulator("--latency", "50") as emulator:
            result = self.upload(emulator, self.short)
        self.assertLess(result.seconds, 4)


def requests_on(wire):
    """(request line, headers, body size) of each request that was sent."""
    found = []
    for sent in wire.sent:
        data = bytes(sent)
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {k.lower(): v for k, v in
                       (line.split(": ", 1) for line in lines[1:])}
            size = int(headers.get("content-length", 0))
            found.append((lines[0], headers, data[:size]))
            data = data[size:]
    return found


class TestWire(LimitCase):
    def wired(self, path, *settings):
        with Emulator() as emulator, harness.Wire(emulator.port) as wire:
            self.upload(emulator, path, "endpoint=" + wire.url,
                        "signature-url=%s/signature" % wire.url, *settings)
            return requests_on(wire)

    def test_headers(self):
        found = self.wired(self.short, "user-agent=Recorder/7 (x)",
                           'signature-headers='
                           '"headers,X-Test=(string)\\"a b\\""')
        for line, headers, _ in found:
            self.assertTrue(line.endswith(" HTTP/1.1"), line)
            self.assertEqual(headers["user-agent"], "Recorder/7 (x)")
            for name in ("expect", "cookie", "referer", "transfer-encoding"):
                self.assertNotIn(name, headers)
            self.assertEqual("x-test" in headers, "/signature" in line)
        parts = [f for f in found if "partNumber=" in f[0]]
        self.assertTrue(parts)
        self.assertTrue(all("content-md5" not in h for _, h, _ in parts))
        self.assertTrue(all("vod-forward-cos" in h for _, h, _ in parts))

    def test_content_md5(self):
        """content-md5=true: each part comes with its MD5"""
        parts = [f for f in self.wired(self.short, "content-md5=true")
                 if "partNumber=" in f[0]]
        self.assertGreater(len(parts), 1)
        for _, headers, body in parts:
            self.assertEqual(
                base64.b64decode(headers["content-md5"]),
                hashlib.md5(body).digest())


class TestSecrets(LimitCase):
    """Nothing that lets others in is ever written anywhere."""

    def secrets_of(self, wire):
        found = set()
        for received in wire.received:
            for name in ("signature", "sign", "secretKey", "token",
                         "vodSessionKey"):
                found.update(re.findall(
                    rb'"%s" *: *"([^"]{12,})"' % name.encode(),
                    bytes(received)))
        for _, headers, _ in requests_on(wire):
            authorization = headers.get("authorization", "")
            found.update(m.encode() for m in re.findall(
                "q-signature=([0-9a-f]+)", authorization))
        self.assertGreaterEqual(len(found), 6)
        return found | {s.replace(b"/", b"\\/") for s in found} | {
            s.replace(b"=", b"%3D") for s in found}

    def check_text(self, text, secrets):
        for secret in secrets:
            at = text.find(secret)
            self.assertEqual(at, -1, text[max(at - 300, 0):at + 20])

    def test_debug_log(self):
        """GST_DEBUG=9 and G_MESSAGES_DEBUG=all, also when requests fail"""
        small = os.path.join(self.where, "small.mp4")
        with open(small, "wb") as f:
            f.write(os.urandom(2 * MIB))
        given = upload_signature()
        with Emulator("--faults", json.dumps([
                {"op": "UploadPart", "times": 1, "status": 403,
                 "code": "ExpiredToken"},
                {"op": "CompleteMultipartUpload", "times": 1,
                 "lose-answer": True},
                {"op": "CommitUploadUGC", "times": 1, "garbage": True}
                ])) as emulator, harness.Wire(emulator.port) as wire:
            log = os.path.join(self.where, "log")
            result = harness.run(
                # Not in the description: that is logged by GStreamer.
                [harness.REPLAY, "--set=signature=" + given,
                 "--set=signature-url=%s/signature" % wire.url.replace(
                     "http://", "http://user:UrlSecret@"),
                 "--set=signature-headers="
                 "headers,Authorization=(string)HeaderSecret",
                 "--sink", "vodsink media-type=mp4 endpoint=" + wire.url,
                 "filesrc location=%s ! recorder" % small],
                env={"GST_DEBUG": "9", "GST_DEBUG_FILE": log,
                     "GST_DEBUG_NO_COLOR": "1", "G_MESSAGES_DEBUG": "all"})
            self.assertEqual(result.code, 0, result.tail())
            secrets = self.secrets_of(wire)
        with open(log, "rb") as f:
            text = f.read()
        self.assertIn(b"vodsink", text)
        self.check_text(text + result.out.encode() + result.err.encode(),
                        secrets | {given.encode(), b"UrlSecret",
                                   b"HeaderSecret"})

    def test_dot_files(self):
        dots = os.path.join(self.where, "dots")
        os.mkdir(dots)
        given = upload_signature()
        with Emulator() as emulator:
            base = "http://user:UrlSecret@127.0.0.1:%d" % emulator.port
            result = harness.run(harness.launch(
                ["filesrc", "location=" + self.short, "!",
                 *harness.sink(emulator, "signature=" + given,
                               "signature-url=%s/signature" % base,
                               'signature-headers="headers,'
                               'X=(string)HeaderSecret"')]),
                env={"GST_DEBUG_DUMP_DOT_DIR": dots})
            self.assertEqual(result.code, 0, result.tail())
        files = glob.glob(os.path.join(dots, "*.dot"))
        self.assertGreaterEqual(len(files), 3)
        for path in files:
            with open(path, "rb") as f:
                text = f.read()
            self.assertIn(b"VodSink", text)
            self.check_text(text, {given.encode(), given[:60].encode(),
                                   b"UrlSecret", b"HeaderSecret"})
        self.check_text(result.out.encode() + result.err.encode(),
                        {given.encode(), b"UrlSecret", b"HeaderSecret"})


class TestLeaks(LimitCase):
    """GST_TRACERS=leaks finds nothing alive."""

    def check(self, args, code, before=None):
        program = harness.Program(args, env={
            "GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7,leaks:7",
            "GST_DEBUG_NO_COLOR": "1"})
        if before:
            before(program)
        result = program.finish()
        self.assertEqual(result.code, code, result.tail())
        alive = [line for line in result.err.splitlines()
                 if "object-alive, " in line and "new format" not in line]
        self.assertEqual(alive, [])
        # The tracer was there.
        self.assertIn("object-alive.class", result.err)

    def test_after_success(self):
        with Emulator() as emulator:
            self.check(harness.launch(
                ["filesrc", "location=" + self.short, "!", "matroskademux",
                 "!", "h264parse", "!", "mp4mux", "!",
                 *harness.sink(emulator)]), 0)

    def test_after_rewrites(self):
        """nothing of rewritten, held back and patched slices is left"""
        with Emulator() as emulator:
            base = "http://127.0.0.1:%d" % emulator.port
            self.check(
                [harness.REPLAY, "--rate=%d" % (40 * MIB), "--sink",
                 "vodsink endpoint=%s signature-url=%s/signature"
                 % (base, base), "filesrc location=%s ! matroskademux ! "
                 "h264parse ! matroskamux ! recorder" % self.long], 0)

    def test_after_failure(self):
        with Emulator("--faults", json.dumps(
                {"op": "UploadPart", "skip": 1, "status": 403,
                 "code": "AccessDenied"})) as emulator:
            self.check(harness.launch(
                ["filesrc", "location=" + self.short, "!",
                 *harness.sink(emulator)]), 1)

    def test_after_retries(self):
        with Emulator("--faults", json.dumps(
                {"op": "*", "times": 3, "drop": True})) as emulator:
            self.check(harness.launch(
                ["filesrc", "location=" + self.short, "!",
                 *harness.sink(emulator)]), 0)

    def test_after_ctrl_c(self):
        with Emulator() as emulator:
            def interrupt(program):
                program.wait_for(lambda: emulator.state()["requests"].get(
                    "UploadPart"), what="a part")
                program.signal(signal.SIGINT)

            self.check(live(30, *harness.sink(emulator), eos=False), 0,
                       interrupt)


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
