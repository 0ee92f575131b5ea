# SPDX-License-Identifier: LGPL-2.1-or-later
"""A model of one upload: when slices are cut, how many parts that takes, how
much memory, and how long the end takes, for any stream and line.

Time goes from event to event: a slice may be cut, a part has arrived, memory is
full or has room again, the stream ends. Parts in flight share the line evenly;
each also takes a round trip. No slow start, no loss."""

import collections
import math

MIB = 1 << 20
TENTHS = 10
DOUBLINGS = 4

Config = collections.namedtuple(
    "Config", "slice_size max_bytes max_parts workers",
    defaults=(8 * MIB, 64 * MIB, 10000, 6))
Result = collections.namedtuple(
    "Result", "parts memory latency blocked full")


def floor(config, number):
    """The least that part @number is cut at while the stream goes on."""
    step = max(config.max_parts // TENTHS, 1)
    doublings = min((number - 1) // step, DOUBLINGS)
    return min(MIB << doublings, config.max_bytes // 4)


def full(config, number):
    """What it is cut at in any case."""
    size = min(config.slice_size, config.max_bytes // 4)
    return max(size, floor(config, number))


class Upload:
    """rate, line: bytes/s; duration, rtt: s."""

    def __init__(self, config, rate, duration, line, rtt):
        self.config, self.rate, self.line, self.rtt = config, rate, line, rtt
        self.duration = duration
        self.now = 0.0
        self.number = 1
        self.filling = 0.0     # bytes in the slice that is being filled
        self.queue = collections.deque()  # sizes of those that are ready
        self.flights = []      # [bytes left, time the answer still takes]
        self.held = 0.0        # bytes ready or in flight
        self.parts = 0
        self.memory = 0.0
        self.blocked = 0.0
        self.received = 0.0

    def begin_flights(self):
        while self.queue and len(self.flights) < self.config.workers:
            self.flights.append([self.queue.popleft(), self.rtt])

    def cut(self):
        self.queue.append(self.filling)
        self.held += self.filling
        self.filling = 0.0
        self.parts += 1
        self.number += 1
        self.begin_flights()

    def limit(self):
        # The first part is the smallest: it may have to go twice.
        return MIB if self.number == 1 else full(self.config, self.number)

    def may_cut(self):
        """Is there a worker that would be idle?"""
        idle = self.config.workers - len(self.flights)
        return idle > len(self.queue) and \
            self.filling >= floor(self.config, self.number) - 0.5

    def next_step(self, receiving):
        """Seconds until something happens."""
        step = math.inf
        if receiving:
            target = self.limit()
            if self.filling < floor(self.config, self.number) - 0.5 and \
                    self.config.workers > len(self.flights):
                target = floor(self.config, self.number)
            step = (target - self.filling) / self.rate
            room = self.config.max_bytes - self.held - self.filling
            step = min(step, room / self.rate)
            step = min(step, self.duration - self.received / self.rate)
        sending = [f for f in self.flights if f[0] > 0]
        for flight in self.flights:
            if flight[0] > 0:
                step = min(step, flight[0] * len(sending) / self.line)
            else:
                step = min(step, flight[1])
        return max(step, 0.0)

    def advance(self, step, receiving):
        sending = [f for f in self.flights if f[0] > 0]
        for flight in self.flights:
            if flight[0] > 0:
                flight[0] -= step * self.line / len(sending)
                self.held -= step * self.line / len(sending)
                if flight[0] < 0.5:
                    self.held += -flight[0] if flight[0] < 0 else 0
                    flight[0] = 0
            else:
                flight[1] -= step
        self.flights = [f for f in self.flights if f[0] > 0 or f[1] > 1e-12]
        if receiving:
            self.filling += step * self.rate
            self.received += step * self.rate
        else:
            self.blocked += step
        self.now += step

    def stream(self):
        """Until the stream has ended. FALSE: part numbers ran out."""
        total = self.duration * self.rate
        while self.received < total - 0.5:
            receiving = self.held + self.filling < self.config.max_bytes - 0.5
            self.advance(self.next_step(receiving), receiving)
            if self.filling >= self.limit() - 0.5 or self.may_cut():
                if self.parts >= self.config.max_parts:
                    return False
                self.cut()
            self.begin_flights()
            self.memory = max(self.memory, self.held + self.filling)
        return True

    def end(self):
        """Seconds from the end of the stream to the answer of Commit."""
        begun = self.now
        if self.filling > 0.5:
            self.cut()
        while self.queue or self.flights:
            self.begin_flights()
            self.advance(self.next_step(False), False)
        # Complete and Commit, each a round trip on a connection that is open.
        return self.now - begun + 2 * self.rtt


def simulate(config, rate, duration, line, rtt):
    upload = Upload(config, rate, duration, line, rtt)
    whole = upload.stream()
    blocked = upload.blocked
    latency = upload.end() if whole else math.nan
    return Result(upload.parts, upload.memory, latency, blocked, not whole)
