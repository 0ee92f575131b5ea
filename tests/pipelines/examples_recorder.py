#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/recorder.py goes on recording when the camera goes away, falls silent
or comes back, when the network is away and when it is killed itself, and has one
row for each fragment, which tells the truth.
`examples_recorder.py BUILD [WORD...]`; speaks TAP."""

import datetime
import json
import os
import re
import signal
import sqlite3
import sys
import unittest

import harness
from harness import Client, Emulator

RECORDER = os.path.join(harness.ROOT, "examples", "recorder.py")
CAMERA = os.path.join(harness.HERE, "camera.py")
RATE = 25
# As the head of recorder.py has it: picture and sound.
BOTH = ("rtspsrc location=%s name=c c. ! rtph264depay ! h264parse ! split.video "
        "c. ! rtpmp4gdepay ! aacparse ! split.audio_0")
PICTURE = ("videotestsrc is-live=true ! video/x-raw,width=320,height=240,"
           "framerate=25/1 ! x264enc speed-preset=ultrafast tune=zerolatency "
           "threads=1 key-int-max=25 ! h264parse ! split.video")

SOUND = (" audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! voaacenc ! "
         "aacparse ! split.audio_0")
# Runs the script after it, and says what PyGObject makes in other threads than
# the main one: there two may ask for the same at once, and get half of it.
EARLY = """
import runpy, sys, threading
from gi.module import IntrospectionModule
make = IntrospectionModule.__getattr__
def watched(module, name):
    if threading.current_thread() is not threading.main_thread():
        print("made late:", name, file=sys.stderr)
    return make(module, name)
IntrospectionModule.__getattr__ = watched
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Row:
    def __init__(self, values):
        (self.name, self.begun, self.ended, self.size, self.state,
         self.file_id, self.url, self.error) = values

    def __repr__(self):
        return str(vars(self))


class Camera(harness.Program):
    def __init__(self, port=0, frames=25):
        super().__init__([CAMERA, str(port), str(frames)])
        self.url = self.wait_for_output(r"(rtsp://\S+)\n")[1]
        self.port = int(re.search(r":(\d+)/", self.url)[1])

    def kill(self):
        if self.process.returncode is None:
            self.signal(signal.SIGCONT)
        super().kill()


