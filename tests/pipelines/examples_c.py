#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C programs of examples/ do what they are shown for, as a user sees them:
on a terminal and in scripts, up to the end, interrupted, and refused; and every
command in their comments is true. `examples_c.py BUILD [WORD...]`; speaks TAP."""

import base64
import ctypes
import glob
import hashlib
import http.client
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

import harness
import vodwire
from harness import MIB, Emulator

NAMES = ["record", "upload", "get-signature", "sign-service"]
EXAMPLES = os.path.join(harness.ROOT, "examples")
# A picture that fills 6 Mbit/s, so that there is something to upload.
SNOW = ("videotestsrc is-live=true pattern=snow%s ! "
        "video/x-raw,width=320,height=240,framerate=30/1")
KEYS = {"VOD_SECRET_ID": vodwire.SECRET_ID, "VOD_SECRET_KEY": vodwire.SECRET_KEY}


def example(name):
    return os.path.join(harness.BUILD, "examples", name)


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


class Terminal(harness.Program):
    """A program on a terminal of its own, where everything it says goes to."""

    def __init__(self, args):
        self.args = args
        self.begun = time.monotonic()
        self.before = set(harness.children())
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvp(args[0], args)
            finally:
                os._exit(127)
        self.process = self  # for what Program asks of its own
        self.returncode = None
        self.seen = b""

    def read_more(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:  # the other end is closed
                data = b""
            self.seen += data
            return bool(data)
        return None

    def output(self):
        while self.returncode is None and self.read_more(0):
            pass
        return self.seen.decode(errors="replace")

    def errors(self):
        return ""

    def type(self, keys):
        os.write(self.master, keys)

    def finish(self, timeout=60):
        """The exit code."""
        deadline = time.monotonic() + timeout
        while self.read_more(1) is not False:
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError("hangs: " + self.seen[-2000:].decode())
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        os.close(self.master)
        return self.returncode


class Display:
    """A display of its own, and what a window manager does there."""

    WM_EVENT = 33  # ClientMessage

    class Message(ctypes.Structure):
        _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong),
                    ("sent", ctypes.c_int), ("display", ctypes.c_void_p),
                    ("window", ctypes.c_ulong), ("kind", ctypes.c_ulong),
                    ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
                    ("rest", ctypes.c_char * 96)]

    def __init__(self):
        reader, writer = os.pipe()
        # pylint: disable=consider-using-with
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", "640x480x24",
             "-nolisten", "tcp"], pass_fds=[writer],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as f:
            self.name = ":" + f.readline().strip()
        self.x = ctypes.CDLL("libX11.so.6")
        for function in ("XOpenDisplay", "XInternAtom", "XDefaultRootWindow"):
            getattr(self.x, function).restype = ctypes.c_ulong
        self.link = ctypes.c_void_p(self.x.XOpenDisplay(self.name.encode()))

    def close(self):
        self.x.XCloseDisplay(self.link)
        self.server.terminate()
        self.server.wait()

    def window(self):
        """The first that has the size of the picture, or None."""
        root, parent, names, number = (
            ctypes.c_ulong(), ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)(),
            ctypes.c_uint())
        self.x.XQueryTree(self.link, self.x.XDefaultRootWindow(self.link),
                          *map(ctypes.byref, (root, parent, names, number)))
        for window in names[:number.value]:
            size = [ctypes.c_uint() for _ in range(4)]
            at = [ctypes.c_int() for _ in range(2)]
            self.x.XGetGeometry(
                self.link, ctypes.c_ulong(window), ctypes.byref(root),
                *map(ctypes.byref, at), *map(ctypes.byref, size))
            if (size[0].value, size[1].value) == (320, 240):
                return window
        return None

    def ask_to_close(self, window):
        def atom(name):
            return self.x.XInternAtom(self.link, name, 0)

        message = self.Message(type=self.WM_EVENT, window=window, format=32,
                               kind=atom(b"WM_PROTOCOLS"))
        message.data[0] = atom(b"WM_DELETE_WINDOW")
        self.x.XSendEvent(self.link, ctypes.c_ulong(window), 0,
                          ctypes.c_long(0), ctypes.byref(message))
        self.x.XFlush(self.link)


class ExampleCase(unittest.TestCase):
    def setUp(self):
        self.emulator = Emulator()
        self.addCleanup(self.emulator.__exit__, None, None, None)
        self.before = harness.children()
        self.addCleanup(self.end_what_runs)
        self.url = "http://127.0.0.1:%d" % self.emulator.port
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.state_dir = os.path.join(self.where, "state")
        self.random = random.Random(3)

    def end_what_runs(self):
        """What a test that failed has left."""
        for pid in set(harness.children()) - set(self.before):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def file(self, name, size):
        path = os.path.join(self.where, name)
        with open(path, "wb") as f:
            f.write(self.random.randbytes(size))
        return path

    def settings(self, *more, signature=None):
        """The options that all have in common."""
        source = "signature=" + signature if signature else \
            "signature-url=%s/signature" % self.url
        return ["--set=" + setting for setting in (
            "endpoint=" + self.url, source, "state-dir=" + self.state_dir,
            *more)]

    def media(self):
        return self.emulator.state()["media"]

    def check_media(self, line, path):
        """What a line on standard output names is this file, byte by byte."""
        file_id, url = line.split("\t")[:2]
        with open(path, "rb") as f:
            data = f.read()
        self.assertTrue(fetch(url) == data, "the bytes differ")
        self.assertIn(file_id, [m["fileId"] for m in self.media()])

    def check_nothing_there(self):
        state = harness.settled(self.emulator)
        self.assertEqual((state["media"], state["uploads"]), ([], []))


# ---- record ----

# Recordings take their time, but little else.
@harness.beside
class TestRecord(ExampleCase):
    def command(self, *settings, source=SNOW % ""):
        return [example("record"), "--source", source,
                *self.settings(*settings)]

    def wait_for_a_part(self, program):
        """Some of the recording is up."""
        program.wait_for(
            lambda: any(upload["parts"] for upload in
                        self.emulator.state()["uploads"]), what="a part")

    def frames(self, url):
        """How many pictures are in it, by decoding them."""
        path = os.path.join(self.where, "recorded.mp4")
        with open(path, "wb") as f:
            f.write(fetch(url))
        result = harness.run(
            ["gst-launch-1.0", "-v", "filesrc", "location=" + path, "!",
             "qtdemux", "!", "h264parse", "!", "avdec_h264", "!",
             "identity", "silent=false", "!", "fakesink", "silent=true"])
        self.assertEqual(result.code, 0, result.tail())
        return result.out.count("chain   ******")

    def test_ctrl_c_commits_what_plays(self):
        """one SIGINT, or SIGTERM: what was recorded is committed and plays"""
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                program = harness.Program(self.command())
                self.wait_for_a_part(program)
                program.signal(number)
                result = program.finish(30)
                self.assertEqual(result.code, 0, result.tail())
                self.assertRegex(result.out, r"\A\d+\thttp://\S+\.mp4\n\Z")
                self.assertIn("its rest is being uploaded", result.err)
                self.assertRegex(result.err, r"MB left at .*Ctrl-C gives it up")
                media = self.media()[-1]
                file_id, url = result.out.split()
                self.assertEqual(media["fileId"], file_id)
                self.assertEqual(hashlib.md5(fetch(url)).hexdigest(),
                                 media["md5"])
                self.assertGreater(self.frames(url), 30)

    def test_all_pictures_are_in_it(self):
        """a source that ends by itself: every picture is in the media"""
        result = harness.run(self.command(source=SNOW % " num-buffers=45"))
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.frames(result.out.split()[1]), 45)

    def test_the_terminal_shows_what_it_waits_for(self):
        """a bar that grows, then bytes left, speed, time left, and the result"""
        program = Terminal(self.command("max-upload-bitrate=4000000",
                                        "progress-interval=100"))
        program.wait_for_output(r"\[#+ *\] 0:\d\d, [2-9]\.\d MB recorded", 60)
        program.type(b"\x03")
        code = program.finish(60)
        out = program.output()
        self.assertEqual(code, 0, out[-2000:])
        recording, waiting = out.split("its rest is being uploaded")
        self.assertGreater(
            len(set(re.findall(r"([\d.]+) MB recorded", recording))), 5)
        self.assertRegex(waiting, r"\[#+ *\] [\d.]+ MB left at [\d.]+ MB/s "
                                  r"\(uploading\), \d+ s; Ctrl-C gives it up")
        left = [float(n) for n in re.findall(r"([\d.]+) MB left", waiting)]
        self.assertLess(left[-1], max(left))
        self.assertRegex(waiting, r"\n?\d+\thttp://\S+\.mp4\r\n\Z")

    def test_a_second_ctrl_c_gives_it_up(self):
        """a second Ctrl-C: code 130, nothing is left, and that is said"""
        code, out = self.interrupt_twice()
        self.assertEqual(code, 130, out[-2000:])
        self.assertIn("nothing of it is kept", out)
        self.check_nothing_there()

    def test_what_is_kept_is_told(self):
        """a second Ctrl-C with a spool: where the recording is, is said"""
        code, out = self.interrupt_twice("spool=true")
        self.assertEqual(code, 130, out[-2000:])
        kept = re.search(r"what was recorded is kept in (\S+)", out)[1]
        self.assertEqual(os.path.dirname(kept), self.state_dir)
        self.assertGreater(os.path.getsize(kept), 10000)
        self.check_nothing_there()

    def test_a_third_ctrl_c_ends_it_at_once(self):
        """a third Ctrl-C does not wait for what is deleted at the service"""
        self.emulator.faults({"op": "CompleteMultipartUpload", "stall": True},
                             {"op": "AbortMultipartUpload", "stall": True})
        program = self.start_waiting()
        program.type(b"\x03")
        program.wait_for(lambda: self.emulator.get("/api/faults").json()[1]
                         ["seen"], what="the request to delete")
        program.type(b"\x03")
        self.assertEqual(program.finish(20), -signal.SIGINT)

    def interrupt_twice(self, *settings):
        self.emulator.faults({"op": "CompleteMultipartUpload", "stall": True})
        program = self.start_waiting(*settings)
        program.type(b"\x03")
        return program.finish(20), program.output()

    def start_waiting(self, *settings):
        """A recording whose end was asked for, up to Complete, which hangs."""
        program = Terminal(self.command(*settings))
        self.wait_for_a_part(program)
        program.type(b"\x03")
        program.wait_for_output("Ctrl-C gives it up")
        program.wait_for(lambda: self.emulator.get("/api/faults").json()[0]
                         ["seen"], what="Complete")
        program.wait_for_output("waiting for the service to commit it")
        return program

    def test_a_failure_is_told(self):
        """a wrong signature: code 1, and why"""
        wrong = vodwire.upload_signature(key="wrong")
        result = harness.run([
            example("record"), "--source", SNOW % "",
            *self.settings(signature=wrong)])
        self.assertEqual(result.code, 1, result.tail())
        self.assertEqual(result.out, "")
        self.assertIn("code 10004", result.err)
        self.assertIn("nothing of it is kept", result.err)
        self.assertNotIn(wrong, result.out + result.err)

    def test_a_camera_that_fails(self):
        """the camera fails: what was recorded before is committed, code 1"""
        result = harness.run(self.command(
            source=SNOW % "" + " ! identity error-after=60"))
        self.assertEqual(result.code, 1, result.tail())
        self.assertIn("Failed after iterations as requested", result.err)
        self.assertIn("its rest is being uploaded", result.err)
        self.assertGreater(self.frames(result.out.split()[1]), 30)

    def test_a_camera_that_fails_at_once(self):
        """no picture at all: code 1, and nothing is there"""
        for source in ("v4l2src device=/nonexistent",
                       SNOW % "" + " ! identity error-after=1"):
            with self.subTest(source):
                result = harness.run(self.command(source=source), timeout=10)
                self.assertEqual((result.code, result.out), (1, ""))
                self.check_nothing_there()

    def test_a_window_that_is_closed(self):
        """on a display: a window; closing it ends the recording properly"""
        display = Display()
        self.addCleanup(display.close)
        program = harness.Program(self.command(),
                                  env={"DISPLAY": display.name})
        self.wait_for_a_part(program)
        window = program.wait_for(display.window, what="the window")
        display.ask_to_close(window)
        result = program.finish(30)
        self.assertEqual(result.code, 0, result.tail())
        self.assertIn("its rest is being uploaded", result.err)
        self.assertGreater(self.frames(result.out.split()[1]), 20)

    def test_a_display_that_is_gone(self):
        """without a display that can be used: the same recording"""
        result = harness.run(self.command(source=SNOW % " num-buffers=30"),
                             env={"DISPLAY": ":6666"})
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.frames(result.out.split()[1]), 30)

    def test_wrong_use(self):
        for arguments in (["--nonsense"], ["--set=nonsense=1"],
                          ["--set=timeout=long"], ["a.mp4"],
                          ["--source", "nonsense"]):
            with self.subTest(arguments):
                result = harness.run([example("record"), *arguments])
                self.assertEqual(result.code, 2, result.tail())
                self.assertIn("record --help", result.err)


# ---- upload ----

class TestUpload(ExampleCase):
    def command(self, *arguments, settings=(), **kwargs):
        return [example("upload"), *self.settings(*settings, **kwargs),
                *arguments]

    def test_three_files_two_at_a_time(self):
        """three files, two at a time: their bytes, and a line for each"""
        files = [self.file("%s.mp4" % name, size) for name, size in (
            ("one", 3 * MIB + 1), ("two words\tand a tab", 2 * MIB),
            ("three", 12345))]
        # Those under way stay so, each with an upload of its own there.
        self.emulator.faults({"op": "UploadPart", "stall": True})
        program = harness.Program(self.command("--jobs=2", *files,
                                               settings=["timeout=1"]))
        program.wait_for(lambda: len(self.emulator.state()["uploads"]) >= 2,
                         what="two at a time")
        program.wait_for(lambda: self.emulator.get("/api/faults").json()[0]
                         ["hits"] >= 4, what="tries of both")
        self.assertEqual(len(self.emulator.state()["uploads"]), 2)
        self.emulator.clear_faults()
        result = program.finish()
        self.assertEqual(result.code, 0, result.tail())
        lines = {line.split("\t")[2]: line
                 for line in result.out.splitlines()}
        self.assertEqual(set(lines), {f.replace("\t", "?") for f in files})
        for path in files:
            self.check_media(lines[path.replace("\t", "?")], path)
        self.assertRegex(result.err, r"one\.mp4: 100 % of 3\.1 MB, [\d.]+ MB/s")
        self.assertNotIn("\033", result.out + result.err)

    def test_the_terminal_has_a_bar_for_each(self):
        """on a terminal: a bar for each file under way, with rate and time left"""
        files = [self.file(name, 4 * MIB) for name in ("a.ts", "b.ts")]
        program = Terminal(self.command(*files, settings=[
            "max-upload-bitrate=24000000", "progress-interval=50",
            "parallel-uploads=1"]))
        code = program.finish()
        out = program.output()
        self.assertEqual(code, 0, out[-2000:])
        for path in files:
            bars = re.findall(r"\[(#* *)\] +(\d+) % of 4\.2 MB, ([\d.]+) MB/s"
                              r"(, \d+ s left)?: " + re.escape(path), out)
            self.assertGreater(len({share for _, share, _, _ in bars}), 2, out)
            self.assertTrue(any(left for _, _, _, left in bars))
            self.assertEqual({len(bar) for bar, _, _, _ in bars}, {20})
            line = re.search(r"(\d+\t\S+)\t%s\r\n" % re.escape(path), out)
            self.check_media(line[1], path)
        self.assertIn("\033[2A", out, "two lines are taken back")

    def test_killed_and_run_again(self):
        """kill -9 midway, and run again: what is up is not sent again"""
        path = self.file("film.mp4", 6 * MIB)
        again = self.command(path, settings=[
            "slice-size=%d" % MIB, "parallel-uploads=1"])
        self.emulator.faults({"op": "UploadPart", "stall": True, "skip": 3})
        program = harness.Program(again)
        program.wait_for(lambda: self.emulator.get("/api/faults").json()[0]
                         ["hits"], what="the request that hangs")
        program.signal(signal.SIGKILL)
        program.finish()
        self.emulator.clear_faults()
        killed = harness.settled(self.emulator)["requests"]
        result = harness.run(again)
        self.assertEqual(result.code, 0, result.tail())
        self.assertRegex(result.err, r"film\.mp4: 3 parts were up already")
        self.check_media(result.out, path)
        sent = self.emulator.state()["requests"]["UploadPart"]["200"]
        self.assertEqual(sent - killed["UploadPart"]["200"], 3)

    def test_interrupted(self):
        """Ctrl-C: code 130 at once, and the same command goes on"""
        path = self.file("film.mp4", 4 * MIB)
        again = self.command(path, settings=[
            "slice-size=%d" % MIB, "parallel-uploads=1"])
        self.emulator.faults({"op": "UploadPart", "stall": True, "skip": 2})
        program = harness.Program(again)
        program.wait_for(lambda: self.emulator.get("/api/faults").json()[0]
                         ["hits"], what="the request that hangs")
        program.signal(signal.SIGINT)
        result = program.finish(10)
        self.assertEqual((result.code, result.out), (130, ""), result.tail())
        self.assertIn("the same command goes on", result.err)
        self.emulator.clear_faults()
        result = harness.run(again)
        self.assertEqual(result.code, 0, result.tail())
        self.assertIn("2 parts were up already", result.err)
        self.check_media(result.out, path)

    def test_a_wrong_signature(self):
        """a wrong signature: code 1, with the service's code"""
        path = self.file("a.mp4", 1000)
        wrong = vodwire.upload_signature(key="wrong")
        result = harness.run(self.command(path, signature=wrong))
        self.assertEqual((result.code, result.out), (1, ""), result.tail())
        self.assertRegex(result.err, r"a\.mp4: failed: .*invalid signature")
        self.assertRegex(result.err, r"a\.mp4: code 10004, request id \S+")
        self.assertNotIn(wrong, result.err)

    def test_some_fail(self):
        """two of three fail: code 1, which and why, with the request id"""
        good, bad = self.file("good.mp4", 5000), self.file("bad.mp4", MIB + 1)
        missing = os.path.join(self.where, "missing.mp4")
        self.emulator.faults({"op": "InitiateMultipartUpload", "status": 403,
                              "code": "AccessDenied", "times": 1})
        result = harness.run(self.command("--jobs=1", bad, missing, good))
        self.assertEqual(result.code, 1, result.tail())
        self.check_media(result.out, good)
        self.assertEqual(result.out.count("\n"), 1)
        log = [r for r in self.emulator.state()["log"]
               if r["op"] == "InitiateMultipartUpload"]
        self.assertEqual([r["status"] for r in log], [403, 200])
        self.assertRegex(result.err, r"bad\.mp4: code 403, request id "
                                     r"[A-Za-z0-9=_-]{10,}")
        self.assertRegex(result.err, r"missing\.mp4: failed: ")
        self.assertNotIn("good.mp4: failed", result.err)

    def test_wrong_use(self):
        for arguments in ([], ["--jobs=0", "a"], ["--jobs=17", "a"],
                          ["--nonsense", "a"], ["--set=nonsense=1", "a"]):
            with self.subTest(arguments):
                result = harness.run([example("upload"), *arguments])
                self.assertEqual((result.code, result.out), (2, ""))
                self.assertIn("upload --help", result.err)


