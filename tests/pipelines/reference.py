#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/reference.md tells every field of the messages that applications get,
with its type: compared with what gst-launch-1.0 -m prints.
`reference.py BUILD [WORD...]`; speaks TAP."""

import os
import re
import sys
import unittest

import harness
from harness import Emulator

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "docs"))
import check_readme  # noqa: E402

MEDIA = bytes(range(256)) * 20000
KINDS = {"guint64": "uint64"}
FIELD = re.compile(r'([a-z-]+)=\(([a-z0-9]+)\)(?:"(?:[^"\\]|\\.)*"|[^,;]*)')


def told():
    """message -> field -> (type, may it be absent)"""
    path = os.path.join(harness.ROOT, "docs", "reference.md")
    with open(path, encoding="utf-8") as f:
        page = f.read()
    return {name: {field.strip("`"): (kind, meaning.startswith("if "))
                   for field, kind, meaning in
                   check_readme.table(page, "### " + name)}
            for name in re.findall(r"^### (vodsink-[a-z]+)$", page, re.M)}


class TestReference(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.emulator = Emulator()
        self.told = told()

    def tearDown(self):
        self.emulator.__exit__(None, None, None)
        harness.remove(self.where)

    def file(self, name, content):
        path = os.path.join(self.where, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def upload(self, media, *settings):
        """Messages of an upload, by name: the fields of each, with types."""
        result = harness.run(harness.launch(
            ["filesrc", "location=" + media, "!"] + harness.sink(
                self.emulator, "state-dir=" + os.path.join(self.where, "s"),
                *settings)))
        found = {}
        for name, rest in re.findall(
                r"^Got message #\d+ from .* \(element\): (vodsink-[a-z]+)(.*)",
                result.out, re.M):
            found.setdefault(name, []).append(
                {field: KINDS.get(kind, kind)
                 for field, kind in FIELD.findall(rest)})
        for name, posted in found.items():
            for fields in posted:
                self.compare(name, fields)
        return result, found

    def compare(self, name, fields):
        self.assertIn(name, self.told)
        for field, kind in fields.items():
            self.assertIn(field, self.told[name], name)
            self.assertEqual(kind, self.told[name][field][0], name)
        for field, (_, optional) in self.told[name].items():
            if not optional:
                self.assertIn(field, fields, name)

    def test_1_what_a_good_upload_posts(self):
        """progress, retry, warning, finish"""
        self.emulator.faults({"op": "UploadPart", "status": 503, "times": 1},
                             {"op": "PutObject", "status": 403,
                              "code": "AccessDenied"})
        result, found = self.upload(
            self.file("a.mp4", MEDIA), "location=x.mp4", "spool=true",
            "keep-spool=true", "cover-location=" +
            self.file("a.png", b"\x89PNG\r\n\x1a\n" + bytes(2000)))
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(set(found), {"vodsink-progress", "vodsink-retry",
                                      "vodsink-warning", "vodsink-finish"})
        self.assertIn("spool-location", found["vodsink-finish"][0])
        self.assertIn("error-code", found["vodsink-warning"][0])

    def test_2_what_a_failed_one_and_the_next_post(self):
        """error, recovered"""
        settings = ["location=x.mp4", "spool=true", "resume-key=k"]
        self.emulator.faults({"op": "CompleteMultipartUpload", "status": 403,
                              "code": "AccessDenied", "times": 1})
        result, found = self.upload(self.file("a.mp4", MEDIA), *settings)
        self.assertEqual(result.code, 1, result.tail())
        self.assertIn("vodsink-error", found)
        self.assertIn("error-code", found["vodsink-error"][0])
        self.assertIn("spool-location", found["vodsink-error"][0])
        result, found = self.upload(
            self.file("b.mp4", MEDIA[:-1] + b"x"), *settings)
        self.assertEqual(result.code, 0, result.tail())
        self.assertIn("resume-key", found["vodsink-recovered"][0])


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