class Case(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.emulator = Emulator()
        self.addCleanup(lambda: self.emulator.__exit__(None, None, None))
        self.programs = []
        self.addCleanup(lambda: [p.kill() for p in self.programs])
        self.recorder = None

    def started(self, program):
        for other in self.programs:
            other.before.add(program.pid)
        self.programs.append(program)
        return program

    def record(self, source, *options, program=(RECORDER,)):
        base = "http://127.0.0.1:%d" % self.emulator.port
        self.recorder = self.started(harness.Program(
            [*program, "-u", base + "/signature", "--set", "endpoint=" + base,
             "--seconds", "1", "--silence", "3", *options, "cam.db", source],
            cwd=self.where, env={
                "PYTHONDONTWRITEBYTECODE": "1",
                "PATH": os.path.dirname(harness.RESUME) + ":" +
                os.environ["PATH"]}))

    def end(self, code=0):
        self.recorder.signal(signal.SIGTERM)
        result = self.recorder.finish()
        self.assertEqual(result.code, code, "%s\n%s" % (
            result.tail(), self.rows()))
        self.assertNotIn("Traceback", result.err)
        return result

    def rows(self, state=None):
        path = os.path.join(self.where, "cam.db")
        if not os.path.exists(path):
            return []
        # Not "mode=ro", which could not read what was cut off in the middle.
        database = sqlite3.connect(path, timeout=60)
        try:
            return [row for row in map(Row, database.execute(
                "SELECT * FROM fragments ORDER BY begun"))
                if state in (None, row.state)]
        except sqlite3.OperationalError as error:
            self.assertIn("no such table", str(error))
            return []
        finally:
            database.close()

    def wait_for(self, condition, what, timeout=60):
        return self.recorder.wait_for(condition, timeout, what)

    def wait_for_done(self, count):
        self.wait_for(lambda: len(self.rows("done")) >= count,
                      "%d fragments" % count)

    def spooled(self):
        folder = os.path.join(self.where, "cam.spool")
        return sorted(os.listdir(folder) if os.path.isdir(folder) else [])

    def check(self, resumed=()):
        """All rows are done and are what the service has, no more, no less;
        returns name -> bytes. @resumed: names whose size nobody knows."""
        rows, state = self.rows(), self.emulator.state()
        self.assertEqual({row.state for row in rows}, {"done"}, rows)
        media = {m["name"]: m for m in state["media"]}
        self.assertEqual(len(media), len(state["media"]))
        self.assertEqual({row.name: (row.file_id, row.url) for row in rows},
                         {name: (m["fileId"], m["url"])
                          for name, m in media.items()})
        self.assertEqual(state["uploads"], [])
        self.assertEqual(self.spooled(), [])
        data = {row.name: Client(self.emulator).request(
            "GET", "/" + row.url.split("/", 3)[3]).body for row in rows}
        for row in rows:
            self.assertIsNone(row.error)
            if row.name not in resumed:
                self.assertEqual(row.size, len(data[row.name]))
                begun, ended = map(datetime.datetime.fromisoformat,
                                   (row.begun, row.ended))
                self.assertLess(datetime.timedelta(0), ended - begun)
        return data

    def decode(self, data):
        """It plays to its end; returns how many frames of "h264" and "aac" it
        has."""
        path = os.path.join(self.where, "media.mp4")
        with open(path, "wb") as f:
            f.write(data)
        result = harness.run(["ffprobe", "-v", "error", "-count_frames",
                              "-show_streams", "-of", "json", path])
        self.assertEqual((result.code, result.err), (0, ""), result.tail())
        return {stream["codec_name"]: int(stream.get("nb_read_frames", 0))
                for stream in json.loads(result.out)["streams"]}

    def is_cut_off_well(self):
        """Whether there is something to be seen in all spools."""
        spools = [name for name in self.spooled() if name.endswith(".media")]
        for name in spools:
            with open(os.path.join(self.where, "cam.spool", name), "rb") as f:
                if b"moof" not in f.read():
                    return False
        return len(spools) == len(self.rows())

    def kill_recorder(self):
        self.recorder.signal(signal.SIGKILL)
        # Its vod-resume hears of it, and lets go of the spools.
        self.recorder.finish(grace=20)
        harness.settled(self.emulator)


@harness.beside
class TestRecorder(Case):
    def test_a_camera_that_goes_and_comes(self):
        """recorder: a camera is switched off and on again; picture and sound
        are in each fragment"""
        camera = self.started(Camera())
        self.record(BOTH % camera.url)
        self.wait_for_done(2)
        camera.kill()
        self.recorder.wait_for_output("the source is left")
        before = len(self.rows())
        self.started(Camera(camera.port))
        self.wait_for_done(before + 2)
        self.end()
        for data in self.check().values():
            frames = self.decode(data)
            # The end of the sound may be in a fragment of its own.
            self.assertEqual(set(frames), {"h264", "aac"})
            self.assertGreater(frames["aac"], 0)

    def test_a_camera_that_falls_silent(self):
        """recorder: a URI that gives nothing for a while ends the fragment,
        and is asked again"""
        camera = self.started(Camera())
        self.record(camera.url)
        self.wait_for_done(1)
        camera.signal(signal.SIGSTOP)
        self.recorder.wait_for_output("no data for 3 s")
        self.wait_for(lambda: len(self.rows("done")) == len(self.rows()),
                      "the last fragment before the silence")
        before = len(self.rows())
        camera.signal(signal.SIGCONT)
        self.wait_for_done(before + 1)
        self.end()
        media = self.check()
        self.assertGreater(sum(
            self.decode(data)["h264"] for data in media.values()), 2 * RATE)

    def test_no_camera(self):
        """recorder: nothing is there to be recorded, then it ends at once"""
        camera = self.started(Camera())
        camera.kill()
        self.record(camera.url)
        self.recorder.wait_for(lambda: self.recorder.output().count(
            "the source is left") == 2)
        self.assertEqual(self.rows(), [])
        begun = datetime.datetime.now()
        self.end()
        # Not only after --patience.
        self.assertLess((datetime.datetime.now() - begun).seconds, 30)

    def test_a_source_that_ends(self):
        """recorder: no frame of a source that ends is lost"""
        self.record(PICTURE.replace("is-live=true", "num-buffers=60"))
        self.wait_for(lambda: len(self.rows("done")) >= 3, "three fragments")
        self.recorder.wait_for_output("the source is left: it has ended")
        self.end()
        media = self.check()
        frames = [self.decode(data)["h264"] for data in media.values()]
        # Each session has 60, but for the last, which was stopped.
        self.assertEqual(sum(frames[:3]), 60, frames)

    def test_a_source_without_key_frames(self):
        """recorder: a source that gives data, but nothing that a fragment could
        begin or end with, is asked again"""
        camera = self.started(Camera(frames=100000))
        self.record(camera.url)
        self.recorder.wait_for_output(
            "the source is left: nothing of it was recorded for 19 s",
            timeout=60)
        # A busy machine may let it fall silent as it begins.
        self.end(code=1 if self.rows("left") else 0)

    def test_a_database_that_is_none_any_more(self):
        """recorder: what nobody could foresee ends the program, so that it is
        started anew; it does not go on with half of its tasks"""
        self.record(PICTURE, "--resume-every", "1")
        self.wait_for_done(1)
        with sqlite3.connect(os.path.join(self.where, "cam.db"),
                             timeout=60) as database:
            database.execute("DROP TABLE fragments")
        result = self.recorder.finish()
        self.assertEqual(result.code, 1)
        self.assertIn("no such table", result.err)

    def test_threads(self):
        """recorder: threads of GStreamer's find all that they use of PyGObject,
        also in what fails"""
        self.emulator.faults({"op": "UploadPart", "times": 1, "status": 403,
                              "code": "AccessDenied"})
        self.record(PICTURE + SOUND, program=(
            "/usr/bin/python3", "-c", EARLY, RECORDER))
        self.wait_for_done(2)
        result = self.end(code=1)
        # Functions are whole at once, classes are not.
        self.assertEqual(re.findall("made late: [A-Z].*", result.err), [])

    def test_killed(self):
        """recorder: after kill -9 each row is there once, and what was cut off
        is finished by the next start"""
        self.emulator.faults({"op": "CompleteMultipartUpload", "stall": True})
        self.record(PICTURE, "--seconds", "2")
        self.wait_for(lambda: len(self.rows("uploading")) >= 2 and
                      self.rows("recording") and self.is_cut_off_well(),
                      "two that wait and a third")
        self.kill_recorder()
        names = {row.name for row in self.rows()}
        self.assertEqual({r.state for r in self.rows()},
                         {"uploading", "recording"})
        self.emulator.clear_faults()
        self.record(PICTURE)
        self.wait_for(lambda: not self.rows("left") and
                      len(self.rows("done")) > len(names), "all of them")
        self.end()
        media = self.check(resumed=names)
        self.assertLessEqual(names, set(media))
        for name in names:
            self.assertGreater(self.decode(media[name])["h264"], 0)

    def test_killed_several_times(self):
        """recorder: killed whenever a row has just come, no row is lost or
        doubled, and no media is without one"""
        names = set()
        for more in (1, 2, 1, 1):
            self.record(PICTURE)
            self.wait_for(lambda: len(self.rows()) >= len(names) + more,
                          "rows")
            self.kill_recorder()
            rows = [row.name for row in self.rows()]
            self.assertEqual(len(rows), len(set(rows)))
            self.assertLessEqual(names, set(rows))
            names = set(rows)
        self.record(PICTURE)
        self.wait_for(lambda: len(self.rows()) > len(names) and
                      len(self.rows("left")) == len(self.headless()),
                      "all of them")
        self.end(code=1 if self.headless() else 0)
        rows = {row.name: row for row in self.rows()}
        media = [m["name"] for m in self.emulator.state()["media"]]
        self.assertEqual(len(media), len(set(media)))
        self.assertLessEqual({name for name, row in rows.items()
                              if row.state == "done"}, set(media))
        self.assertLessEqual(set(media), set(rows))
        self.assertEqual(len(self.spooled()), 2 * len(self.headless()))
        # Killed before there was a byte, or before the id could be noted, or
        # when there was not even a whole header, which is for people to judge.
        self.assertLessEqual({row.state for row in rows.values()
                              if row.state != "left"},
                             {"done", "unknown"})

    def headless(self):
        return [row for row in self.rows("left")
                if "--incomplete" in (row.error or "")]

    def test_killed_before_it_could_note(self):
        """recorder: what is neither in the spool nor known to be there is said
        to be unknown"""
        self.record(PICTURE)
        self.wait_for_done(1)
        self.end()
        done = self.rows()
        with sqlite3.connect(os.path.join(self.where, "cam.db")) as database:
            database.execute("UPDATE fragments SET state = 'uploading', "
                             "file_id = NULL WHERE name = ?", (done[0].name,))
        self.record(PICTURE)
        self.wait_for(lambda: self.rows("unknown"), "it")
        self.end()
        self.assertEqual([r.name for r in self.rows("unknown")],
                         [done[0].name])

    def test_no_network(self):
        """recorder: fragments that cannot be sent are left, and are sent when
        the network is back"""
        self.emulator.faults({"op": "ApplyUploadUGC", "drop": True})
        self.record(PICTURE, "--set", "retry-duration=1",
                    "--resume-every", "1")
        self.wait_for(lambda: len(self.rows("left")) >= 2, "two are left")
        names = {row.name for row in self.rows()}
        self.emulator.clear_faults()
        self.wait_for(lambda: names <= {r.name for r in self.rows("done")},
                      "all are sent")
        self.end()
        media = self.check(resumed=names)
        for name in names:
            self.assertGreater(self.decode(media[name])["h264"], 0)

    def test_no_room_for_vod_resume(self):
        """recorder: vod-resume that cannot be started is tried again"""
        path = os.path.join(self.where, "cam.resume")
        os.symlink("none/none", path)
        self.emulator.faults({"op": "ApplyUploadUGC", "drop": True})
        self.record(PICTURE, "--set", "retry-duration=1",
                    "--resume-every", "1")
        self.wait_for(lambda: "cam.resume" in self.recorder.errors(),
                      "what is wrong")
        os.unlink(path)
        self.emulator.clear_faults()
        names = {row.name for row in self.rows()}
        self.wait_for(lambda: names <= {r.name for r in self.rows("done")},
                      "all are sent")
        self.end()
        self.check(resumed=names)

    def commands(self):
        """The command lines of the recorder and of what it has started."""
        found = []
        us = self.recorder.pid
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/status" % pid) as f:
                    parent = int(re.search(r"PPid:\t(\d+)", f.read())[1])
                with open("/proc/%s/cmdline" % pid) as f:
                    if us in (parent, int(pid)):
                        found.append(f.read().replace("\0", " "))
            except OSError:  # it has ended
                pass
        return found

    def test_secrets(self):
        """recorder: what it was given in a file is on no command line, also
        not on vod-resume's"""
        path = os.path.join(self.where, "secrets")
        with open(path, "w") as f:
            f.write('--set\nsignature-headers=headers,Authorization=(string)'
                    '"Bearer SECRET"\n')
        self.emulator.faults({"op": "ApplyUploadUGC", "drop": True})
        self.record(PICTURE, "@secrets", "--set", "retry-duration=2",
                    "--resume-every", "1")
        seen = []

        def resumed():
            seen.extend(self.commands())
            return [line for line in seen if line.startswith("vod-resume ")]

        line = self.wait_for(resumed, "vod-resume")[0]
        self.assertIn("--options-file /proc/self/fd/", line)
        self.assertNotIn("SECRET", "".join(seen))
        self.assertNotIn("/signature", line)
        self.emulator.clear_faults()
        self.wait_for(lambda: self.rows() and not self.rows("left"),
                      "all are sent")
        self.assertFalse([name for name in os.listdir(self.where)
                          if "option" in name])
        self.end()

    def test_a_lost_fragment(self):
        """recorder: what the service does not take is in the row, and the
        recording goes on"""
        self.emulator.faults({"op": "UploadPart", "times": 1, "status": 403,
                              "code": "AccessDenied"})
        self.record(PICTURE)
        self.wait_for_done(2)
        self.end(code=1)
        left, = [row for row in self.rows() if row.state != "done"]
        self.assertEqual((left.state, left.file_id), ("left", None))
        self.assertIn("AccessDenied", left.error)
        self.assertTrue(self.spooled())

    def test_a_database_in_use(self):
        """recorder: somebody who reads the database, or keeps others from writing
        to it, holds up nothing, and no row is lost"""
        self.record(PICTURE)
        self.wait_for_done(1)
        other = sqlite3.connect(os.path.join(self.where, "cam.db"),
                                isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN")
        self.wait_for_done(2 + other.execute(
            "SELECT count(*) FROM fragments").fetchone()[0])
        other.execute("COMMIT")
        self.assertNotIn("the database", self.recorder.errors())
        other.execute("BEGIN IMMEDIATE")
        self.wait_for(lambda: "the database" in self.recorder.errors(),
                      "what could not be written")
        count = len(self.emulator.state()["media"])
        self.wait_for(lambda: len(self.emulator.state()["media"]) >= count + 2,
                      "two more")
        other.execute("ROLLBACK")
        self.end()
        self.check()

    def test_patience(self):
        """recorder: what does not end in time is left, and the program ends"""
        self.emulator.faults({"op": "CommitUploadUGC", "stall": True})
        self.record(PICTURE, "--patience", "1")
        self.wait_for(lambda: len(self.rows()) >= 2, "two fragments")
        self.end(code=1)
        self.assertEqual({row.state for row in self.rows()}, {"left"})
        self.assertTrue(all(row.ended for row in self.rows()))
        self.assertEqual(len([f for f in self.spooled()
                              if f.endswith(".media")]), len(self.rows()))

    def test_one_at_a_time(self):
        """recorder: a second one for the same database does not begin; nor
        does one with a pipeline that is none"""
        self.record(PICTURE)
        self.wait_for(self.rows, "a row")
        first = self.recorder
        self.record(PICTURE)
        result = self.recorder.finish()
        self.assertEqual(result.code, 1)
        self.assertIn("has a recorder already", result.err)
        self.recorder = first
        self.end()
        for source, *options in (["no such ! thing"],
                                 [PICTURE, "--set", "none=1"],
                                 [PICTURE, "--seconds", "0"],
                                 [PICTURE, "--set", "timeout"]):
            self.record(source, *options)
            result = self.recorder.finish()
            self.assertIn(result.code, (1, 2))
            self.assertNotIn("Traceback", result.err)

    def test_no_vodsink(self):
        """recorder: where vodsink is not installed, it says so"""
        self.record(PICTURE, program=(
            "env", "GST_PLUGIN_PATH=/none", "GST_PLUGIN_SYSTEM_PATH=/none",
            "GST_REGISTRY=" + os.path.join(self.where, "registry"), RECORDER))
        result = self.recorder.finish()
        self.assertEqual(result.code, 2)
        self.assertIn("there is no element vodsink", result.err)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
