#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers that are lost: the service has done what was asked, or has not, and
the client cannot know; or the client is stopped just then. In the end there is
exactly one media, and no upload is left open at the service.
`lost.py BUILD [WORD...]`; speaks TAP."""

import signal
import sys

import harness
from faults import FaultCase
from harness import MIB

SETTINGS = "slice-size=%d max-size-bytes=%d" % (MIB, 16 * MIB)
SIZE = 14118759     # of what mp4mux makes of short.mkv
LAST = -(-SIZE // MIB)

PACED = 15 * MIB    # the head is sent before it is rewritten

# What is hit: name: (operation, more of the fault).
STEPS = {
    "Apply": ("ApplyUploadUGC", {}),
    "Initiate": ("InitiateMultipartUpload", {}),
    "the first part": ("UploadPart", {"part": 1}),
    "a part in between": ("UploadPart", {"part": 7}),
    "the last part": ("UploadPart", {"part": LAST}),
    "the rewritten head": ("UploadPart", {"part": 1, "skip": 1}),
    "Complete": ("CompleteMultipartUpload", {}),
    "Commit": ("CommitUploadUGC", {}),
}
FAULTS = {
    "the answer is lost": {"lose-answer": True},
    "the answer is lost three times": {"lose-answer": True, "times": 3},
    "half of the answer is lost": {"truncate": True},
    "the request is lost": {"drop": True},
    "no answer comes": {"stall": True},
}
SLOW = ("the answer is lost three times", "no answer comes")


class LostCase(FaultCase):
    def setUp(self):
        super().setUp()
        self.before = self.open()

    def open(self):
        """The uploads that are left open at the service."""
        return {upload["uploadId"]
                for upload in self.emulator.state()["uploads"]}

    def check_nothing_open(self):
        self.assertEqual(len(self.open() - self.before), 0,
                         "uploads are left open")


class TestLost(LostCase):
    def check(self, step, fault):
        operation, which = STEPS[step]
        self.emulator.faults({"op": operation, "times": 1, **which, **fault})
        # A busy machine may answer late: that is no fault of the others.
        timeout = 2 if "stall" in fault else 10
        self.replay("%s timeout=%d" % (SETTINGS, timeout), rate=PACED if step in
                    ("the first part", "the rewritten head") else 0)
        self.assertEqual(self.hits(), fault.get("times", 1))
        self.check_nothing_open()
        media = self.emulator.state()["media"][-1]
        self.assertEqual(media["parts"], LAST)
        # An upload that was begun is looked for before another one is.
        self.assertGreater(
            self.count(operation) + (
                self.count("ListMultipartUploads")
                if step == "Initiate" else 0),
            media["parts"] if operation == "UploadPart" else 1)
        # Nothing else was sent twice.
        again = {int(part) for part, times in media["sent"].items()
                 if times > 1}
        self.assertLessEqual(again, {1, which.get("part", 1)})


class TestStopped(LostCase):
    """The service does it, and while its answer is on its way the application
    sets NULL: what could not be known is cleaned up too."""

    def check(self, step):
        operation, which = STEPS[step]
        self.emulator.faults({"op": operation, "delay": 1500, "times": 1,
                              **which})
        program = self.start()
        program.wait_for(self.hits, what="the request")
        program.signal(signal.SIGINT)
        result = program.finish(20)
        self.assertNotIn("Got EOS", result.out)
        state = self.emulator.state()
        self.check_nothing_open()
        self.assertEqual(len(state["media"]) - self.media,
                         1 if step == "Commit" else 0)
        if step != "Commit":
            self.check_again()

    def start(self):
        settings = SETTINGS.split()
        if harness.has_property("resume"):
            settings.append("resume=false")
        return harness.Program(harness.launch(
            ["filesrc", "location=%s/short.mkv" % harness.content(), "!",
             *harness.sink(self.emulator, *settings)], eos=False))

    def check_again(self):
        self.emulator.clear_faults()
        result = self.start().finish(30)
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(len(self.emulator.state()["media"]), self.media + 1)
        self.check_nothing_open()


def add(step, name):
    def method(self):
        self.check(step, FAULTS[name])
    method.__doc__ = "%s: %s" % (step, name)
    setattr(TestLost, "test_%s_%s" % (step, name), method)


def add_stopped(step):
    def method(self):
        self.check(step)
    method.__doc__ = "%s: stopped before its answer is there" % step
    setattr(TestStopped, "test_" + step, method)


for each in STEPS:
    for what in FAULTS:
        # What takes long is done where it is most likely to matter.
        if what not in SLOW or each in ("Apply", "Complete", "Commit"):
            add(each, what)
    if each != "the rewritten head":
        add_stopped(each)


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
