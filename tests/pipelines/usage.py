#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests themselves, called wrongly: they say how they are called, exit 2 and
have written nothing."""

import os
import subprocess
import sys
import tempfile
import unittest

import harness


class Usage(unittest.TestCase):
    def refuse(self, *arguments):
        """What it says. Any test would do: harness reads the arguments."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, os.path.join(harness.HERE, "reports.py"),
                 *arguments], cwd=folder, timeout=60, text=True,
                stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("BUILD-FOLDER", done.stderr)
            self.assertEqual(os.listdir(folder), [])
        return done.stderr

    def test_only_a_build_folder_is_written_to(self):
        self.assertIn("'--help' is no build folder", self.refuse("--help"))

    def test_a_word_that_no_test_has_is_no_success(self):
        self.assertIn("'no such test'",
                      self.refuse(harness.BUILD, "no such test"))


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
