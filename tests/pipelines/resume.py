#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An upload that was killed goes on when the same command is run again: what is
up is not sent again, whatever has become of the session file, of the service's
memory and of the media meanwhile, and the committed bytes are those of the
second run. `resume.py BUILD [WORD...]`; speaks TAP."""

import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import unittest

import harness
from harness import MIB, Emulator

SLICES = "slice-size=%d max-size-bytes=%d" % (MIB, 4 * MIB)
PARTS = 12          # of the media: eleven whole ones and a rest
SENT = 5            # of them before it is killed


class ResumeCase(unittest.TestCase):
    def setUp(self):
        self.begin()

    def begin(self):
        """Also for the next of several cases in one test."""
        self.emulator = Emulator()
        self.addCleanup(self.emulator.__exit__, None, None, None)
        self.where = harness.folder()
        self.state_dir = os.path.join(self.where, "state")
        self.file = os.path.join(self.where, "film.ts")
        self.addCleanup(harness.remove, self.where)
        self.before = self.emulator.state()
        self.random = random.Random(7)
        self.write(self.random.randbytes((PARTS - 1) * MIB + 12345))

    # -- the media --

    def write(self, data):
        self.data = data
        with open(self.file, "wb") as f:
            f.write(data)

    def write_as_before(self, data):
        """With the time of the file there was, as if it were that one."""
        old = os.stat(self.file)
        self.write(data)
        os.utime(self.file, ns=(old.st_atime_ns, old.st_mtime_ns))

    # -- running --

    def command(self, *settings, source=None):
        return harness.launch(
            [*(source or ["filesrc", "location=" + self.file]), "!",
             *harness.sink(self.emulator, *SLICES.split(),
                           "parallel-uploads=1",
                           "state-dir=" + self.state_dir, *settings)])

    def interrupt(self, *settings, parts=SENT, op="UploadPart", source=None):
        """Killed when so many parts are up and the next request hangs."""
        self.emulator.faults({"op": op, "stall": True, "skip": parts
                              if op == "UploadPart" else 0})
        program = harness.Program(self.command(*settings, source=source))
        program.wait_for(self.hits, what="the request that hangs")
        program.signal(signal.SIGKILL)
        program.finish()
        self.emulator.clear_faults()
        self.killed = harness.settled(self.emulator)

    def hits(self):
        return sum(f["hits"] for f in
                   self.emulator.get("/api/faults").json())

    def again(self, *settings, source=None, timeout=60):
        """Runs it once more, to its end; returns its media."""
        self.result = harness.run(
            self.command(*settings, source=source), timeout=timeout)
        self.assertEqual(self.result.code, 0, self.result.tail())
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), len(self.before["media"]) + 1)
        media = state["media"][-1]
        self.assertEqual(media["size"], len(self.data))
        self.assertEqual(media["md5"], hashlib.md5(self.data).hexdigest())
        return media

    def sent_since(self, state, op="UploadPart"):
        now = self.emulator.state()["requests"].get(op, {})
        return sum(now.values()) - sum(state["requests"].get(op, {}).values())

    def left_open(self):
        return len(self.emulator.state()["uploads"]) - \
            len(self.before["uploads"])

    def sessions(self, suffix="session"):
        return glob.glob(os.path.join(self.state_dir, "*." + suffix))

    def session(self):
        found = self.sessions()
        self.assertEqual(len(found), 1, found)
        return found[0]

    def check_goes_on(self, *settings, parts=PARTS - SENT, source=None):
        """Only what is missing is sent, and nothing is left behind."""
        self.again(*settings, source=source)
        self.assertEqual(self.sent_since(self.killed), parts)
        self.assertEqual(
            self.sent_since(self.killed, "InitiateMultipartUpload"), 0)
        self.check_clean()

    def check_anew(self, *settings):
        """Everything goes up again, in an upload of its own."""
        self.again(*settings)
        self.assertGreaterEqual(self.sent_since(self.killed), PARTS)
        self.assertEqual(self.sessions(), [])

    def check_clean(self):
        self.assertEqual(self.left_open(), 0)
        self.assertEqual(self.sessions(), [])


class TestSame(ResumeCase):
    def test_the_same_command_goes_on(self):
        self.interrupt()
        self.check_goes_on()

    def test_killed_at_each_step(self):
        """killed at Initiate, before the first part, at the last, at Complete,
        at Commit"""
        for op, parts, missing in (
                ("InitiateMultipartUpload", 0, PARTS), ("UploadPart", 0, PARTS),
                ("UploadPart", PARTS - 1, 1), ("CompleteMultipartUpload", 0, 0),
                ("CommitUploadUGC", 0, 0)):
            with self.subTest("%s %d" % (op, parts)):
                self.begin()
                self.interrupt(parts=parts, op=op)
                self.again()
                self.assertEqual(self.sent_since(self.killed), missing)
                self.check_clean()

    def test_killed_when_complete_was_done(self):
        """killed when Complete, or Commit, was done, its answer on its way"""
        for op in ("CompleteMultipartUpload", "CommitUploadUGC"):
            with self.subTest(op):
                self.begin()
                self.emulator.faults({"op": op, "delay": 60000})
                program = harness.Program(self.command())
                program.wait_for(self.hits, what="the request that hangs")
                program.wait_for(self.object_is_there, what="the object")
                program.signal(signal.SIGKILL)
                program.finish()
                self.emulator.clear_faults()
                self.killed = self.emulator.state()
                self.again_only_once()
                self.assertEqual(self.sent_since(self.killed), 0)
                self.check_clean()

    def object_is_there(self):
        return self.left_open() == 0

    def again_only_once(self):
        self.result = harness.run(self.command())
        self.assertEqual(self.result.code, 0, self.result.tail())
        media = self.emulator.state()["media"][len(self.before["media"]):]
        self.assertEqual([m["md5"] for m in media],
                         [hashlib.md5(self.data).hexdigest()])

    def test_several_times(self):
        for parts in (2, 2, 2):
            self.interrupt(parts=parts)
        self.check_goes_on(parts=PARTS - 6)

    def test_a_queue_between(self):
        """a queue and identity between: the same bytes"""
        source = ["filesrc", "location=" + self.file, "!", "identity", "!",
                  "queue"]
        self.interrupt(source=source)
        self.check_goes_on(source=source)

    def test_progress_begins_where_it_was(self):
        self.interrupt()
        self.again("progress-interval=1")
        first = harness.messages(self.result.out, "vodsink-progress")[0]
        self.assertEqual(first["total"], len(self.data))
        last = harness.messages(self.result.out, "vodsink-progress")[-1]
        self.assertEqual(last["loaded"], len(self.data))

    def test_resume_false(self):
        """resume=false: everything again"""
        self.interrupt("resume=false")
        self.assertEqual(self.sessions(), [])
        self.check_anew("resume=false")

    def test_another_slice_size(self):
        """another slice-size: what is up is kept as it was cut"""
        self.interrupt()
        media = self.again("slice-size=%d" % (2 * MIB),
                           "max-size-bytes=%d" % (16 * MIB))
        self.assertEqual(self.sent_since(self.killed),
                         media["parts"] - SENT)
        self.check_clean()

    def test_slices_that_are_too_big_now(self):
        """slices that memory does not hold any more: cut again"""
        self.interrupt("slice-size=%d" % (3 * MIB),
                       "max-size-bytes=%d" % (12 * MIB), parts=2)
        media = self.again()
        # The first was cut small, so as to be on its way early.
        self.assertGreaterEqual(self.sent_since(self.killed),
                                media["parts"] - 1)
        self.check_clean()


class TestSessionFile(ResumeCase):
    def test_lost(self):
        self.interrupt()
        os.unlink(self.session())
        self.check_anew()

    def test_damaged(self):
        """one byte of it is another: what is before counts"""
        self.interrupt()
        path = self.session()
        with open(path, "rb") as f:
            good = f.read()
        self.check_damaged(path, good, [
            good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]
            for at in (0, 30, len(good) // 2, len(good) - 3)])

    def test_cut_off(self):
        self.interrupt()
        path = self.session()
        with open(path, "rb") as f:
            good = f.read()
        self.check_damaged(path, good, [
            good[:length] for length in (0, 1, len(good) // 2,
                                         len(good) - 1)])

    def test_something_else(self):
        """garbage, zeros, a line of a million bytes"""
        self.interrupt()
        path = self.session()
        with open(path, "rb") as f:
            good = f.read()
        self.check_damaged(path, good, [
            self.random.randbytes(5000), b"\0" * 100000, b"x" * 1000000,
            good + good, good + b"cut 1 0 99999999999999999999\n"])

    def check_damaged(self, path, good, others):
        """Whatever it says, the right bytes are committed. The service's side
        is put back each time by a copy of nothing: a media of its own."""
        for other in others:
            with self.subTest(other[:20]):
                if not os.path.exists(path):
                    self.begin()
                    self.interrupt()
                    path = self.session()
                    if other.startswith(good[:40]):
                        with open(path, "rb") as f:
                            other = f.read()[:len(other)]
                with open(path, "wb") as f:
                    f.write(other)
                self.again()
                self.assertLessEqual(self.sent_since(self.killed), PARTS)
                self.assertEqual(self.sessions(), [])

    def test_that_others_may_write(self):
        """open to others: not read"""
        self.interrupt()
        os.chmod(self.session(), 0o666)
        self.check_anew()

    def test_that_is_a_link(self):
        """a symbolic link is not followed"""
        self.interrupt()
        path = self.session()
        victim = os.path.join(self.where, "victim")
        shutil.copy(path, victim)
        with open(victim, "rb") as f:
            before = f.read()
        os.unlink(path)
        os.symlink(victim, path)
        result = harness.run(self.command())
        with open(victim, "rb") as f:
            self.assertEqual(f.read(), before)
        self.assertEqual(result.code, 0, result.tail())

    def test_no_secret_for_others(self):
        self.interrupt()
        self.assertEqual(os.stat(self.session()).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.state_dir).st_mode & 0o777, 0o700)


class TestService(ResumeCase):
    """What the service has forgotten meanwhile."""

    def forget(self, fault, op):
        self.interrupt()
        self.emulator.faults({"op": op, "times": 1, fault: True})
        self.check_anew()
        self.assertEqual(self.sent_since(self.killed), PARTS)

    def test_unknown_upload(self):
        """the upload id is unknown: begun anew"""
        self.forget("forget-upload", "ListParts")
        self.assertEqual(self.left_open(), 0)

    def test_unknown_session(self):
        """the session key is unknown: begun anew"""
        self.forget("forget-session", "ApplyUploadUGC")

    def test_parts_that_the_service_lost(self):
        """parts that are stored wrongly there: the whole's CRC64 tells"""
        self.emulator.faults({"op": "UploadPart", "part": 2, "corrupt": True,
                              "times": 1},
                             {"op": "UploadPart", "stall": True,
                              "skip": SENT})
        program = harness.Program(self.command())
        program.wait_for(lambda: self.hits() >= 2, what="the stalled part")
        program.signal(signal.SIGKILL)
        program.finish()
        self.emulator.clear_faults()
        self.killed = harness.settled(self.emulator)
        self.again()
        self.assertLessEqual(self.sent_since(self.killed), 2 * PARTS)
        self.check_clean()


