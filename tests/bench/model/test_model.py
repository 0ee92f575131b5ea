#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model's rules are those of the slice table, and what it tells makes sense.

usage: test_model.py RULES"""

import math
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import model  # noqa: E402
from model import MIB, Config, simulate  # noqa: E402

RULES = None


class Rules(unittest.TestCase):
    def test_floor_and_full_are_those_of_the_table(self):
        for slice_size, max_bytes, parts in (
                (8 * MIB, 64 * MIB, 10000), (MIB, 4 * MIB, 10000),
                (32 * MIB, 128 * MIB, 10000), (1 << 30, 1 << 33, 100),
                (8 * MIB, 64 * MIB, 7), (3 * MIB, 17 * MIB, 33)):
            config = Config(slice_size, max_bytes, parts)
            said = subprocess.run(
                [RULES, str(slice_size), str(max_bytes), str(parts)],
                check=True, capture_output=True, text=True).stdout.split()
            ours = []
            for number in range(1, parts + 1):
                ours += [str(model.floor(config, number)),
                         str(model.full(config, number))]
            self.assertEqual(said, ours)


class Uploads(unittest.TestCase):
    def run_one(self, rate, duration, line=None, rtt=0.05, **config):
        return simulate(Config(**config), rate / 8, duration,
                        (line or 2.5 * rate) / 8, rtt)

    def longest_end(self, duration):
        """Of recordings that end anywhere within a part."""
        return max(self.run_one(8e6, duration + i * .13).latency
                   for i in range(20))

    def test_the_end_does_not_grow_before_the_floor_does(self):
        short, long = self.run_one(8e6, 60), self.run_one(8e6, 960)
        self.assertLess(long.parts, 1000)
        self.assertAlmostEqual(
            self.longest_end(960), self.longest_end(60), delta=.05)
        self.assertLess(short.latency, .7)

    def test_the_end_grows_no_faster_than_the_floor(self):
        for duration in (1200, 3600, 4 * 3600):
            parts = self.run_one(8e6, duration).parts
            floor = model.floor(Config(), parts)
            self.assertGreater(floor, MIB)
            self.assertLess(self.longest_end(duration),
                            2 * floor / 2.5e6 + .3)

    def test_a_day_fits(self):
        """60 GB are what the service takes."""
        for rate in (1e3, 1e5, 1e6, 5.5e6):
            result = self.run_one(rate, 86400)
            self.assertFalse(result.full, rate)
            self.assertLessEqual(result.parts, 10000)

    def test_ten_thousand_parts_hold_100_gib(self):
        size = sum(model.full(Config(), n) for n in range(1, 10001))
        self.assertGreaterEqual(size, 100 << 30)
        result = self.run_one(1e9, 60e9 * 8 / 1e9, line=1e10)
        self.assertFalse(result.full)

    def test_memory_is_bounded_whatever_the_line(self):
        for line in (1e3, 1e6, 1e9):
            result = self.run_one(1e9, 30, line=line)
            self.assertLessEqual(result.memory, 64 * MIB + 1)
            self.assertEqual(result.blocked > 0, line < 1e9)

    def test_live_streams_hold_little(self):
        result = self.run_one(4e6, 600)
        self.assertLessEqual(result.memory, 16 * MIB)

    def test_a_fast_line_leaves_little_after_the_end(self):
        """At most two floors and three round trips."""
        result = self.run_one(8e6, 60, line=20e6)
        self.assertLess(result.latency, 2 * MIB * 8 / 20e6 + 3 * 0.05 + 0.01)

    def test_what_takes_no_time_takes_its_round_trips(self):
        result = simulate(Config(), 1000, 1, math.inf, 0.5)
        self.assertEqual(result.parts, 1)
        self.assertAlmostEqual(result.latency, 1.5, 3)


if __name__ == "__main__":
    RULES = sys.argv.pop(1)
    unittest.main()
