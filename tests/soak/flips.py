#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bits that turn over, and sums that lie. Between client and service a bit of a
part is flipped on its way, the service answers a wrong CRC64 or (without one) a
wrong ETag, stores a bit wrongly, or bits flip in headers and answers. A damaged
part is always noticed and goes again; where it cannot, there is an error. No
wrong media is ever committed."""

import random
import re
import socket
import threading

import soak
from soak import MIB, expect, harness
from harness import Emulator

DAMAGED = r"Part \d+ (arrived damaged|cannot be told)|Content-MD5"

# What happens, and how often of ten.
KINDS = {
    "a bit of a part": 2,
    "a bit of a part, no CRC64 in answers": 2,
    "a bit of a part, with Content-MD5": 1,
    "a wrong CRC64": 1,
    "no CRC64 and a wrong ETag": 1,
    "stored wrongly": 1,
    "any bit but the media's": 2,
}
OF_A_PART = tuple(kind for kind in KINDS if kind.startswith("a bit"))


class Flipper(harness.Listener):
    """Passes HTTP on and flips a bit of some requests and answers.

    decide(number, times): whether the body of this part is to be damaged,
        which is sent the @times-th time
    stray: the chance of a request or a piece of an answer to be damaged, not
        in the media"""

    def __init__(self, port, rng, decide=None, stray=0.0):
        self.target, self.decide, self.stray = port, decide, stray
        self.rng = rng
        self.lock = threading.Lock()
        self.times = {}
        self.flips = []     # (part, which time)
        self.strays = 0
        super().__init__(self.relay)

    def relay(self, client):
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            self.connections.append(server)
            back = threading.Thread(target=self.answers, daemon=True,
                                    args=(server, client))
            back.start()
            try:
                self.requests(client, server)
                server.shutdown(socket.SHUT_WR)
            except OSError:
                # As if there were nobody between: both ends notice.
                for end in (server, client):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            back.join()

    def answers(self, server, client):
        try:
            while True:
                data = server.recv(1 << 16)
                if not data:
                    break
                client.sendall(self.perhaps_stray(data))
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def flip(data, bit):
        data = bytearray(data)
        data[bit // 8] ^= 1 << bit % 8
        return bytes(data)

    def perhaps_stray(self, data):
        with self.lock:
            if self.rng.random() >= self.stray:
                return data
            self.strays += 1
            return self.flip(data, self.rng.randrange(8 * len(data)))

    def requests(self, client, server):
        """One request after the other."""
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                data = client.recv(1 << 18)
                if not data:
                    return
                pending += data
            head, pending = pending.split(b"\r\n\r\n", 1)
            head += b"\r\n\r\n"
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            length = int(length[1]) if length else 0
            bit = self.plan(head, length)
            server.sendall(self.perhaps_stray(head))
            pending = self.body(client, server, pending, length, bit)

    def plan(self, head, length):
        """Which bit of the body to flip; -1: none."""
        part = re.match(rb"PUT \S*[?&]partNumber=(\d+)", head)
        if part is None or length == 0 or self.decide is None:
            return -1
        with self.lock:
            number = int(part[1])
            self.times[number] = self.times.get(number, 0) + 1
            if not self.decide(number, self.times[number]):
                return -1
            self.flips.append((number, self.times[number]))
            return self.rng.randrange(8 * length)

    def body(self, client, server, data, left, bit):
        """Passes @left bytes on; returns what comes behind them."""
        at = 0
        while left > 0:
            if not data:
                data = client.recv(1 << 18)
                if not data:
                    raise ConnectionError("the client has gone")
            piece, data = data[:left], data[left:]
            if at <= bit // 8 < at + len(piece) and bit >= 0:
                piece = self.flip(piece, bit - 8 * at)
            server.sendall(piece)
            at += len(piece)
            left -= len(piece)
        return data


MUXERS = ["mp4mux", "mpegtsmux", "flvmux", "wav", *soak.REACHING]


def pipeline(mux):
    if mux == "wav":
        return ("audiotestsrc wave=white-noise samplesperbuffer=48000 "
                "num-buffers=30 ! audio/x-raw,rate=48000,channels=2 ! "
                "wavenc ! recorder")
    return ("filesrc location=%s/short.mkv ! matroskademux ! h264parse ! %s ! "
            "recorder" % (harness.content(), mux))


def draw(rng, number):
    kind = [kind for kind, often in KINDS.items()
            for _ in range(often)][number % sum(KINDS.values())]
    mux = rng.choice(MUXERS)
    settings = "timeout=2 retry-duration=60 slice-size=%d max-size-bytes=%d " \
        "parallel-uploads=%d" % (MIB, soak.memory(rng, mux, MIB),
                                 rng.choice([1, 3, 6]))
    return {"kind": kind, "settings": settings, "mux": mux,
            "rate": rng.choice([0, 0, 15]) * MIB,
            "manner": rng.choice(["some", "some", "each once", "each once",
                                  "the first twice", "the rewritten"])}


def decider(case, rng):
    """Which sendings of which parts are damaged."""
    if case["kind"] not in OF_A_PART:
        return None
    return {
        "some": lambda number, times: times <= 3 and rng.random() < 0.25,
        "each once": lambda number, times: times == 1,
        "the first twice": lambda number, times: number == 1 and times <= 2,
        # The head's first sending is good, all of the next three are not.
        "the rewritten": lambda number, times: number == 1 and
        2 <= times <= 4 or number == 2 and times == 1,
    }[case["manner"]]


def faults(case, rng):
    kind, chance = case["kind"], rng.choice([0.3, 0.5])
    if kind == "a bit of a part, no CRC64 in answers":
        return [{"op": "UploadPart", "no-crc": True}]
    if kind == "a wrong CRC64":
        return [{"op": "UploadPart", "wrong-crc": True,
                 "probability": chance}]
    if kind == "no CRC64 and a wrong ETag":
        return [{"op": "UploadPart", "no-crc": True, "wrong-etag": True,
                 "probability": chance}]
    if kind == "stored wrongly":
        return [{"op": "UploadPart", "corrupt": True, "times": 1,
                 "skip": rng.randrange(5 if case["mux"] == "wav" else 12)}]
    return []


def check_damage(case, upload, flipper, emulator):
    """Every damaged part was noticed, and went again; returns how often."""
    kind = case["kind"]
    if kind == "stored wrongly":
        hit = sum(f["hits"] for f in emulator.get("/api/faults").json())
        if upload.error:
            expect(upload.error["phase"] == "complete" and
                   "CRC64" in upload.error["message"], upload.error.fields)
        return hit, hit
    if kind == "any bit but the media's":
        return flipper.strays, flipper.strays
    expect(upload.error is None, "not mended:", upload.stats)
    damaged = len(flipper.flips)
    if kind not in OF_A_PART:
        damaged = sum(f["hits"] for f in emulator.get("/api/faults").json())
    noticed = len([r for r in upload.retries
                   if re.search(DAMAGED, r["message"])])
    expect(noticed == damaged == len(upload.retries), damaged, "damaged,",
           noticed, "noticed:", [r["message"] for r in upload.retries])
    for number, times in flipper.flips:
        expect(flipper.times[number] > times, "part", number, "was sent",
               flipper.times[number], "times, and damaged the last")
    return damaged, noticed


def where(flipper, upload):
    """Which parts they were."""
    if not upload.state["media"]:
        return {}
    last = upload.state["media"][0]["parts"]
    found = {}
    for number, times in flipper.flips:
        name = "the last" if number == last else "the first" \
            if number == 1 else "in between"
        found[name] = found.get(name, 0) + 1
    return found


def run(rng, number, folder):
    case = draw(rng, number)
    settings = case["settings"]
    if case["kind"] == "a bit of a part, with Content-MD5":
        settings += " content-md5=true"
    facts = {"what": "%s, %s" % (case["kind"], case["mux"]),
             "kind": case["kind"], "settings": settings}
    chance = random.Random(rng.getrandbits(64))
    stray = 0.06 if case["kind"].startswith("any bit") else 0
    with Emulator("--seed", str(rng.getrandbits(31))) as emulator:
        listed = faults(case, rng)
        if listed:
            emulator.faults(*listed)
        with Flipper(emulator.port, chance, decider(case, chance),
                     stray) as flipper:
            upload = soak.Upload(emulator, folder, settings,
                                 pipeline(case["mux"]), case["rate"],
                                 port=flipper.port)
        try:
            facts["outcome"] = upload.check_media()
            facts["damaged"], facts["noticed"] = check_damage(
                case, upload, flipper, emulator)
            if not upload.error and not stray:
                upload.check_bytes(emulator)
        except soak.Untrue as e:
            e.facts = dict(facts, log=soak.brief(upload.log))
            raise
    facts["where"] = where(flipper, upload)
    facts["what"] += ", %d times: %s" % (facts["damaged"], facts["outcome"])
    if upload.error:
        facts["error"] = upload.error.fields
        facts["phase"] = upload.error["phase"]
    return facts


def summarize(results):
    good = [r for r in results if r["ok"]]
    for kind in KINDS:
        mine = [r for r in good if r["kind"] == kind]
        yield "%s: %d uploads, damaged %d times, %s" % (
            kind, len(mine), sum(r["damaged"] for r in mine),
            soak.counted(mine, "outcome"))
    sums = [r for r in good if r["kind"] not in (
        "stored wrongly", "any bit but the media's")]
    yield "damaged parts: %d, noticed %d; where a bit was flipped: %s" % (
        sum(r["damaged"] for r in sums), sum(r["noticed"] for r in sums),
        soak.counted(good, "where"))


if __name__ == "__main__":
    options = soak.arguments(__doc__, 20, 300)
    soak.campaign("flips", run, options, summarize)
