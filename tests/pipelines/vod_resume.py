#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vod-resume finishes what kill -9 has left: the committed bytes are those of
the spool, what is up is not sent again, and what it must not touch is as it was.
`vod_resume.py BUILD [WORD...]`; speaks TAP."""

import glob
import hashlib
import os
import re
import shutil
import signal
import sys
import unittest

import harness
import vodwire
from harness import MIB, Emulator

BOOT = "01234567-89ab-cdef-0123-456789abcdef"
MUXERS = {
    "ts": "mpegtsmux",
    "robust": "mp4mux reserved-max-duration=60000000000 "
              "reserved-moov-update-period=500000000",
    "plain": "mp4mux",
}
TYPES = {"ts": "ts", "robust": "mp4", "plain": "mp4"}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def md5(data):
    return hashlib.md5(data).hexdigest()


class ResumeCase(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.root = os.path.join(self.where, "root")
        self.state_dir = os.path.join(self.where, "state")
        self.emulator = Emulator("--root", self.root)
        self.addCleanup(lambda: self.emulator.__exit__(None, None, None))
        self.base = "http://127.0.0.1:%d" % self.emulator.port
        self.programs = []
        self.addCleanup(lambda: [p.kill() for p in self.programs])

    def restart(self):
        self.emulator.stop("kill")
        self.emulator = Emulator("--root", self.root, "--port",
                                 str(self.emulator.port))

    # -- recording --

    def record(self, kind, name, *, live=True, path=None, frames=-1):
        """A recording that is under way, from no file that could be known
        again."""
        source = "filesrc location=%s ! matroskademux ! h264parse ! " \
            "identity eos-after=%d ! %s%s ! " % (
                os.path.join(harness.content(), "short.mkv"), frames,
                "clocksync ! " if live else "", MUXERS[kind])
        if path:
            source += "tee name=t t. ! queue ! filesink async=false " \
                "location=%s t. ! queue ! " % path
        program = harness.Program(harness.launch([
            *source.split(), *harness.sink(
                self.emulator, "spool=true", "state-dir=" + self.state_dir,
                "media-name=" + name, "media-type=" + TYPES[kind],
                "slice-size=%d" % MIB, "parallel-uploads=2", "timeout=2")]))
        self.programs.append(program)
        return program

    def kill(self, program):
        program.signal(signal.SIGKILL)
        program.finish()
        self.killed = harness.settled(self.emulator)

    def cut_off(self, kind, name, parts=2):
        """Killed while it records, with so many parts up; returns the key."""
        before = set(self.keys())
        program = self.record(kind, name)
        program.wait_for(
            lambda: self.confirmed(set(self.keys()) - before) >= parts,
            what="parts")
        self.kill(program)
        keys = set(self.keys()) - before
        self.assertEqual(len(keys), 1)
        return keys.pop()

    def ended(self, kind, name, path=None, frames=-1, again=None):
        """Killed when it had reached EOS and had sent nothing but the first
        part; returns the key. @again: the key that it takes from an earlier
        one."""
        before = set(self.keys())
        self.emulator.faults({"op": "UploadPart", "stall": True, "skip": 1})
        program = self.record(kind, name, live=False, path=path, frames=frames)

        def new():
            if again:
                return {again} if again + ".1" in self.keys() else set()
            return set(self.keys()) - before
        program.wait_for(
            lambda: self.said(new(), "eos") and self.confirmed(new()) == 1,
            what="EOS")
        self.kill(program)
        self.emulator.clear_faults()
        return new().pop()

    # -- the state directory --

    def file(self, key, suffix="media"):
        return os.path.join(self.state_dir, "%s.%s" % (key, suffix))

    def keys(self):
        return sorted({re.sub(r"\.(media|session)$", "", name)
                       for name in os.listdir(self.state_dir)
                       if name.endswith((".media", ".session"))}
                      if os.path.isdir(self.state_dir) else [])

    def lines(self, key):
        try:
            return read(self.file(key, "session")).decode().splitlines()
        except FileNotFoundError:
            return []

    def said(self, keys, word):
        return [line for key in keys for line in self.lines(key)
                if line.startswith(word + " ")]

    def confirmed(self, keys):
        return len({line.split()[1] for line in self.said(keys, "confirmed")})

    def left(self):
        return sorted(os.listdir(self.state_dir))

    # -- vod-resume --

    def start(self, *args, signature=True):
        program = harness.Program(
            [os.path.join(harness.BUILD, "gst", "tools", "vod-resume"),
             "--state-dir", self.state_dir, *args,
             *(["--signature-url", self.base + "/signature"]
               if signature else [])])
        self.programs.append(program)
        return program

    def resume(self, *args, code=0, signature=True):
        result = self.start(*args, signature=signature).finish()
        self.assertEqual(result.code, code, result.tail())
        return result

    def listed(self):
        """key -> the row of the table, without the key"""
        rows = self.resume("--list", signature=False).out.splitlines()
        return {row.split()[0]: row.split(None, 1)[1] for row in rows
                if re.match(r"[0-9a-f]{32}", row)}

    def media(self, name):
        """The one media of this name."""
        found = [m for m in self.emulator.state()["media"]
                 if m["name"] == name]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def sent_since_kill(self):
        now = self.emulator.state()["requests"].get("UploadPart", {})
        return sum(now.values()) - \
            sum(self.killed["requests"].get("UploadPart", {}).values())

    def check_finished(self, name, data, result):
        media = self.media(name)
        self.assertEqual((media["size"], media["md5"]),
                         (len(data), md5(data)))
        self.assertIn("file id " + media["fileId"], result.out)
        self.assertIn(media["url"], result.out)
        return media


class TestCutOff(ResumeCase):
    def check(self, kind):
        key = self.cut_off(kind, "Film")
        data = read(self.file(key))
        up = self.confirmed([key])
        result = self.resume()
        media = self.check_finished("Film", data, result)
        # The head of a muxer that rewrites may be up and void.
        again = sum(media["sent"][part] > 1 for part in media["sent"])
        self.assertLessEqual(again, {"ts": 0, "robust": 1}[kind])
        self.assertLessEqual(self.sent_since_kill(),
                             media["parts"] - up + again)
        self.assertGreaterEqual(up, 2)
        self.assertTrue(media["resumed"])
        self.assertEqual(self.left(), [])
        self.assertEqual(self.emulator.state()["uploads"], [])
        return data

    def test_transport_stream(self):
        """a live transport stream is finished as far as it goes"""
        self.check("ts")

    def test_robust_mp4(self):
        """so is an mp4 with robust muxing, and it plays"""
        data = self.check("robust")
        path = os.path.join(self.where, "check.mp4")
        with open(path, "wb") as f:
            f.write(data)
        decoded = harness.run([harness.REPLAY, "--decode", path])
        self.assertEqual(decoded.code, 0, decoded.tail())
        self.assertGreater(
            int(re.search(r"^video/x-raw (\d+)", decoded.out, re.M)[1]), 10)

    def test_plain_mp4_is_left(self):
        """a plain mp4 needs --incomplete"""
        key = self.cut_off("plain", "Film")
        before, data = self.left(), read(self.file(key))
        for args in ((), ("--dry-run",)):
            result = self.resume(*args, code=3)
            self.assertIn("Film.mp4: was cut off", result.out)
            self.assertIn("--incomplete", result.out)
            self.assertEqual(self.left(), before)
        result = self.resume("--dry-run", "--incomplete")
        self.assertIn("Film.mp4: would be uploaded", result.out)
        self.assertEqual(self.left(), before)
        self.assertEqual(self.emulator.state()["media"], [])
        self.check_finished("Film", data, self.resume("--incomplete"))
        self.assertEqual(self.left(), [])

    def test_restart_of_the_machine(self):
        """what was not synced and is not proven is cut off"""
        key = self.cut_off("ts", "Film", parts=3)
        lines = self.lines(key)
        parts = [line for line in lines if line.startswith("cut ")]
        confirmed = [line for line in lines if line.startswith("confirmed ")]
        # Of the last boot nothing was synced, but for the first bytes.
        kept = [line.rsplit(" ", 1)[0] for line in lines
                if not line.startswith("synced ")]
        crc, text = vodwire.crc64(key.encode()), ""
        for line in [*kept, "synced 100 " + BOOT]:
            crc = vodwire.crc64((line + "\n").encode(), crc)
            text += "%s %016x\n" % (line, crc)
        with open(self.file(key, "session"), "w") as f:
            f.write(text)
        sure = 0
        numbers = {line.split()[1] for line in confirmed}
        for line in parts:
            _, number, offset, size, _ = line.split()
            if number not in numbers or int(offset) != sure:
                break
            sure += int(size)
        data = read(self.file(key))
        self.assertGreater(sure, 0)
        self.assertLess(sure, len(data))
        # Behind it, the disk has other bytes than were written.
        with open(self.file(key), "r+b") as f:
            f.seek(sure)
            f.write(bytes(len(data) - sure))
        self.assertIn("is cut off", self.resume("--dry-run").out)
        self.assertEqual(os.path.getsize(self.file(key)), len(data))
        result = self.resume()
        self.assertIn("is cut off", result.out)
        self.check_finished("Film", data[:sure], result)
        self.assertEqual(self.left(), [])


class TestEnded(ResumeCase):
    def test_while_the_service_was_down(self):
        """EOS was reached while the service was down: nothing is missing"""
        path = os.path.join(self.where, "film.mp4")
        self.emulator.stop("kill")
        program = self.record("plain", "Film", live=False, path=path)
        program.wait_for(lambda: self.said(self.keys(), "eos"), what="EOS")
        program.signal(signal.SIGKILL)
        program.finish()
        key, = self.keys()
        self.assertEqual(read(self.file(key)), read(path))
        self.assertRegex(self.listed()[key], r"^complete ")
        self.emulator = Emulator("--root", self.root, "--port",
                                 str(self.emulator.port))
        self.check_finished("Film", read(path), self.resume())
        self.assertEqual(self.left(), [])

    def test_parts_are_not_sent_again(self):
        """parts that are up are not sent again, after a restart of the service
        either"""
        path = os.path.join(self.where, "film.ts")
        self.ended("ts", "Film", path=path)
        self.restart()
        self.killed = self.emulator.state()
        media = self.check_finished("Film", read(path), self.resume())
        self.assertEqual(self.sent_since_kill(), media["parts"] - 1)
        self.assertGreaterEqual(media["parts"], 5)

    def test_several(self):
        """several, with those that were set aside"""
        datas, keys = [], [None]
        for name, frames in (("Film", 200), ("Film", 250), ("Other", 220)):
            path = os.path.join(self.where, "film%d" % frames)
            keys.append(self.ended("ts", name, path, frames, keys[-1]
                                   if name == "Film" else None))
            datas.append(read(path))
        self.assertEqual(len({md5(data) for data in datas}), 3)
        self.assertEqual(len(self.keys()), 3)
        self.assertEqual(len([k for k in self.keys() if k.endswith(".1")]), 1)
        result = self.resume()
        state = self.emulator.state()
        self.assertEqual(sorted(m["name"] for m in state["media"]),
                         ["Film", "Film", "Other"])
        self.assertEqual(sorted(m["md5"] for m in state["media"]),
                         sorted(md5(data) for data in datas))
        self.assertEqual(result.out.count("file id"), 3)
        self.assertEqual(state["uploads"], [])
        self.assertEqual(self.left(), [])

    def test_one_fails(self):
        """one that cannot be uploaded does not keep the others from it"""
        keys = [self.ended("ts", "Film"), self.ended("ts", "Other")]
        os.chmod(self.file(min(keys)), 0o644)
        before = read(self.file(min(keys)))
        result = self.resume(code=1)
        self.assertIn("cannot be uploaded: its spool is not", result.out)
        self.assertEqual(len(self.emulator.state()["media"]), 1)
        self.assertEqual(self.keys(), [min(keys)])
        self.assertEqual(read(self.file(min(keys))), before)

    def test_without_a_session(self):
        """without a session, --set must say what it is"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        for spoil in (lambda path: open(path, "w").write("rubbish\n"),
                      os.unlink):
            spoil(self.file(key, "session"))
            self.assertIn("media-name=NAME", self.resume(code=1).out)
            self.assertEqual(read(self.file(key)), data)
        self.assertRegex(self.listed()[key], r"^no session ")
        self.check_finished("Other name", data, self.resume(
            "--set", "endpoint=" + self.base, "--set",
            "media-name=Other name", "--set", "media_type=ts"))
        self.assertEqual(self.left(), [])


    def test_cancelled(self):
        """a recording that was cancelled is no failure of every run"""
        key, other = self.ended("ts", "Film"), self.ended("ts", "Other")
        data = read(self.file(key))
        for each in (key, other):
            os.unlink(self.file(each, "session"))
        try:
            os.setxattr(self.file(key), "user.vodsink.cancelled", b"1")
        except OSError:
            # Then nothing tells it from one whose session was lost.
            self.assertRegex(self.listed()[key], r"^no session ")
            return
        self.assertRegex(self.listed()[key], r"^cancelled ")
        # A session that was lost is a failure all the same.
        result = self.resume(code=1)
        self.assertRegex(result.out, r"%s: cannot be uploaded" % other)
        self.resume("--discard", other)
        for args in ((), ("--dry-run",), ("--incomplete",)):
            result = self.resume(*args)
            self.assertRegex(result.out, r"%s: was cancelled, .* --set "
                             r"media-name=NAME .* --discard %s " % (key, key))
            self.assertEqual(self.left(), [key + ".media"])
        self.assertEqual(self.emulator.state()["media"], [])
        self.check_finished("Film", data, self.resume(
            "--set", "endpoint=" + self.base, "--set", "media-name=Film",
            "--set", "media-type=ts"))
        self.assertEqual(self.left(), [])

    def test_a_directory_is_no_session(self):
        """what cannot be a session is a failure, not somebody at work"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        os.unlink(self.file(key, "session"))
        os.mkdir(self.file(key, "session"))
        result = self.resume(
            "--set", "endpoint=" + self.base, "--set", "media-name=Film",
            "--set", "media-type=ts", code=1)
        self.assertNotIn("in use", result.out)
        self.assertIn("failed: " + self.file(key, "session"), result.out)
        self.assertEqual(read(self.file(key)), data)


class TestFailures(ResumeCase):
    def private(self, name, text):
        path = os.path.join(self.where, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                          0o600), "w") as f:
            f.write(text)
        return path

    def signature(self, **how):
        return self.private("signature", vodwire.upload_signature(**how))

    def test_wrong_signature(self):
        """a signature that the service refuses loses nothing"""
        key = self.ended("ts", "Film")
        data, row = read(self.file(key)), self.listed()[key]
        path = self.signature(key="wrong")
        result = self.resume("--signature-file", path, signature=False, code=1)
        self.assertRegex(result.out, r"Film\.ts: failed: .*10004")
        self.assertEqual(read(self.file(key)), data)
        # Only its age may be another.
        self.assertEqual(self.listed()[key].split()[:5], row.split()[:5])
        self.signature()
        media = self.check_finished("Film", data, self.resume(
            "--signature-file", path, signature=False))
        self.assertEqual(self.sent_since_kill(), media["parts"] - 1)

    def test_signature_file_that_others_can_use(self):
        """a signature file as the usual umask makes it: a warning, once"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        path = self.signature()
        warning = "%s can be used by others" % path
        secret = read(path).decode()
        self.assertNotIn("used by others", self.resume(
            "-n", "-f", path, signature=False).err)
        os.chmod(path, 0o644)
        result = self.resume("--signature-file", path, signature=False)
        self.assertEqual(result.err.count(warning), 1, result.err)
        self.assertIn("chmod 600 " + path, result.err)
        self.assertNotIn(secret, result.out + result.err)
        self.check_finished("Film", data, result)
        if os.geteuid() != 0:
            return
        # What somebody else lets our group read is for our group.
        os.chown(path, 1, os.getegid())
        for mode, warned in ((0o640, 0), (0o644, 1)):
            os.chmod(path, mode)
            result = self.resume("-n", "-f", path, signature=False)
            self.assertEqual(result.err.count(warning), warned, result.err)

    def test_signature_file_is_read_afresh(self):
        """a signature that has expired can be replaced while it waits"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        path = self.signature(now=1000000000)
        program = self.start("--signature-file", path, signature=False)
        program.wait_for_output("again in")
        self.assertTrue(program.running())
        self.signature()
        result = program.finish()
        self.assertEqual(result.code, 0, result.tail())
        self.check_finished("Film", data, result)

    def test_refused_by_the_storage(self):
        """the storage's code and request id are shown"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        self.emulator.faults({"op": "UploadPart", "status": 403,
                              "code": "AccessDenied", "times": 1})
        result = self.resume(code=1)
        self.assertRegex(
            result.out, r"Film\.ts: failed: .*\(phase part, code 403, "
            r"AccessDenied, request id \S+\)")
        self.check_finished("Film", data, self.resume())

    def test_unreachable_and_begun_anew(self):
        """that the end was reached is known also after an attempt that began
        anew and failed"""
        key = self.ended("plain", "Film")
        data = read(self.file(key))
        result = self.resume("--set", "media-name=Other", "--set",
                             "endpoint=http://127.0.0.1:1", "--set",
                             "retry-duration=0", code=1)
        self.assertIn("failed", result.out)
        self.assertRegex(self.listed()[key], r"^complete ")
        self.assertEqual(read(self.file(key)), data)
        self.check_finished("Other", data, self.resume(
            "--set", "endpoint=" + self.base))
        # So are the parts of the attempt that nobody goes on with.
        self.assertEqual(self.emulator.state()["uploads"], [])
        self.assertEqual(self.left(), [])

    def test_interrupted(self):
        """SIGINT and SIGTERM end it; what is up stays up"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        for number, parts in ((signal.SIGINT, 2), (signal.SIGTERM, 3)):
            self.emulator.faults(
                {"op": "UploadPart", "stall": True, "skip": 1})
            program = self.start("--set", "parallel-uploads=1")
            program.wait_for(lambda n=parts: self.confirmed([key]) == n,
                             what="a part")
            program.signal(number)
            result = program.finish(10)
            self.assertEqual(result.code, 1, result.tail())
            self.assertIn("Film.ts: interrupted", result.out)
            self.emulator.clear_faults()
        self.killed = harness.settled(self.emulator)
        media = self.check_finished("Film", data, self.resume())
        self.assertEqual(self.sent_since_kill(), media["parts"] - 3)

    def test_waiting_is_shown(self):
        """while it waits it says why"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        self.emulator.faults({"op": "ApplyUploadUGC", "status": 503,
                              "times": 1})
        result = self.resume()
        self.assertRegex(result.out, r"Film\.ts: apply failed, again in")
        self.check_finished("Film", data, result)

    def test_usage(self):
        """what cannot be set is said before anything is done"""
        key = self.ended("ts", "Film")
        before = read(self.file(key, "session"))
        for args, said in (
                (["--set", "nonsense=1"], "no such property"),
                (["--set", "file-id=1"], "no such property"),
                (["--set", "timeout=soon"], "--set timeout"),
                (["--set", "timeout=-1"], "--set timeout"),
                (["--set", "slice-size=1"], "--set slice-size"),
                (["--set", "timeout"], "PROPERTY=VALUE"),
                (["--set", "spool=false"], "vod-resume itself"),
                (["--set", "endpoint=nowhere"], "endpoint"),
                (["--signature-file", self.where + "/none"], "cannot be"),
                (["--list", "--discard", key], "one of them"),
                (["--discard", "../" + key], "not the key"),
                (["film.ts"], "options only"),
                ([], "no signature"),
                (["--nonsense"], "nonsense")):
            with self.subTest(args=args):
                result = self.resume(*args, code=2, signature=False)
                self.assertIn(said, result.err)
        self.assertEqual(read(self.file(key, "session")), before)
        self.assertEqual(self.emulator.state()["requests"].get(
            "CommitUploadUGC"), None)

    def test_options_file(self):
        """what is in it counts, but --set takes precedence"""
        key = self.ended("ts", "Film")
        data = read(self.file(key))
        path = self.private("options", "# a comment\n\nmedia-name=Other\n"
                            "signature-url=%s/signature\n" % self.base)
        media = self.check_finished("Film", data, self.resume(
            "--options-file", path, "--set", "media-name=Film",
            signature=False))
        self.assertEqual(self.sent_since_kill(), media["parts"] - 1)
        self.ended("ts", "Second")
        result = self.resume("-o", path, signature=False)
        self.assertIn("/Other.ts\n", result.out)

    def test_options_files_that_are_refused(self):
        """others' files and what is none of options; nothing of it is shown"""
        secret = vodwire.upload_signature()
        path = os.path.join(self.where, "options")
        for text, said in (
                (secret, "line 1 is not"), ("\n%s=" % secret, "line 2 is not"),
                ("timeout=5\r\n" + secret, "line 2 is not"),
                ("signature-url\n", "line 1"), (" timeout=5", "line 1"),
                ("=" + secret, "line 1"), ("timeout=5\0", "not text"),
                ("#" * (1 << 16) + "\n", "too long"),
                ("timeout=" + secret, "--set timeout"),
                ("nonsense=" + secret, "no such property"),
                ("spool=false", "vod-resume itself")):
            with self.subTest(text):
                self.private("options", text)
                result = self.resume("-o", path, code=2, signature=False)
                self.assertIn(said, result.err)
                self.assertNotIn(secret, result.out + result.err)
        self.private("options", "timeout=5")
        self.resume("-o", path, signature=False)
        os.chmod(path, 0o604)
        self.assertIn("chmod 600", self.resume(
            "-o", path, code=2, signature=False).err)
        self.assertIn("cannot be opened", self.resume(
            "-o", path + "x", code=2, signature=False).err)
        if os.geteuid() == 0:
            os.chmod(path, 0o600)
            os.chown(path, 1, 1)
            self.assertIn("not yours", self.resume(
                "-o", path, code=2, signature=False).err)

    def test_help(self):
        """--help tells the exit codes, --version the version"""
        self.assertIn("Exit codes", self.resume("--help", signature=False).out)
        self.assertRegex(self.resume("--version", signature=False).out,
                         r"^vod-resume \d+\.\d+")


