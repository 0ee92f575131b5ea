#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 at any moment. A file that was being uploaded goes on when the same
command is run again; a recording with a spool is finished by vod-resume, to the
last byte that had arrived; a muxer's output under a resume-key goes on when it
is made again. Always: one media, the right bytes, and what was up and has not
changed is not sent again."""

import glob
import hashlib
import os
import re
import shutil
import signal
import time

import soak
from soak import MIB, expect, harness
from harness import Emulator

PARALLEL = 3
KINDS = ["a file", "a recording with a spool", "a muxer with a key",
         "a recording begun again"]


def vod_resume():
    return os.path.join(harness.BUILD, "gst", "tools", "vod-resume")


class Case:
    def __init__(self, rng, folder, emulator):
        self.rng, self.folder, self.emulator = rng, folder, emulator
        self.base = "http://127.0.0.1:%d" % emulator.port
        self.state_dir = os.path.join(folder, "state")
        self.kills, self.resent, self.kept = 0, 0, 0
        self.parallel = rng.choice([1, PARALLEL])

    def sink(self, *settings):
        return ["vodsink", "endpoint=" + self.base,
                "signature-url=%s/signature" % self.base,
                "state-dir=" + self.state_dir, "slice-size=%d" % MIB,
                "max-size-bytes=%d" % (self.memory * MIB),
                "parallel-uploads=%d" % self.parallel, *settings]

    memory = 8

    # -- killing --

    def kill(self, command, longest):
        """Kills it at any moment; True if it had nothing left to do."""
        program = harness.Program(command)
        at = time.monotonic() + self.rng.uniform(0, longest)
        while time.monotonic() < at and program.running():
            time.sleep(0.002)
        ended = not program.running()
        if not ended:
            program.signal(signal.SIGKILL)
            self.kills += 1
        result = program.finish()
        expect(not ended or result.code == 0, result.tail())
        self.state = harness.settled(self.emulator)
        # All was done, but the process had not ended yet.
        done = self.state["media"] and not glob.glob(
            os.path.join(self.state_dir, "*.session"))
        return ended or bool(done)

    def stored(self):
        """Parts that the service has of what is unfinished."""
        return sum(len(u["parts"]) for u in self.state["uploads"])

    def puts(self, state):
        return sum(state["requests"].get("UploadPart", {}).values())

    # -- the end --

    def again(self, command):
        """Runs it to its end, and counts what it sends."""
        before = self.puts(self.state)
        self.kept = self.stored()
        result = harness.run(command, timeout=120)
        expect(result.code == 0, result.tail())
        self.sent = self.puts(self.emulator.state()) - before

    def check_kept(self, media, more):
        """What was up is not sent again, but what was on its way when it was
        killed, perhaps, and @more."""
        expect(self.sent <= media["parts"] - self.kept + self.parallel + more,
               self.sent, "parts sent, although", self.kept, "of",
               media["parts"], "were up")

    def check(self, content, again=None):
        """One media with these bytes, and nothing else. @again: so many parts
        may have been sent once more."""
        state = harness.settled(self.emulator)
        expect(len(state["media"]) == 1, len(state["media"]), "media")
        media = state["media"][0]
        expect(media["size"] == len(content) and
               media["md5"] == hashlib.md5(content).hexdigest(),
               "the media is", media["size"], "bytes, not the same as the",
               len(content), "there should be")
        expect(state["uploads"] == [] or self.lost_initiate(state),
               "an upload is left open")
        self.resent = sum(media["sent"].values()) - media["parts"]
        if again is not None:
            expect(self.resent <= again, self.resent,
                   "parts were sent again, of", media["parts"])
        left = glob.glob(os.path.join(self.state_dir, "*.session")) + \
            glob.glob(os.path.join(self.state_dir, "*.media"))
        expect(left == [], "left behind:", left)
        return media

    @staticmethod
    def lost_initiate(state):
        """An upload that the client was killed too early to know."""
        return all(not upload["parts"] for upload in state["uploads"])


# ---- what is killed ----

def a_file(case):
    path = os.path.join(case.folder, "big.mp4")
    content = case.rng.randbytes(case.rng.randint(20, 40) * MIB + 4711)
    with open(path, "wb") as f:
        f.write(content)
    command = harness.launch(["filesrc", "location=" + path, "!",
                              *case.sink()])
    ended = False
    for _ in range(case.rng.choice([1, 1, 2, 4])):
        ended = ended or case.kill(command, 1.6)
    if not ended:
        case.again(command)
    # Those on their way when it was killed are perhaps not known to be up.
    media = case.check(content, case.kills * case.parallel)
    if not ended:
        case.check_kept(media, 0)


def live(path, mux):
    return ("filesrc location=%s/short.mkv ! matroskademux ! h264parse ! "
            "clocksync sync-to-first=true ts-offset=-%d ! %s" % (
                harness.content(), 7 * 10 ** 9, mux)).split()


def a_recording(case):
    mux = case.rng.choice(["mp4mux", "mpegtsmux", "matroskamux", "flvmux",
                           "mp4mux fragment-duration=500"])
    command = harness.launch(live(case.folder, mux) + [
        "!", *case.sink("spool=true")])
    # Sometimes the line is gone, so that all of it is in the spool.
    if case.rng.random() < 0.3:
        case.emulator.faults({"op": case.rng.choice(
            ["*", "UploadPart", "CompleteMultipartUpload",
             "CommitUploadUGC"]), "drop": True,
            "skip": case.rng.randint(0, 6)})
    ended = case.kill(command, 3.5)
    case.emulator.clear_faults()
    spools = glob.glob(os.path.join(case.state_dir, "*.media"))
    expect(len(spools) <= 1, spools)
    if not spools:
        # Killed before the first byte, or after the last answer.
        media = case.state["media"]
        expect(ended and len(media) == 1 or not ended and len(media) <= 1 and
               case.stored() == 0, "neither a spool nor the media")
        return "nothing to finish"
    with open(spools[0], "rb") as f:
        content = f.read()
    committed = case.state["media"]
    finish(case, "--incomplete")
    if not content:
        return "an empty spool"
    case.kept = case.stored()
    media = case.check(content, None)
    expect(not committed or media["fileId"] == committed[0]["fileId"],
           "committed twice")
    return "finished by vod-resume"


def finish(case, *options):
    result = harness.run(
        [vod_resume(), "--state-dir", case.state_dir, "--signature-url",
         case.base + "/signature", *options], timeout=120,
        env={"GST_PLUGIN_PATH": os.environ["GST_PLUGIN_PATH"]})
    expect(result.code == 0, result.tail())


def with_copy(case, path, mux, *settings):
    """A muxer's output into a file too. The first branch of a tee is asked
    whether it can seek."""
    return ["gst-launch-1.0", "-m", *(
        "filesrc location=%s/short.mkv ! matroskademux ! h264parse ! %s ! "
        "tee name=t t. ! queue !" % (harness.content(), mux)).split(),
        *case.sink(*settings), *(
            "t. ! queue ! filesink async=false location=" + path).split()]


def a_recording_again(case):
    """The spool of the first is set aside for the second, and named: not a byte
    of it changes."""
    path = os.path.join(case.folder, "file")
    command = with_copy(case, path, "matroskamux", "spool=true",
                        "resume-key=camera 1")
    ended = case.kill(command, 0.8)
    found = glob.glob(os.path.join(case.state_dir, "*.media"))
    before = b""
    if found:
        with open(found[0], "rb") as f:
            before = f.read()
    if ended:
        return "ended before"
    result = harness.run(command, timeout=120)
    expect(result.code == 0, result.tail())
    with open(path, "rb") as f:
        content = f.read()
    media = harness.settled(case.emulator)["media"]
    expect(len(media) in (1, 2) and media[-1]["md5"] ==
           hashlib.md5(content).hexdigest(), "the second is not as its file")
    named = [m["spool-location"] for m in harness.messages(
        result.out, "vodsink-recovered")]
    left = glob.glob(os.path.join(case.state_dir, "*.media"))
    expect(named == left, "left:", left, "named:", named)
    if not before:
        expect(left == [], "an empty spool was set aside")
        return "nothing to set aside"
    if not left:
        # As far as it went it was the same recording.
        expect(content.startswith(before), "a spool is gone")
        return "the same so far"
    with open(left[0], "rb") as f:
        expect(f.read() == before, "the spool that was set aside has changed")
    return "set aside"


def a_muxer(case):
    """avimux makes the same bytes each time, matroskamux does not: clusters
    are the same, but head and identifiers are not."""
    mux = case.rng.choice(["avimux", "matroskamux", "mpegtsmux"])
    path = os.path.join(case.folder, "file")
    case.memory = 32
    command = with_copy(case, path, mux, "resume-key=the lecture")
    ended = False
    for _ in range(case.rng.choice([1, 2])):
        ended = ended or case.kill(command, 0.8)
    if not ended:
        case.again(command)
    with open(path, "rb") as f:
        content = f.read()
    media = case.check(content)
    if not ended:
        # The head goes early, and again when the muxer has rewritten it; a
        # cluster's beginning too, whose size is filled in at its end.
        case.check_kept(media, 6 if mux == "matroskamux" else 2)
    return mux


RUNS = {"a file": a_file, "a recording with a spool": a_recording,
        "a muxer with a key": a_muxer,
        "a recording begun again": a_recording_again}


def run(rng, number, folder):
    kind = KINDS[number % len(KINDS)]
    facts = {"kind": kind, "what": kind}
    with Emulator("--rate", str(30 * MIB), "--root",
                  os.path.join(folder, "root")) as emulator:
        case = Case(rng, folder, emulator)
        try:
            facts["detail"] = RUNS[kind](case)
        except soak.Untrue as e:
            state = harness.settled(emulator)
            e.facts = dict(facts, log=soak.brief(state["log"]), kills=case.kills,
                           files=os.listdir(case.state_dir) if
                           os.path.isdir(case.state_dir) else [])
            raise
    facts.update(kills=case.kills, kept=case.kept, resent=case.resent)
    facts["what"] += ", killed %d times: %d parts kept, %d sent again" % (
        case.kills, case.kept, case.resent)
    return facts


def summarize(results):
    good = [r for r in results if r["ok"]]
    for kind in KINDS:
        mine = [r for r in good if r["kind"] == kind]
        yield "%s: %d cases, killed %d times, %d parts kept, %d sent again" % (
            kind, len(mine), sum(r["kills"] for r in mine),
            sum(r["kept"] for r in mine), sum(r["resent"] for r in mine))
    yield "how it went on: " + soak.counted(good, "detail")


if __name__ == "__main__":
    options = soak.arguments(__doc__, 12, 300)
    soak.campaign("kill", run, options, summarize)