# ---- get-signature ----

class TestGetSignature(ExampleCase):
    def run_it(self, *arguments, command=None, **extra):
        """Uploads a file; counts how often it was asked."""
        self.path = self.file("a.mp4", 100000)
        self.asked = os.path.join(self.where, "asked")
        sign = os.path.join(harness.BUILD, "examples", "vod-sign", "vod-sign")
        return harness.run(
            [example("get-signature"), *arguments, "--endpoint=" + self.url,
             self.path, *(command or ["sh", "-c", "echo >> %s; exec %s --one-time"
                                      % (self.asked, sign)])],
            env=dict(KEYS, XDG_STATE_HOME=self.where), **extra)

    def check_uploads(self, *arguments):
        result = self.run_it(*arguments)
        self.assertEqual(result.code, 0, result.tail())
        self.check_media(result.out.strip(), self.path)
        with open(self.asked) as f:
            self.assertEqual(len(f.readlines()), 2, "Apply and Commit")
        requests = self.emulator.state()["requests"]
        for op in ("ApplyUploadUGC", "CommitUploadUGC"):
            self.assertEqual(requests[op], {"200": 1}, "none is refused")

    def test_at_once(self):
        """answered by the handler: a fresh one for each request"""
        self.check_uploads()

    def test_later(self):
        """answered later by the property: a fresh one for each request"""
        self.check_uploads("--later")

    def test_no_signature(self):
        """a command that fails, or says something else: code 1, soon"""
        for later in ([], ["--later"]):
            for command in (["false"], ["/nonexistent"], ["echo", "hello"]):
                with self.subTest((later, command)):
                    result = self.run_it(*later, command=command, timeout=10)
                    self.assertEqual(result.code, 1, result.tail())
                    self.assertIn("what was given as a signature", result.err)
        self.check_nothing_there()

    def test_wrong_use(self):
        for arguments in ([], ["a.mp4"], ["--nonsense", "a.mp4", "true"]):
            result = harness.run([example("get-signature"), *arguments])
            self.assertEqual((result.code, result.out), (2, ""))


