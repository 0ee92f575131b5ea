# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the campaigns have in common: cases that are drawn from a seed, run by
several processes, told as TAP and as a line of JSON each, and summed up.

A case is a number; everything about it is drawn from the seed and that number,
so that `--only N` with the same seed repeats it."""

import argparse
import collections
import concurrent.futures
import glob
import hashlib
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "pipelines"))

import harness  # noqa: E402
from harness import MIB  # noqa: E402,F401

# Answers that do what was asked, however they come.
HARMLESS = {"delay", "close-idle", "no-crc", "trickle", "spaces",
            "clock-skew", "wrong-etag"}

# They rewrite what was written a while ago; that must still be held.
REACHING = ["matroskamux", "mp4mux fragment-duration=500 "
            "fragment-mode=first-moov-then-finalise"]


class Untrue(AssertionError):
    """Something that was promised does not hold."""


def expect(truth, *what):
    if not truth:
        raise Untrue(" ".join(str(w) for w in what))


# ---- what the emulator's log tells ----

def end_of(entry):
    return entry["time"] + entry["ms"] / 1000


def hits(entry):
    return set(entry.get("faults", "").split(",")) - {""}


def succeeded(entry):
    """The client got what it asked for."""
    return 200 <= entry["status"] < 300 and "code" not in entry and \
        hits(entry) <= HARMLESS


def is_progress(entry):
    """Whether retry-duration starts again when this succeeds."""
    return entry["op"] in ("ApplyUploadUGC", "InitiateMultipartUpload",
                           "UploadPart", "CompleteMultipartUpload",
                           "HeadObject", "CommitUploadUGC")


# ---- one upload ----

def brief(log):
    """The log of the emulator, for who has to find out."""
    begun = log[0]["time"] if log else 0
    return ["%.3f +%d ms %s %s %d %s %s" % (
        e["time"] - begun, e["ms"], e["op"], e.get("part", ""), e["status"],
        e.get("code", ""), e.get("faults", "")) for e in log]


def stacks(pid):
    """Where the threads of a process are, if there is a debugger."""
    try:
        done = subprocess.run(
            ["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"],
            capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return [str(e)]
    return [line for line in done.stdout.splitlines()
            if line.startswith(("#", "Thread"))]


def memory(rng, mux, slice_size):
    """max-size-bytes: as small as may be, if the muxer allows it."""
    if mux in REACHING:
        return 32 * MIB
    return rng.choice([4, 8, 16]) * slice_size


class Upload:
    """What became of one run of replay: media, or an error."""

    def __init__(self, emulator, folder, settings, pipeline, rate=0,
                 timeout=60, port=None):
        path = os.path.join(folder, "file")
        base = "http://127.0.0.1:%d" % (port or emulator.port)
        state_dir = os.path.join(folder, "state")
        self.begun = time.time()
        program = harness.Program(
            [harness.REPLAY, "--file", path, "--rate=%d" % rate, "--may-fail",
             "--sink", "vodsink endpoint=%s signature-url=%s/signature "
             "state-dir=%s %s" % (base, base, state_dir, settings),
             pipeline])
        try:
            program.wait_for(lambda: not program.running(), timeout)
        except AssertionError:
            if program.running():
                raise self.hangs(program, emulator) from None
        result = program.finish()
        self.ended = time.time()
        expect(result.code == 0, result.tail())
        self.stats = dict(line.partition(" ")[::2]
                          for line in result.out.splitlines())
        self.retries = [harness.Message("vodsink-retry", line)
                        for line in re.findall(r"^retry (.*)", result.out,
                                               re.M)]
        self.error = None
        if "details" in self.stats:
            self.error = harness.Message("error", self.stats["details"])
        # What is remembered to be deleted by the next upload.
        self.remembered = len(glob.glob(
            os.path.join(state_dir, "*.discard*")))
        with open(path, "rb") as f:
            self.bytes = f.read()
        self.state = harness.settled(emulator)
        self.log = self.state["log"]

    @staticmethod
    def hangs(program, emulator):
        """What is known about a program that does not end, which is killed."""
        error = Untrue("it hangs")
        error.facts = {"log": brief(emulator.state()["log"]),
                       "output": program.output()[-3000:],
                       "stacks": stacks(program.pid)}
        program.kill()
        return error

    def check_media(self):
        """Committed and told so: that file, once. Else at most that file:
        the answer to a Commit may have been lost."""
        media = self.state["media"]
        told = "url" in self.stats
        expect(told == (self.error is None),
               "either media or an error:", self.stats)
        expect(len(media) <= 1, len(media), "media of one upload")
        if told:
            expect(len(media) == 1, "told to be committed, but is not")
        elif media:
            # For want of an answer, or of a signature to ask again with.
            expect(self.error["phase"] in ("commit", "signature"),
                   "committed, but failed in", self.error["phase"])
        for each in media:
            expect(each["size"] == len(self.bytes), "a truncated media:",
                   each["size"], "bytes of", len(self.bytes))
            expect(each["md5"] == hashlib.md5(self.bytes).hexdigest(),
                   "the media differs from the file")
        return "committed" if told else "failed"

    def check_bytes(self, emulator):
        """What video-url gives; for those that were committed."""
        url = self.stats["url"].split("/", 3)[3]
        got = harness.Client(emulator).request("GET", "/" + url).body
        expect(got == self.bytes, "what video-url gives is not the file")


# ---- campaigns ----

def arguments(doc, cases, long_cases):
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", help="the folder of meson")
    parser.add_argument("--long", action="store_true",
                        help="%d cases instead of %d" % (long_cases, cases))
    parser.add_argument("--cases", type=int, help="so many cases")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--jobs", type=int, default=2 * os.cpu_count(),
                        help="so many at a time")
    parser.add_argument("--only", type=int, help="this case only")
    parser.add_argument("--results", metavar="FILE",
                        help="a line of JSON for each case is appended")
    options = parser.parse_args()
    if options.cases is None:
        options.cases = long_cases if options.long else cases
    return options


def run_one(function, seed, number):
    """In a process of the pool."""
    result = {"case": number, "seed": seed}
    begun = time.monotonic()
    folder = harness.folder()
    try:
        result.update(function(random.Random("%d/%d" % (seed, number)),
                               number, folder))
        result["ok"] = True
    except Exception as e:
        result["ok"] = False
        result["why"] = "%s: %s" % (type(e).__name__, e)
        if not isinstance(e, Untrue):
            result["where"] = "".join(
                traceback.format_exception(e, limit=-3)).splitlines()
        result.update(getattr(e, "facts", {}))
    finally:
        harness.remove(folder)
    result["seconds"] = round(time.monotonic() - begun, 2)
    return result


def printable(text):
    return "".join(c if c.isprintable() else "?" for c in str(text))


def tell(result, number, sink):
    name = "case %d: %s" % (result["case"], result.get("what", ""))
    print("%s %d - %s" % ("ok" if result["ok"] else "not ok",
                          number, printable(name)), flush=True)
    if not result["ok"]:
        for line in [result["why"], *result.get("where", [])]:
            for part in line.splitlines():
                print("# " + printable(part), file=sys.stderr, flush=True)
    if sink:
        sink.write(json.dumps(result, sort_keys=True) + "\n")
        sink.flush()


def campaign(name, function, options, summarize):
    """Runs function(random, number, folder) for each case, and exits.
    @summarize: gets the results, returns lines."""
    harness.configure(options.build)
    harness.content()
    numbers = range(options.cases) if options.only is None else \
        [options.only]
    print("TAP version 13\n# %s: seed %d, %d cases, %d at a time" % (
        name, options.seed, len(numbers), options.jobs), flush=True)
    results = []
    begun = time.monotonic()
    sink = open(options.results, "a") if options.results else None
    with concurrent.futures.ProcessPoolExecutor(
            options.jobs, multiprocessing.get_context("fork"),
            harness.become_subreaper) as pool:
        for future in concurrent.futures.as_completed(
                [pool.submit(run_one, function, options.seed, number)
                 for number in numbers]):
            results.append(future.result())
            tell(results[-1], len(results), sink)
    bad = [r["case"] for r in results if not r["ok"]]
    for line in summarize(results):
        print("# " + line)
    print("# %s: %d of %d cases as promised, %.0f s" % (
        name, len(results) - len(bad), len(results),
        time.monotonic() - begun))
    if bad:
        print("# not so: " + " ".join(
            "--seed %d --only %d" % (options.seed, n) for n in sorted(bad)))
    print("1..%d" % len(results), flush=True)
    if sink:
        sink.close()
    sys.exit(1 if bad else 0)


def counted(results, key):
    """"3 this, 2 that" of what the results say under a key."""
    count = collections.Counter()
    for result in results:
        value = result.get(key)
        if isinstance(value, dict):
            count.update(value)
        elif value is not None:
            count[value] += 1
    return ", ".join("%d %s" % (n, what) for what, n in count.most_common())
