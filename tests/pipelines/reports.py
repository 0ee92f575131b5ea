#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Upload reports of gst-launch-1.0, which ends a moment after EOS: what the
service is told, and what neither it nor a log is told.
`reports.py BUILD [WORD...]`; speaks TAP."""

import json
import os
import re
import sys
import unittest

import harness
from harness import Emulator

GOOD = [10001, 20001, 10002, 40001]
# What was queued at the end has 50 ms, which a busy machine may not have.
ATTEMPTS = 5


class TestReports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = harness.folder()
        cls.root = os.path.join(cls.where, "root")
        cls.emulator = Emulator("--root", cls.root)
        cls.base = "http://127.0.0.1:%d" % cls.emulator.port

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)
        harness.remove(cls.where)

    def setUp(self):
        self.emulator.clear_faults()
        self.reported = len(self.emulator.state()["reports"])

    def tearDown(self):
        self.emulator.clear_faults()

    def launch(self, *settings, code=0, env=None, media_name="My film"):
        """A file by gst-launch-1.0; returns how it ended."""
        result = harness.run(harness.launch(
            ["filesrc", "location=%s/short.mkv" % harness.content(), "!",
             *harness.sink(self.emulator, "resume=false", "report-id=room 12",
                           "media-name=" + media_name, *settings)]), env=env)
        self.assertEqual(result.code, code, result.tail())
        return result

    def reports(self):
        """Those since the test began, or since this was called."""
        reports = self.emulator.state()["reports"][self.reported:]
        self.reported += len(reports)
        return reports

    def secrets(self):
        """All that the emulator has made, and the signer's key."""
        with open(os.path.join(self.root, "journal"), encoding="utf-8") as f:
            events = [json.loads(line) for line in f if line.startswith("{")]
        found = {event[key] for event in events for key in ("sk", "token")
                 if key in event}
        self.assertGreaterEqual(len(found), 2)
        return found | {harness.vodwire.SECRET_KEY}

    def test_an_upload_is_reported_up_to_its_end(self):
        for _ in range(ATTEMPTS):
            self.launch()
            reports = self.reports()
            kinds = [report["reqType"] for report in reports]
            self.assertEqual(kinds, GOOD[:len(kinds)])
            for report in reports:
                self.assertEqual(report["reportId"], "room 12")
                self.assertEqual(report["fileName"], "My film")
                self.assertEqual(report["fileType"], "mkv")
                self.assertEqual(report["platform"], 5000)
                self.assertEqual(report["errCode"], 0)
            if kinds == GOOD:
                media = self.emulator.state()["media"][-1]
                self.assertEqual(reports[-1]["fileId"], media["fileId"])
                self.assertEqual(reports[-1]["fileSize"], media["size"])
                return
        self.fail("not once was all of it reported")

    def test_a_failure_is_reported(self):
        for _ in range(ATTEMPTS):
            self.emulator.clear_faults()
            self.emulator.faults(
                {"op": "ApplyUploadUGC",
                 "json": {"code": 10001, "message": "not this one"}})
            error = harness.failure(self.launch(code=1))
            self.assertEqual(error["code"], 10001)
            reports = self.reports()
            kinds = [report["reqType"] for report in reports]
            self.assertEqual(kinds, [10001, 40001][:len(kinds)])
            for report in reports:
                self.assertEqual(report["errCode"], 1)
                self.assertEqual(report["vodErrCode"], 10001)
                self.assertIn("not this one", report["errMsg"])
            if len(kinds) == 2:
                return
        self.fail("not once was all of it reported")

    def test_nothing_secret_is_reported_or_logged(self):
        result = self.launch(env={"GST_DEBUG": "*:6"})
        text = json.dumps(self.reports())
        self.assertIn("room 12", text)
        # Of the log, there is no end: it is there.
        self.assertRegex(result.err, "file id")
        for secret in self.secrets():
            self.assertNotIn(secret, text)
            self.assertNotIn(secret, result.err)
            self.assertNotIn(secret, result.out)
        for report in json.loads(text):
            self.assertNotIn(report["vodSessionKey"], result.err)
        # An upload signature, or the storage's: base64 of "secretId=", and
        # what Authorization is made of.
        for trace in ("c2VjcmV0SWQ9", "NlY3JldElkP", "zZWNyZXRJZD",
                      "q-signature"):
            self.assertNotIn(trace, text)
            self.assertNotIn(trace, result.err)

    def test_a_report_server_that_is_none_changes_nothing(self):
        for fault in ({"stall": True}, {"status": 500}, {"drop": True},
                      {"garbage": "huge"}, {"trickle": 50}):
            with self.subTest(fault=fault):
                self.emulator.clear_faults()
                self.emulator.faults(dict(fault, op="report"))
                media = len(self.emulator.state()["media"])
                result = self.launch()
                self.assertEqual(
                    len(self.emulator.state()["media"]), media + 1)
                self.assertEqual(
                    harness.messages(result.out, "vodsink-retry"), [])
                self.assertLessEqual(len(re.findall(
                    r"^WARNING: from", result.err, re.M)), 1)

    def test_bad_settings(self):
        for setting in ("report-endpoint=host", "report-endpoint=http://h/x"):
            error = harness.failure(self.launch(setting, code=1))
            self.assertEqual(error["phase"], "apply")
            self.assertEqual(error["code"], -1)
            self.assertIn("report-endpoint", error["message"])
        error = harness.failure(
            self.launch("report-id=" + "i" * 257, code=1))
        self.assertIn("report-id", error["message"])


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
