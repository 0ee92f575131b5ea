#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/quickstart.sh does what it says, wherever it is called from, and
leaves nothing running however it ends. Speaks TAP."""

import os
import re
import signal
import time
import unittest
import urllib.request

import harness

SCRIPT = os.path.join(harness.ROOT, "examples", "quickstart.sh")


def start(*arguments):
    return harness.Program([SCRIPT, *arguments], cwd="/",
                           env={"PYTHONDONTWRITEBYTECODE": "1"})


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


class TestQuickstart(unittest.TestCase):
    def setUp(self):
        self.before = harness.children()

    def tearDown(self):
        self.assertEqual(harness.children(), self.before)

    def test_1_once_ends_with_the_addresses_and_0(self):
        result = harness.run([SCRIPT, "--once"], cwd="/", timeout=900)
        self.assertEqual(result.code, 0, result.tail())
        self.assertRegex(result.out, r"file id: +\d+")
        self.assertRegex(result.out, r"video URL: +http://127\.0\.0\.1:\d+/")
        self.assertRegex(result.out, r"page: +http://127\.0\.0\.1:\d+/")
        uploaded = re.findall(r"(\d+\.\d) MiB uploaded", result.out)
        self.assertGreater(len(set(uploaded)), 4, "progress while it runs")
        self.assertNotIn("Got message", result.out + result.err)

    def test_2_stays_up_with_a_video_that_plays_until_ctrl_c(self):
        program = start()
        program.wait_for_output(r"Ctrl-C ends", timeout=60)
        out = program.output()
        url = re.search(r"video URL: +(\S+)", out)[1]
        file_id = re.search(r"file id: +(\S+)", out)[1]
        page = re.search(r"page: +(\S+)", out)[1]
        self.assertIn(file_id, url)
        self.assertIn(os.path.dirname(url).encode().split(b"/", 3)[3],
                      fetch(page))
        video = fetch(url)
        where = harness.folder()
        try:
            path = os.path.join(where, "video.mp4")
            with open(path, "wb") as f:
                f.write(video)
            info = harness.run(
                ["gst-launch-1.0", "-q", "filesrc", "location=" + path, "!",
                 "qtdemux", "name=d", "d.video_0", "!", "queue", "!",
                 "h264parse", "!", "avdec_h264", "!", "fakesink", "d.audio_0",
                 "!", "queue", "!", "aacparse", "!", "avdec_aac", "!",
                 "fakesink"])
            self.assertEqual(info.code, 0, info.tail())
        finally:
            harness.remove(where)
        time.sleep(0.2)
        self.assertTrue(program.running())
        program.signal(signal.SIGINT)
        self.assertEqual(program.finish(10).code, 0)

    def test_3_nothing_is_left_when_it_is_interrupted(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143),
                             (signal.SIGKILL, -9)):
            with self.subTest(number):
                program = start()
                program.wait_for_output(r"\d s: ", timeout=60)
                program.signal(number)
                if number == signal.SIGKILL:
                    # Its children are told by the kernel.
                    os.waitpid(program.pid, 0)
                    program.process.returncode = -9
                    deadline = time.monotonic() + 5
                    while harness.children() != self.before:
                        self.assertLess(time.monotonic(), deadline,
                                        harness.children())
                        time.sleep(0.02)
                else:
                    self.assertEqual(program.finish(10).code, code)

    def test_4_unknown_arguments_are_explained(self):
        result = harness.run([SCRIPT, "--twice"])
        self.assertEqual(result.code, 2)
        self.assertIn("--once", result.err)


if __name__ == "__main__":
    harness.become_subreaper()
    harness.main()