class TestOthers(ResumeCase):
    def test_in_use(self):
        """a recording that is under way is not touched"""
        program = self.record("ts", "Film")
        program.wait_for(lambda: self.confirmed(self.keys()) >= 1,
                         what="a part")
        key, = self.keys()
        self.assertRegex(self.listed()[key], r"^in use ")
        self.assertIn("in use now", self.resume().out)
        refused = self.resume("--discard", key, code=1, signature=False)
        self.assertRegex(refused.err, "in use|another")
        self.assertTrue(program.running())
        program.signal(signal.SIGINT)
        result = program.finish()
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.media("Film")["failed-requests"], 0)
        self.assertEqual(self.left(), [])

    def test_discard_and_sweep(self):
        """--discard deletes it here and there, when there is somebody there"""
        keep, gone = self.ended("ts", "Keep"), self.ended("ts", "Gone")
        data = read(self.file(keep))
        self.assertEqual(len(self.emulator.state()["uploads"]), 2)
        result = self.resume("--discard", gone, signature=False)
        self.assertIn("needs a signature", result.out)
        self.assertEqual(self.keys(), [keep])
        for args in (["--list"], ["--dry-run"]):
            self.assertIn("Of 1 uploads, parts", self.resume(
                *args, signature=False).out)
        # It is not there any more.
        self.resume("--discard", gone, code=1)
        self.assertEqual(read(self.file(keep)), data)
        self.assertEqual(len(self.emulator.state()["uploads"]), 2)
        self.assertIn("deleted", self.resume("--discard", keep).out)
        self.assertEqual(self.left(), [])
        self.assertEqual(self.emulator.state()["uploads"], [])
        self.assertEqual(self.emulator.state()["media"], [])

    def test_sweep_refused(self):
        """parts that cannot be deleted stay remembered"""
        self.resume("--discard", self.ended("ts", "Gone"), signature=False)
        left = self.left()
        self.assertEqual(len(left), 1)
        wrong = vodwire.upload_signature(key="wrong")
        result = self.resume("--set", "signature=" + wrong, signature=False,
                             code=1)
        self.assertNotIn(wrong, result.out + result.err)
        self.assertEqual(self.left(), left)
        # Of another endpoint: not now.
        self.resume("--set", "endpoint=http://127.0.0.1:1")
        self.assertEqual(self.left(), left)
        self.resume()
        self.assertEqual(self.left(), [])
        self.assertEqual(self.emulator.state()["uploads"], [])

    def discarded(self, *names):
        """Recordings that are to be deleted at the service; their files."""
        os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
        before = set(self.left())
        # Recording sweeps too.
        for key in [self.ended("ts", name) for name in names]:
            self.resume("--discard", key, signature=False)
        return set(self.left()) - before

    def test_sweep_beside_an_endpoint_that_is_down(self):
        """an endpoint that is down keeps no other from being swept"""
        first = self.emulator, self.discarded("A", "B")
        with Emulator("--root", os.path.join(self.where, "second")) as other:
            self.emulator = other
            second = other, self.discarded("C", "D")
            # What comes first in the folder is down.
            down, up = sorted((first, second), key=lambda each: min(each[1]))
            self.emulator, self.base = up[0], \
                "http://127.0.0.1:%d" % up[0].port
            down[0].stop("kill")
            result = self.resume(code=1)
            self.assertEqual(up[0].state()["uploads"], [])
            self.assertEqual(set(self.left()), down[1])
            self.assertIn("The parts of 2 unfinished", result.out)
            # Nobody waits twice for who is not there.
            self.assertEqual(result.out.count("could not be deleted"), 1)
            first[0].stop("kill")
        self.emulator = first[0]

    def test_sweep_with_one_refused(self):
        """nor does one that is refused"""
        self.discarded("A", "B", "C")
        self.emulator.faults({"op": "AbortMultipartUpload", "times": 1,
                              "code": "AccessDenied"})
        result = self.resume(code=1)
        self.assertEqual(len(self.emulator.state()["uploads"]), 1)
        self.assertEqual(len(self.left()), 1)
        self.assertIn("The parts of 2 unfinished", result.out)
        self.resume()
        self.assertEqual(self.emulator.state()["uploads"], [])
        self.assertEqual(self.left(), [])

    def test_list(self):
        """the table of what is there"""
        ended, cut = self.ended("ts", "Ended"), self.cut_off("plain", "Cut")
        film = os.path.join(self.where, "film.ts")
        shutil.copy(self.file(ended), film)
        self.emulator.faults({"op": "UploadPart", "stall": True})
        program = harness.Program(harness.launch([
            "filesrc", "location=" + film, "!", *harness.sink(
                self.emulator, "state-dir=" + self.state_dir)]))
        self.programs.append(program)
        program.wait_for(lambda: self.said(
            set(self.keys()) - {ended, cut}, "cut"), what="a cut")
        self.kill(program)
        file, = set(self.keys()) - {ended, cut}
        os.mkfifo(self.file("f" * 32))
        with open(os.path.join(self.state_dir, "notes"), "w"):
            pass
        rows = self.listed()
        self.assertEqual(set(rows), {ended, cut, file, "f" * 32})
        size = os.path.getsize(self.file(ended))
        self.assertRegex(rows[ended], r"^complete +%.1f.MB +1\.0.MB .*"
                         r"Ended\.ts$" % (size / 1e6))
        self.assertRegex(rows[cut], r"^no end .* Cut\.mp4$")
        self.assertRegex(rows[file], r"^- .*run the same command again")
        self.assertRegex(rows["f" * 32], r"^damaged ")
        # Nothing of the file's is vod-resume's to finish.
        before = read(self.file(file, "session"))
        self.emulator.clear_faults()
        self.resume(code=1)
        self.assertEqual(self.keys(), sorted([cut, file, "f" * 32]))
        self.assertEqual(read(self.file(file, "session")), before)

    def test_nothing(self):
        """where nothing is, nothing is made"""
        self.assertIn("Nothing", self.resume("--list").out)
        self.resume(signature=False)
        self.assertFalse(os.path.exists(self.state_dir))
        self.assertEqual(glob.glob(self.state_dir + "*"), [])


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
