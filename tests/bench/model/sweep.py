#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what the model says as docs/model.svg.

usage: sweep.py OUT.svg"""

import math
import sys

sys.dont_write_bytecode = True
from model import MIB, Config, simulate  # noqa: E402

RATES = [10 ** (i / 2) for i in range(6, 21)]  # bit/s: 1 kbit/s to 10 Gbit/s
DURATIONS = [("1 s", 1), ("1 min", 60), ("1 h", 3600), ("24 h", 86400)]
TRIPS = [("1 ms", .001), ("50 ms", .05), ("200 ms", .2), ("1 s", 1.0)]
LINES = [("line 10 x stream", 10), ("2.5 x", 2.5), ("1.2 x", 1.2),
         ("0.8 x", .8)]
COLOURS = ["#9aa5b1", "#0a6ebd", "#c2570c", "#5b3fa8"]
LIMIT = 60e9  # bytes: what the service takes


def run(rate, duration, times, rtt):
    """None: more than the service takes."""
    if rate / 8 * duration > LIMIT:
        return None
    return simulate(Config(), rate / 8, duration, rate / 8 * times, rtt)


def curves(labels, value):
    """label -> points, where there are any."""
    result = []
    for label, variable in labels:
        points = []
        for rate in RATES:
            y = value(rate, variable)
            if y is not None and not math.isnan(y) and y > 0:
                points.append((rate, y))
        result.append((label, points))
    return result


def parts(rate, duration):
    result = run(rate, duration, 2.5, .05)
    return result and result.parts


def latency(rate, rtt):
    result = run(rate, 60, 2.5, rtt)
    return result and result.latency


def memory(rate, times):
    result = run(rate, 60, times, .05)
    return result and result.memory / MIB


class Panel:
    WIDTH, HEIGHT = 300, 220

    def __init__(self, x, title, unit, low, high):
        self.x, self.low, self.high = x, math.log10(low), math.log10(high)
        self.out = ['<text x="%d" y="20" class="t">%s</text>' % (x, title),
                    '<text x="%d" y="36">%s</text>' % (x, unit)]

    def at(self, rate, y):
        across = (math.log10(rate) - 3) / 7
        up = (math.log10(y) - self.low) / (self.high - self.low)
        return (self.x + 34 + across * (self.WIDTH - 60),
                50 + (1 - up) * self.HEIGHT)

    def grid(self):
        for power in range(int(self.low), int(self.high) + 1):
            x0, y = self.at(1e3, 10 ** power)
            x1, _ = self.at(1e10, 1)
            self.out.append('<path class="g" d="M%.0f %.0fH%.0f"/>' % (
                x0, y, x1))
            self.out.append('<text x="%.0f" y="%.0f" text-anchor="end">%g'
                            '</text>' % (x0 - 4, y + 4, 10 ** power))
        for power, label in ((3, "1k"), (6, "1M"), (9, "1G")):
            x, y = self.at(10 ** power, 10 ** self.low)
            self.out.append('<text x="%.0f" y="%.0f">%s</text>' % (
                x - 6, y + 16, label))

    def draw(self, curves_):
        self.grid()
        for i, (label, points) in enumerate(curves_):
            path = " ".join("%.1f %.1f" % self.at(x, y) for x, y in points)
            self.out.append('<path class="c" stroke="%s" d="M%s"/>' % (
                COLOURS[i], path))
            self.out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (
                self.x + 34 + i % 2 * 130, 306 + i // 2 * 16, COLOURS[i],
                label))
        return self.out


def main():
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="930" height="335" '
           'font-family="sans-serif" font-size="11">',
           "<style>.t{font-weight:bold;font-size:13px}.g{stroke:#ddd}"
           ".c{fill:none;stroke-width:2}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>']
    out += Panel(10, "Parts used, by length of the recording",
                 "of 10 000; bit/s across", 1, 1e4).draw(
                     curves(DURATIONS, parts))
    out += Panel(320, "After the end, by round trip",
                 "seconds to the file id; 1 min, line 2.5 x stream",
                 1e-3, 1e3).draw(curves(TRIPS, latency))
    out += Panel(630, "Memory, by line", "MiB of media; 1 min", 1e-3,
                 1e2).draw(curves(LINES, memory))
    out.append("</svg>")
    with open(sys.argv[1], "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