class TestChanged(ResumeCase):
    """The file is another when the command is run again. Under an explicit key
    what has not changed is kept."""

    KEY = "resume-key=lecture 12"

    def check(self, data, *settings, parts):
        self.interrupt(*settings)
        self.write(data)
        self.again(*settings)
        self.assertEqual(self.sent_since(self.killed), parts)
        self.assertEqual(self.sessions(), [])

    def test_changed_in_the_middle(self):
        at = 2 * MIB + 5
        data = self.data[:at] + b"X" + self.data[at + 1:]
        self.check(data, self.KEY, parts=PARTS - SENT + 1)
        self.assertEqual(self.left_open(), 0)

    def test_shorter(self):
        """shorter than what is up: parts behind the end are not in it"""
        self.check(self.data[:3 * MIB + 99], self.KEY, parts=1)
        self.assertEqual(self.left_open(), 0)

    def test_longer(self):
        self.check(self.data + self.random.randbytes(2 * MIB), self.KEY,
                   parts=PARTS - SENT + 2)
        self.assertEqual(self.left_open(), 0)

    def test_something_else_under_the_key(self):
        self.check(self.random.randbytes(5 * MIB), self.KEY, parts=5)

    def test_another_file_of_that_name(self):
        """without a key: another media, all of it"""
        for change in (lambda data: data[:-1] + b"X",
                       lambda data: data[:3 * MIB],
                       lambda data: data + b"more"):
            with self.subTest():
                self.begin()
                self.interrupt()
                self.write(change(self.data))
                self.again()
                self.assertEqual(self.sent_since(self.killed),
                                 -(-len(self.data) // MIB))

    def test_changed_behind_our_back(self):
        """same size and time, another byte: the part goes again"""
        self.interrupt()
        at = MIB + 17
        old = os.stat(self.file)
        with open(self.file, "r+b") as f:
            f.seek(at)
            f.write(b"X")
        os.utime(self.file, ns=(old.st_atime_ns, old.st_mtime_ns))
        self.data = self.data[:at] + b"X" + self.data[at + 1:]
        self.check_goes_on(parts=PARTS - SENT + 1)


class TestTwo(ResumeCase):
    def start_and_hang(self, *settings, source=None):
        self.emulator.faults({"op": "UploadPart", "stall": True,
                              "skip": SENT, "times": 1})
        program = harness.Program(self.command(
            "timeout=60", *settings, source=source))
        program.wait_for(self.hits, what="the first to hang")
        return program

    def test_on_one_key(self):
        """a key that is in use: the second fails at once and says why"""
        key = "resume-key=one"
        first = self.start_and_hang(key)
        second = harness.run(self.command(key), timeout=10)
        first.kill()
        error = harness.failure(second)
        self.assertEqual((error["phase"], error["code"]), ("session", -4))
        self.assertRegex(error["message"], "(?i)in use|another upload")
        # Neither has harmed the session.
        self.emulator.clear_faults()
        self.killed = harness.settled(self.emulator)
        self.check_goes_on(key)

    def test_on_one_file(self):
        """a file without a key: the second goes without a session"""
        first = self.start_and_hang()
        second = harness.run(self.command(), timeout=30)
        self.assertEqual(second.code, 0, second.tail())
        first.kill()
        self.emulator.clear_faults()
        self.killed = harness.settled(self.emulator)
        self.before = dict(self.before, media=self.killed["media"])
        self.check_goes_on()

    def test_renditions(self):
        """two made of one file: neither has a session, nor the other's"""
        source = ["filesrc", "location=%s/short.mkv" % harness.content(),
                  "!", "matroskademux", "!", "h264parse", "!"]
        one, two = [*source, "mpegtsmux"], [*source, "flvmux"]
        self.interrupt(source=one)
        self.assertEqual(self.sessions(), [])
        other = os.path.join(self.where, "two.flv")
        done = harness.run(["gst-launch-1.0", *two, "!", "filesink",
                            "location=" + other])
        self.assertEqual(done.code, 0, done.tail())
        with open(other, "rb") as f:
            self.data = f.read()
        result = harness.run(self.command(source=two))
        self.assertEqual(result.code, 0, result.tail())
        media = self.emulator.state()["media"][-1]
        self.assertEqual(media["size"], len(self.data))
        self.assertEqual(sum(media["sent"].values()),
                         self.sent_since(self.killed))


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
