#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where an upload goes: the region that was asked for, or the nearest; a host
that the service names for the media. With gst-launch-1.0, as users do it.

`places.py BUILD [WORD...]`; speaks TAP."""

import hashlib
import os
import re
import signal
import sys
import unittest

import harness
from harness import MIB, Emulator

STORAGE = ("InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload")


class PlaceCase(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.file = os.path.join(self.where, "media.mp4")
        self.bytes = os.urandom(5 * MIB + 1)
        with open(self.file, "wb") as f:
            f.write(self.bytes)
        self.emulator = Emulator()
        self.emulator.__enter__()
        self.own = "127.0.0.1:%d" % self.emulator.port

    def tearDown(self):
        self.emulator.__exit__(None, None, None)
        harness.remove(self.where)

    def at(self, name):
        """A host that is the emulator too."""
        return "%s.localhost:%d" % (name, self.emulator.port)

    def upload(self, *settings):
        return harness.run(harness.launch(
            ["filesrc", "location=" + self.file, "!",
             *harness.sink(self.emulator, *settings)]))

    def succeed(self, *settings):
        """Uploads; returns what was written, the media and the log."""
        result = self.upload(*settings)
        self.assertEqual(result.code, 0, result.tail())
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), 1)
        self.assertEqual(state["media"][0]["md5"],
                         hashlib.md5(self.bytes).hexdigest())
        return result, state["media"][0], state["log"]

    def infos(self, result):
        return re.findall(r"^INFO:\n.*:\n(.*)$", result.out, re.M)

    def offer(self, *regions):
        """(region, host, ms until it answers)…"""
        self.emulator.faults(
            {"op": "PrepareUploadUGC", "data": {"cosRegionList": [
                {"region": region, "domain": self.at(host)}
                for region, host, _ in regions]}},
            *({"op": "HeadBucket", "host": host + ".localhost", "delay": ms}
              for _, host, ms in regions))


class TestRegions(PlaceCase):
    def test_explicit(self):
        result, media, log = self.succeed("storage-region=ap-shanghai")
        self.assertEqual(media["region"], "ap-shanghai")
        self.assertNotIn("PrepareUploadUGC", [e["op"] for e in log])
        self.assertEqual(self.infos(result), [])

    def test_nearest(self):
        self.offer(("ap-guangzhou", "far", 1500), ("ap-beijing", "near", 1),
                   ("ap-shanghai", "farther", 2500))
        result, media, log = self.succeed("storage-region=auto")
        self.assertEqual(media["region"], "ap-beijing")
        self.assertEqual([e["op"] for e in log].count("PrepareUploadUGC"), 1)
        self.assertEqual(self.infos(result), [])

    def test_nobody_answers(self):
        self.emulator.faults({"op": "HeadBucket", "drop": True})
        result, media, _ = self.succeed("storage-region=auto")
        self.assertEqual(media["region"], "ap-chongqing")
        self.assertEqual(len(self.infos(result)), 1, result.tail())
        self.assertIn("storage-region=auto has found no region",
                      self.infos(result)[0])

    def test_that_cannot_be(self):
        error = harness.failure(self.upload("storage-region=Shanghai"))
        self.assertEqual(error["code"], -1)
        self.assertIn("storage-region", error["message"])
        self.assertEqual(self.emulator.state()["sessions"], [])


class TestAcceleratedHosts(PlaceCase):
    def name(self, **data):
        self.emulator.faults({"op": "ApplyUploadUGC", "data": data})

    def hosts(self, log):
        return {e["host"] for e in log if e["op"] in STORAGE}

    def test_forwarded(self):
        self.name(MiniProgramAccelerateHost=self.at("accelerate"))
        result, _, log = self.succeed()
        self.assertEqual(self.hosts(log), {self.at("accelerate")})
        self.assertEqual({e["host"] for e in log if e["op"].endswith("UGC")},
                         {self.own})
        self.assertEqual(self.infos(result), [])

    def test_direct(self):
        self.name(storageUploadDomain=self.at("upload"))
        _, _, log = self.succeed("forward=false")
        self.assertEqual(self.hosts(log), {self.at("upload")})

    def test_of_tls(self):
        with Emulator("--tls") as emulator:
            self.emulator, plain = emulator, self.emulator
            try:
                ca = re.search(r"authority: (.*)\n",
                               "".join(emulator.lines))[1]
                host = "localhost:%d" % emulator.port
                self.name(MiniProgramAccelerateHost=host)
                _, _, log = self.succeed("tls-ca-file=" + ca)
                self.assertEqual(self.hosts(log), {host})
            finally:
                self.emulator = plain

    def test_that_is_gone(self):
        self.name(MiniProgramAccelerateHost="127.0.0.1:1")
        result, _, log = self.succeed("retry-duration=0")
        self.assertEqual(self.hosts(log), {self.own})
        self.assertEqual(
            len(harness.messages(result.out, "vodsink-retry")), 1)

    # Not from this machine to a public host.
    def test_elsewhere(self):
        self.name(MiniProgramAccelerateHost="acc.example.com")
        result, _, log = self.succeed()
        self.assertEqual(self.hosts(log), {self.own})
        self.assertEqual(harness.messages(result.out, "vodsink-retry"), [])
        self.assertEqual(len(self.infos(result)), 1, result.tail())
        self.assertIn("acc.example.com", self.infos(result)[0])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
