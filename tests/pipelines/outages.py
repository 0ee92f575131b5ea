#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line goes away in the middle of a live recording and comes back: nothing
is missing. The service is killed and started again, or the link between two
network namespaces goes down; memory holds the outage, or does not and upstream
waits, or the spool holds it.

`outages.py BUILD [WORD...]`; speaks TAP. VOD_TEST_OUTAGE: the length of an
outage in seconds, instead of 5 (and a little more where memory has to fill)."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time
import unittest

import harness
from harness import MIB, Aside, Client, Emulator

CLONE_NEWNET = 0x40000000
OUTAGE = float(os.environ.get("VOD_TEST_OUTAGE", "5"))
# Below 4 MiB of memory a stream of 1.5 MB/s fills it in 3 s, and after 5 s of
# being held back there is a warning.
UNTIL_WARNED = 9

MEMORY = "slice-size=1048576 parallel-uploads=3"
# For the outage, and for the pause between two tries that may follow it.
ENOUGH = max(64, int(1.6 * (OUTAGE + 15)) + 16) * MIB
LITTLE_MEMORY = MEMORY + " max-size-bytes=4194304"
FRAMES = 270  # in one short.mkv


# ---- the line ----

class ServiceGone:
    """The service itself dies, and comes back knowing what it knew."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "root")
        self.emulator = Emulator("--root", self.root)
        self.base = "http://127.0.0.1:%d" % self.emulator.port
        self.prefix = []

    def down(self):
        self.emulator.stop("kill")

    def up(self):
        self.emulator = Emulator("--root", self.root, "--port",
                                 str(self.emulator.port))

    def close(self):
        self.emulator.__exit__(None, None, None)


class LinkGone:
    """The client lives in one network namespace, the service in another; the
    link between them goes down. Nobody is told: packets vanish."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
        self.prefix = ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid]
        here = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == here:
            time.sleep(0.01)
        self.ip("link", "set", "lo", "up")
        self.ip("link", "add", "service", "type", "veth", "peer", "name",
                "client", "netns", str(self.holder.pid))
        self.ip("addr", "add", "192.0.2.1/24", "dev", "service")
        self.ip("link", "set", "service", "up")
        self.ip("addr", "add", "192.0.2.2/24", "dev", "client",
                prefix=self.prefix)
        for name in ("lo", "client"):
            self.ip("link", "set", name, "up", prefix=self.prefix)
        self.emulator = Emulator()
        self.wire = harness.Wire(self.emulator.port, "192.0.2.1")
        self.base = self.wire.url

    @staticmethod
    def ip(*words, prefix=()):
        subprocess.run([*prefix, "ip", *words], check=True)

    def down(self):
        self.ip("link", "set", "service", "down")

    def up(self):
        self.ip("link", "set", "service", "up")

    def close(self):
        self.wire.__exit__()
        self.emulator.__exit__(None, None, None)
        self.holder.kill()
        self.holder.wait()


def cannot_link():
    """Why there are no network namespaces here, or None."""
    try:
        done = subprocess.run(
            ["unshare", "-n", "ip", "link", "add", "one", "type", "veth",
             "peer", "name", "two"], capture_output=True, text=True,
            check=False)
    except OSError as e:
        return str(e)
    return None if done.returncode == 0 else done.stderr.strip()


# ---- a live recording ----

def live(pieces):
    """H.264 at 1.5 MB/s, as it would come from a camera: 9 s for a piece.

    The pieces are linked to `join` here and now: a demuxer that has to ask it for
    a pad when its stream is found may be given the one that another demuxer has
    just asked for, and then a piece is missing, or the end never comes."""
    path = os.path.join(harness.content(), "short.mkv")
    sources = " ".join(
        "filesrc location=%s ! matroskademux name=piece%d piece%d.video_0 ! "
        "h264parse ! join." % (path, i, i) for i in range(pieces))
    return "concat name=join ! h264parse ! clocksync ! mp4mux ! tee name=t %s" % sources


def numbers(program, key):
    """What its stats said about this, in time."""
    return [m.get(key) for m in harness.lines(program.output(), "stats")]