# ---- sign-service ----

class TestSignService(ExampleCase):
    def start(self, *arguments, token=None):
        program = harness.Program(
            [example("sign-service"), *arguments],
            env=dict(KEYS, **({"SIGN_TOKEN": token} if token else {})))
        self.signer = program.wait_for_output(
            r"listening on (http://\S+:(\d+)/vod)\n")
        return program

    def ask(self, method="GET", target="/vod", body=None, **headers):
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(self.signer[2]), timeout=10)
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def end(self, program):
        program.signal(signal.SIGTERM)
        result = program.finish(10)
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertEqual(result.out.count("\n"), 1, "nothing is logged")
        return result

    def test_it_signs_as_vod_sign_does(self):
        program = self.start()
        before = int(time.time())
        answer, data = self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.getheader("Content-Type"), "application/json")
        self.assertEqual(answer.getheader("Cache-Control"), "no-store")
        signature = json.loads(data)["signature"]
        original = base64.b64decode(signature)[20:].decode()
        self.assertEqual(signature, vodwire.sign_original(original))
        fields = urllib.parse.parse_qs(original, strict_parsing=True)
        self.assertEqual(set(fields), {"secretId", "currentTimeStamp",
                                       "expireTime", "random"})
        now = int(fields["currentTimeStamp"][0])
        self.assertTrue(before <= now <= time.time())
        self.assertEqual(int(fields["expireTime"][0]), now + 3600)
        same = harness.run(
            [os.path.join(harness.BUILD, "examples", "vod-sign", "vod-sign"),
             "--expires=3600", "--now=%d" % now,
             "--random=" + fields["random"][0]], env=KEYS)
        self.assertEqual(same.out.strip(), signature)
        self.assertNotEqual(json.loads(self.ask()[1])["signature"], signature)
        self.end(program)

    def test_uploads_with_it(self):
        """signature-url of an upload, with and without a token"""
        path = self.file("a.mp4", 100000)
        token = "abcdefghijklm+/n=="
        for shown, code in ((None, 0), (token, 0), (token + "x", 1)):
            with self.subTest(shown):
                program = self.start(token=token if shown else None)
                headers = ['--set=signature-headers="headers,Authorization='
                           '(string)\\"Bearer %s\\""' % shown] if shown else []
                result = harness.run([
                    example("upload"), "--set=endpoint=" + self.url, *headers,
                    "--set=signature-url=" + self.signer[1],
                    "--set=resume=false", "--set=retry-duration=0", path])
                self.assertEqual(result.code, code, result.tail())
                if code == 0:
                    self.check_media(result.out.strip(), path)
                else:
                    self.assertIn("HTTP status 401", result.err)
                said = self.end(program)
                self.assertNotIn(token, said.out)

    def test_what_clients_may_not(self):
        """parameters, other paths, methods, names of this machine: refused"""
        program = self.start()
        port = self.signer[2]
        for status, arguments in (
                (200, {}), (200, {"Host": "localhost:" + port}),
                (200, {"Host": "[::1]:" + port}), (200, {"Host": "[::1]"}),
                (400, {"target": "/vod?expire=7776000"}),
                (400, {"target": "/vod?"}),
                (404, {"target": "/"}), (404, {"target": "/vod/"}),
                (404, {"target": "/Vod"}),
                (405, {"method": "POST", "body": b"oneTimeValid=0" * 100000}),
                (405, {"method": "HEAD"}), (405, {"method": "DELETE"}),
                (403, {"Host": "evil.example.com:" + port}),
                (403, {"Host": "127.0.0.1.example.com:" + port}),
                (403, {"Host": "192.0.2.1:" + port}),
                (403, {"target": "http://evil.example.com/vod"})):
            with self.subTest(arguments):
                answer, data = self.ask(**arguments)
                self.assertEqual(answer.status, status)
                self.assertEqual(b"signature" in data, status == 200)
        self.end(program)

    def test_the_token(self):
        """with a token: nothing without it, also from this machine"""
        program = self.start(token="0123456789abcdef")
        for shown in (None, "", "Bearer ", "Bearer 0123456789abcde",
                      "Bearer 0123456789abcdef0", "0123456789abcdef",
                      "Basic 0123456789abcdef"):
            headers = {} if shown is None else {"Authorization": shown}
            answer, data = self.ask(**headers)
            self.assertEqual((answer.status, data), (401, b""), shown)
        answer, _ = self.ask(Authorization="Bearer 0123456789abcdef",
                             Host="sign.example.com")
        self.assertEqual(answer.status, 200)
        self.end(program)

    def test_wrong_use(self):
        """no key, a short token, others than this machine without a token"""
        for env, arguments in (
                ({}, []), ({"VOD_SECRET_ID": "a"}, []),
                (dict(KEYS, VOD_SECRET_KEY=""), []),
                (dict(KEYS, SIGN_TOKEN="x" * 15), []),
                (dict(KEYS, SIGN_TOKEN=""), []),
                (KEYS, ["--address=0.0.0.0"]), (KEYS, ["--address=here"]),
                (KEYS, ["--port=65536"]), (KEYS, ["more"])):
            with self.subTest((env, arguments)):
                result = harness.run([example("sign-service"), *arguments],
                                     env=env, timeout=10)
                self.assertEqual((result.code, result.out), (2, ""))
                self.assertNotIn(vodwire.SECRET_KEY, result.err)

    def test_a_port_that_is_taken(self):
        program = self.start()
        result = harness.run([example("sign-service"),
                              "--port=" + self.signer[2]], env=KEYS)
        self.assertEqual((result.code, result.out), (1, ""))
        self.end(program)


