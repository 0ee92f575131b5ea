#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network is away while a recording is cut into fragments by splitmuxsink:
it goes on, what waits is bounded, and all fragments arrive in the end, by
themselves or by vod-resume. `splitmux_outages.py BUILD [WORD...]`; speaks TAP.

VOD_TEST_OUTAGE: the length of the long outage in seconds, instead of 30."""

import os
import re
import signal
import sys
import time

import harness
from splitmux import RATE, Case, names, video

OUTAGE = float(os.environ.get("VOD_TEST_OUTAGE", "30"))


@harness.beside
class TestSplitmuxOutages(Case):
    def sample(self):
        """How much the program uses now."""
        threads = "/proc/%d/task" % self.program.pid
        workers = 0
        for thread in os.listdir(threads):
            try:
                with open("%s/%s/comm" % (threads, thread)) as f:
                    workers += f.read() == "vod-upload\n"
            except OSError:
                pass
        with open("/proc/%d/statm" % self.program.pid) as f:
            resident = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        waiting = len(self.said("opened")) - len(self.said("closing"))
        return {"waiting": waiting, "workers": workers, "memory": resident,
                "files": len(os.listdir("/proc/%d/fd" % self.program.pid))}

    def watch(self, seconds):
        samples = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            samples.append(self.sample())
            time.sleep(0.25)
        return samples

    def break_down(self, *settings, fragments, prefix=()):
        """Records; the service is killed when it has two of the fragments."""
        self.record(self.split("spool=true", "fatal-errors=false", *settings),
                    video(fragments, live=True), options=["--nosy"],
                    prefix=prefix)
        self.program.wait_for(
            lambda: len(self.said("closing")) == 2, what="two fragments")
        before = self.sample()
        self.emulator.stop("kill")
        return before

    def test_outage_that_is_waited_for(self):
        """an outage with retry-duration=-1: the recording goes on, what waits
        is bounded, all fragments arrive"""
        count = int(OUTAGE) + 6
        before = self.break_down("retry-duration=-1", fragments=count)
        samples = self.watch(OUTAGE)
        self.restart()
        result = self.end(timeout=90)
        self.check_in_time(result, count * RATE)
        self.assertEqual(harness.lines(result.out, "problem"), [])
        self.check_frames(self.media(names(count)), count * RATE)

        most = max(s["waiting"] for s in samples)
        self.assertGreater(most, OUTAGE - 3)
        for s in samples:
            # One for each that waits, and one more that syncs the spool and
            # ends 10 s later.
            self.assertLessEqual(s["workers"], s["waiting"] + min(
                s["waiting"], 13) + 8)
            self.assertLessEqual(s["memory"] - before["memory"],
                                 16 * harness.MIB + s["waiting"] * harness.MIB)
            # Its folder, session and spool, and its worker's.
            self.assertLessEqual(s["files"] - before["files"],
                                 4 * s["waiting"] + 13 + 16)
        # The pauses double to 15 s, at least half of which passes: 8 tries in
        # the first 8 s, one in 7.5 s then.
        tries = len(harness.lines(result.out, "message", "vodsink-retry"))
        self.assertLessEqual(tries, sum(
            9 + (OUTAGE - i) / 7.5 for i in range(most)))
        self.assertGreater(tries, 2 * most)
        last = samples[-1]
        print("# %d fragments waited: %d workers, %d files, %.1f MiB more; "
              "%d tries" % (most, last["workers"], last["files"], (
                  last["memory"] - before["memory"]) / harness.MIB, tries),
              file=sys.stderr)

    def lost(self, result):
        """Name -> spool of those that have failed, all of which wait for
        vod-resume."""
        errors = harness.lines(result.out, "message", "vodsink-error")
        self.assertTrue(all(e["resumable"] for e in errors))
        self.assertEqual({p.name for p in harness.lines(
            result.out, "problem")}, {"warning"})
        self.assertEqual([f for f in self.left() if f.endswith(".media")],
                         sorted(os.path.basename(e["spool-location"])
                                for e in errors))
        spools = {}
        for error in errors:
            with open(error["spool-location"], "rb") as f:
                spools[error["location"][:5]] = f.read()
        return spools

    def resume(self, *options, code=0):
        result = harness.run([
            harness.RESUME, "--state-dir", self.state_dir, "--signature-url",
            self.base + "/signature", *options])
        self.assertEqual(result.code, code, result.tail())

    def check_resumed(self, spools, count):
        """vod-resume sends the @spools; then there are all fragments."""
        self.assertEqual(len(self.emulator.state()["media"]),
                         count - len(spools))
        self.resume()
        media = self.media(names(count))
        self.assertEqual({n: media[n] for n in spools}, spools)
        self.check_frames(media, count * RATE)

    def test_outage_and_vod_resume(self):
        """an outage longer than retry-duration: fragments wait on the disk
        for vod-resume"""
        count = 9
        self.break_down("retry-duration=2", fragments=count)
        result = self.end()
        self.check_in_time(result, count * RATE)
        spools = self.lost(result)
        self.assertGreaterEqual(len(spools), count - 3)
        self.restart()
        self.check_resumed(spools, count)

    def ended(self):
        """How many of the recordings that are kept here have their end."""
        count = 0
        for name in self.left():
            if name.endswith(".session"):
                with open(os.path.join(self.state_dir, name)) as f:
                    count += bool(re.search("^eos ", f.read(), re.M))
        return count

    def spools(self, size):
        """How many there are that are at least so large."""
        return sum(os.path.getsize(os.path.join(self.state_dir, name)) >= size
                   for name in self.left() if name.endswith(".media"))

    def test_killed_in_an_outage(self):
        """killed while fragments wait: vod-resume sends them all, and the one
        that was being recorded as far as it goes"""
        self.break_down("retry-duration=-1", fragments=60)
        self.program.wait_for(
            lambda: 6 <= self.ended() == self.spools(10 ** 5) - 1,
            timeout=60, what="six that have ended and half of another")
        self.program.signal(signal.SIGKILL)
        self.end(code=-signal.SIGKILL)
        whole = 2 + self.ended()
        self.restart()
        # A plain mp4 does not play without its end.
        self.resume(code=3)
        media = self.media()
        self.assertEqual(sorted(media), names(whole))
        self.check_frames(media, whole * RATE)
        self.resume("--incomplete")
        self.media(names(whole + 1))

    def test_outage_without_enough_files(self):
        """an outage in which the process has all files open that it may: what
        cannot wait is left for vod-resume"""
        count = 26
        self.break_down("retry-duration=-1", fragments=count,
                        prefix=["prlimit", "--nofile=128"])
        self.program.wait_for(
            lambda: len(self.said("opened")) == count - 2, timeout=60,
            what="many fragments")
        self.restart()
        result = self.end(timeout=90)
        self.check_in_time(result, count * RATE)
        spools = self.lost(result)
        self.assertGreaterEqual(len(spools), 3)
        for error in harness.lines(result.out, "message", "vodsink-error"):
            self.assertEqual(error["code"], -4)
            self.assertIn("ulimit -n", error["message"])
        waited = count - 2 - len(spools)
        self.assertGreaterEqual(waited, 8)
        self.check_resumed(spools, count)


if __name__ == "__main__":
    # The end of the scenarios, whatever happens to us.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