def record(line_class, settings, begin, seconds, state_dir=None):
    """A recording with an outage; returns what is to be known about it."""
    folder = harness.folder()
    line = line_class(folder)
    path = os.path.join(folder, "file.mp4")
    pieces = 1 + int((begin + seconds) // 9)
    program = harness.Program(
        [*line.prefix, harness.APP, "--stats=50",
         "%s t. ! queue ! filesink async=false location=%s t. ! queue ! "
         "vodsink name=vod media-type=mp4 endpoint=%s signature-url="
         "%s/signature timeout=2 %s" % (
             live(pieces), path, line.base, line.base, settings)],
        env={"XDG_STATE_HOME": state_dir or folder})
    try:
        return watch(line, program, path, begin, seconds, pieces)
    finally:
        program.kill()
        line.close()
        harness.remove(folder)


def watch(line, program, path, begin, seconds, pieces):
    begun = time.monotonic()
    program.wait_for(
        lambda: time.monotonic() > begun + begin and
        max(numbers(program, "parts-uploaded"), default=0) >= 1,
        what="the first part")
    line.down()
    # All that is known of it is that nothing gets through any more.
    program.wait_for(lambda: harness.lines(
        program.output(), "message", "vodsink-retry"), what="a retry")
    down = time.monotonic()
    program.wait_for(lambda: time.monotonic() > down + seconds,
                     timeout=seconds + 10, what="the outage's end")
    during = len(harness.lines(program.output(), "stats"))
    line.up()
    program.before.add(line.emulator.process.pid)
    # A pause between two tries is 15 s at most.
    result = program.finish(9 * pieces + seconds + 60)
    stats = harness.lines(result.out, "stats")
    with open(path, "rb") as f:
        expected = hashlib.md5(f.read()).hexdigest()
    state = line.emulator.state()
    url = "/" + harness.lines(result.out, "message", "vodsink-finish")[0][
        "video-url"].split("/", 3)[3] if result.code == 0 else None
    decoded = harness.run([harness.REPLAY, "--decode", path]) if url else None
    return {
        "code": result.code, "tail": result.tail()[-3000:],
        "expected": expected, "size": os.path.getsize(path),
        "media": state["media"], "uploads": state["uploads"],
        "fetched": url and hashlib.md5(
            Client(line.emulator).request("GET", url).body).hexdigest(),
        "decoded": decoded and decoded.out, "pieces": pieces,
        "retries": len(harness.lines(result.out, "message", "vodsink-retry")),
        "warnings": [m.fields for m in harness.lines(
            result.out, "message", "vodsink-warning")],
        "states": [s["state"] for s in stats],
        "during": [s["state"] for s in stats[:during]][-20:],
        "uploaded": (stats[during - 1]["bytes-uploaded"],
                     stats[-1]["bytes-uploaded"]),
        "buffered": max(s["bytes-buffered"] for s in stats),
        "blocked": stats[-1]["blocked-time"],
        "seconds": result.seconds,
    }


SCENARIOS = {
    "memory": (MEMORY + " max-size-bytes=%d" % ENOUGH, 2, OUTAGE),
    "little memory": (LITTLE_MEMORY, 1, max(OUTAGE, UNTIL_WARNED)),
    "a spool": (LITTLE_MEMORY + " spool=true", 1, max(OUTAGE, UNTIL_WARNED)),
}
LINES = {"service": ServiceGone, "link": LinkGone}


class TestOutages(unittest.TestCase):
    """All at the same time: they mostly wait."""

    @classmethod
    def setUpClass(cls):
        harness.content()
        cls.no_link = cannot_link()
        cls.has_spool = harness.has_property("spool")
        cls.running = {}
        words = [a for a in sys.argv[1:] if not a.startswith("-")]
        for way, line in LINES.items():
            for name, (settings, begin, seconds) in SCENARIOS.items():
                if cls.missing(way, name) or words and not any(
                        w in cls.method(way, name) for w in words):
                    continue
                cls.running[way, name] = Aside(
                    record, line, settings, begin, seconds)

    @staticmethod
    def method(way, name):
        return "test_%s_%s" % (way, name.replace(" ", "_"))

    @classmethod
    def missing(cls, way, name):
        if way == "link" and cls.no_link:
            return "no network namespaces here: " + cls.no_link
        if name == "a spool" and not cls.has_spool:
            return "vodsink has no property spool"
        return None

    def check(self, way, name):
        why = self.missing(way, name)
        if why:
            self.skipTest(why)
        facts = self.running[way, name].result()
        self.assertEqual(facts["code"], 0, facts["tail"])
        # The same bytes, once, and nothing beside them.
        self.assertEqual(len(facts["media"]), 1)
        self.assertEqual(facts["media"][0]["md5"], facts["expected"])
        self.assertEqual(facts["media"][0]["size"], facts["size"])
        self.assertEqual(facts["fetched"], facts["expected"])
        self.assertEqual(facts["uploads"], [])
        self.assertGreaterEqual(facts["size"], facts["pieces"] * 12 * MIB)
        frames = dict(line.split(" ", 1)
                      for line in facts["decoded"].splitlines())
        self.assertGreaterEqual(int(frames["video/x-raw"]),
                                FRAMES * facts["pieces"] - 10)
        # It was seen, and it was an outage.
        self.assertGreaterEqual(facts["retries"], 2)
        self.assertIn("retrying", facts["during"])
        self.assertNotIn("failed", facts["states"])
        self.assertEqual(facts["states"][-1], "done")
        self.assertLess(facts["uploaded"][0], facts["size"] / 2)
        self.assertEqual(facts["uploaded"][1], facts["size"])
        getattr(self, "check_" + name.replace(" ", "_"))(facts)

    def check_memory(self, facts):
        self.assertEqual(facts["warnings"], [])
        self.assertLessEqual(facts["buffered"], ENOUGH)

    def check_little_memory(self, facts):
        self.assertEqual([w["phase"] for w in facts["warnings"]],
                         ["blocked"], facts["warnings"])
        self.assertGreater(facts["blocked"], 4 * 10 ** 9)
        self.assertLessEqual(facts["buffered"], 4 * MIB)

    def check_a_spool(self, facts):
        """Upstream never noticed."""
        self.assertEqual(facts["warnings"], [])
        self.assertLess(facts["blocked"], 10 ** 9)


def add(way, name, doc):
    def method(self):
        self.check(way, name)
    method.__doc__ = doc
    setattr(TestOutages, TestOutages.method(way, name), method)


for each, told in (("service", "the service is killed and comes back"),
                   ("link", "the link goes down and comes back")):
    add(each, "memory", told + ": memory holds the recording")
    add(each, "little memory", told + ": upstream waits")
    add(each, "a spool", told + ": the spool holds the recording")


if __name__ == "__main__":
    # The end of the scenarios, whatever happens to us.
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
