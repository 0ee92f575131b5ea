#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the cases of a JUnit file as meson test writes it: prints
"PASSED FAILED SKIPPED". A program that ended badly without saying which case it
was, as those of GLib do, is one that failed: the log beside the file tells."""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    passed = failed = skipped = 0
    told = set()
    with open(path, "rb") as f:
        # What programs write is in it, control characters and all.
        text = re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"?", f.read())
    for suite in ElementTree.fromstring(
            text.decode(errors="replace")).iter("testsuite"):
        bad = 0
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or \
                    case.find("error") is not None:
                bad += 1
                told.add(case.get("name"))
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
        # A program that crashed after its last case.
        declared = int(suite.get("errors", 0)) + int(suite.get("failures", 0))
        failed += max(bad, declared)
        if declared:
            told.add(suite.get("name").split(".", 1)[-1])
    return passed, failed + len(ended_badly(path) - told), skipped


def ended_badly(path):
    """The programs of which meson says so."""
    with open(re.sub(r"\.junit\.xml$", ".json", path), "rb") as f:
        tests = [json.loads(line) for line in f]
    return {test["name"] for test in tests
            if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")}


if __name__ == "__main__":
    counts = count(sys.argv[1])
    if sum(counts) == 0:
        sys.exit("no test was run")
    print(*counts)