# ---- the comments ----

def commands(name):
    """What the comment at the beginning tells to type, line by line."""
    with open(os.path.join(EXAMPLES, name + ".c")) as f:
        comment = f.read().split("*/\n")[1]
    text = re.sub(r" \\\n \*  *", " ", comment)
    text = re.sub(r"\|\n \*  *", "| ", text)
    return re.findall(r"^ \*   ((?:cc|export|umask|echo|curl|\./).*)$", text, re.M)


class TestComments(ExampleCase):
    """Every command is typed as it stands, in a folder that has examples/ and
    build/. Only what nobody else has is put in: addresses, ports, tokens."""

    def setUp(self):
        super().setUp()
        os.symlink(EXAMPLES, os.path.join(self.where, "examples"))
        os.symlink(harness.BUILD, os.path.join(self.where, "build"))
        for name in ("a.mp4", "b.mp4"):
            self.file(name, 5000)
        self.free = 0

    def shell(self, lines, last):
        """Lines that a user has typed, then the last."""
        script = "\n".join(["unset GST_PLUGIN_PATH", *lines, "exec " + last
                            if "|" not in last else last])
        return harness.Program(["sh", "-ec", script], cwd=self.where,
                               env={"XDG_STATE_HOME": self.where})

    def adapt(self, line):
        line = line.replace("127.0.0.1:PORT", self.url[len("http://"):])
        line = line.replace("--port 8700", "--port 0")
        line = line.replace("https://sign.example.com/vod",
                            self.url + "/signature")
        if "endpoint=" not in line:
            line = line.replace(" --set ", " --set endpoint=%s --set "
                                % self.url, 1)
        if line.startswith("./get-signature") and "--endpoint" not in line:
            line = line.replace(" --later", " --later --endpoint " + self.url)
        return line

    def type_all(self, name):
        """Returns what was run; exports count for what follows."""
        exports, ran = [], []
        for line in commands(name):
            if line.startswith(("export", "umask")):
                exports.append(line)
                continue
            line = self.adapt(line)
            program = self.shell(exports, line)
            if line.startswith("./record"):
                program.wait_for(lambda: self.emulator.state()["uploads"],
                                 what="the recording")
                program.signal(signal.SIGINT)
            elif line.startswith("./sign-service"):
                program.wait_for_output("listening on ")
                program.signal(signal.SIGTERM)
            result = program.finish(60)
            self.assertEqual(result.code, 0, line + "\n" + result.tail())
            ran.append((line, result))
        return ran

    def check(self, name, uploads):
        ran = self.type_all(name)
        self.assertTrue(ran[0][0].startswith("cc "), ran)
        self.assertEqual(ran[0][1].out + ran[0][1].err, "", "no warning")
        self.assertEqual(len(self.media()), uploads)
        return ran[1:]

    def test_record(self):
        ran = self.check("record", 2)
        self.assertEqual(self.media()[-1]["name"], "Lecture 12")
        self.assertEqual(len(ran), 2)

    def test_upload(self):
        ran = self.check("upload", 6)
        script, = [result for line, result in ran if "while" in line]
        self.assertEqual(set(script.out.split()),
                         {m["fileId"] for m in self.media()[-2:]})

    def test_get_signature(self):
        self.assertEqual(len(self.check("get-signature", 2)), 2)

    def test_sign_service(self):
        with open(os.path.join(self.where, "upload"), "w") as f:
            f.write("#!/bin/sh\nGST_PLUGIN_PATH=build/gst exec %s \"$@\"\n"
                    % example("upload"))
            os.chmod(f.name, 0o700)
        self.assertEqual(len(self.check("sign-service", 1)), 5)

    def test_each_is_in_the_list(self):
        """docs/examples.md names each, and no other"""
        with open(os.path.join(harness.ROOT, "docs", "examples.md")) as f:
            text = f.read()
        listed = re.findall(r"\]\(\.\./examples/([a-z-]+)\.c\)", text)
        there = [os.path.basename(path)[:-2]
                 for path in glob.glob(os.path.join(EXAMPLES, "*.c"))]
        self.assertEqual(sorted(listed), sorted(there))
        self.assertEqual(sorted(there), sorted(NAMES))


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    # No windows on the desktop of who runs this.
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        os.environ.pop(variable, None)
    harness.main()
