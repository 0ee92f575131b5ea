#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every pipeline shown that converts or makes pictures for an H.264 or H.265
encoder says format=I420: left alone, videoconvert keeps a camera's 4:2:2, and
videotestsrc gives 4:4:4; x264enc makes High 4:2:2 or High 4:4:4 Predictive of
it, which browsers do not play.

usage: check_pipelines.py SOURCE_DIR
"""
import glob
import os
import re
import sys

SHOWN = ("README.md", "docs/*.md", "examples/**/*", "gst/gstvodsink.c")
# From the last that chooses a format to the encoder behind it, across lines but
# not paragraphs.
CHOOSERS = "videoconvert|videotestsrc"
CONVERTED = re.compile(
    rf"\b({CHOOSERS})\b((?:(?!{CHOOSERS}|```|\n[ ]*\n).)*?)\bx26[45]enc\b",
    re.S)


def check(text):
    """How many there are, and those that lack it."""
    found = list(CONVERTED.finditer(text))
    return len(found), [m for m in found if "format=I420" not in m.group(2)]


def main(top):
    total = failed = 0
    for pattern in SHOWN:
        for path in glob.glob(os.path.join(top, pattern), recursive=True):
            if not os.path.isfile(path):
                continue
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            count, bad = check(text)
            total += count
            failed += len(bad)
            for match in bad:
                line = text.count("\n", 0, match.start()) + 1
                print(f"{os.path.relpath(path, top)}:{line}: "
                      f"no format=I420 between {match.group(1)} and the encoder")
    if total == 0:
        sys.exit("no pipeline was found: does this still look for them?")
    print(f"{total} pipelines with an encoder, {failed} without format=I420")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1])
