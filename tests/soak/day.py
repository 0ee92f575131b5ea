#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording of many hours in little time: temporary credentials last seconds
instead of two hours, thousands of parts go up meanwhile, every signature is
good for one request, the service takes credentials back now and then, and the
application lets others wait for its answers. Each case commits what was sent,
and credentials are renewed before they expire."""

import hashlib
import os

import soak
from soak import MIB, expect, harness
from harness import Emulator, vodwire

LIFETIME = 16       # s; the service counts in whole seconds
RENEWED = 0.9
LATE = 0.6          # s: a busy machine
BLOCK = 300007      # bytes of the stream, over and over: no part is another

# How the signatures come.
KINDS = {
    "a signature service": None,
    "an application that answers after 0.7 s": 700,
    "an application that answers after 3 s": 3000,
}


def make_block(rng, folder):
    path = os.path.join(folder, "block")
    block = rng.randbytes(BLOCK)
    with open(path, "wb") as f:
        f.write(block)
    return path, block


def check_content(media, block, times):
    size = len(block) * times
    expect(media["size"] == size, media["size"], "bytes instead of", size)
    crc64 = vodwire.crc64_repeated(vodwire.crc64(block), len(block), times)
    expect(media["crc64"] == str(crc64), "the media differs from the stream")
    if media["md5"]:
        md5 = hashlib.md5()
        for _ in range(times):
            md5.update(block)
        expect(media["md5"] == md5.hexdigest(),
               "the media differs from the stream")


def check_renewals(log, late):
    """Renewed at nine tenths of their life, or when they were taken back;
    returns how often of each."""
    taken = [e["time"] for e in log if "expire-credentials" in soak.hits(e)]
    count = {"in time": 0, "taken back": 0, "refused": 0}
    fresh, why = None, "in time"
    for entry in sorted(log, key=soak.end_of):
        end = soak.end_of(entry)
        code = entry.get("code")
        if late is not None and code == "10011":
            # The `signature` that is still set; then the app is waited for.
            continue
        if code in ("ExpiredToken", "AccessDenied"):
            # What was on its way may be told so after the next renewal.
            if [t for t in taken if fresh - 1 <= t <= end]:
                why = "taken back"
            else:
                # A life is 16 s here: a busy machine may miss the end of one.
                expect((late or 0) > 1000 or entry["time"] <= fresh or
                       count["refused"] == 0, "renewed too late:", entry)
                why = "refused"
            continue
        expect(soak.succeeded(entry), "failed:", entry)
        if entry["op"] != "ApplyUploadUGC":
            continue
        if fresh is not None:
            count[why] += 1
            expect(why != "in time" or end - fresh >= RENEWED * LIFETIME -
                   LATE, "renewed after %.1f s already" % (end - fresh))
        fresh, why = end, "in time"
    expect(count["in time"] or late and count["refused"],
           "never renewed in time", count)
    return count["in time"], count["taken back"]


def run(rng, number, folder):
    kind = list(KINDS)[number % len(KINDS)]
    parts = PARTS
    path, block = make_block(rng, folder)
    times = parts * MIB // len(block) + 1
    facts = {"what": kind, "kind": kind}
    # A signature for one request only; the app makes such ones too.
    with Emulator("--credential-lifetime", str(LIFETIME), "--rate",
                  str(RATE), "--seed", str(number), "--root",
                  os.path.join(folder, "root"),
                  *(["--discard"] if parts > 1000 else [])) as emulator:
        base = "http://127.0.0.1:%d" % emulator.port
        emulator.faults(*(
            {"op": "UploadPart", "expire-credentials": True,
             "probability": TAKEN_BACK, "skip": NOT_BEFORE, **shape}
            for shape in ({"shape": "message"}, {})))
        late = KINDS[kind]
        program = harness.Program(
            [harness.APP, *([] if late is None else
                            ["--answer-after=%d" % late]),
             "multifilesrc location=%s loop=true num-buffers=%d ! vodsink "
             "media-type=ts endpoint=%s slice-size=%d max-size-bytes=%d "
             "parallel-uploads=3 %s" % (
                 path, times, base, MIB, 4 * MIB,
                 "signature-url=%s/signature?oneTimeValid=1" % base
                 if late is None else "")],
            env={"XDG_STATE_HOME": folder})
        result = program.finish(600 + 20 * parts * MIB // RATE)
        state = emulator.state()
    try:
        expect(result.code == 0, result.tail())
        expect(len(state["media"]) == 1 and state["uploads"] == [],
               state["media"], state["uploads"])
        media = state["media"][0]
        expect(media["parts"] >= parts, media["parts"], "parts only")
        check_content(media, block, times)
        log = [e for e in state["log"] if e["op"] != "media"]
        expect(len(log) < 20000, "the log is not the whole log")
        facts["renewed"], facts["forced"] = check_renewals(log, late)
    except soak.Untrue as e:
        e.facts = dict(facts, log=soak.brief(state["log"]))
        raise
    stats = harness.lines(result.out, "stats")[-1]
    facts.update(parts=media["parts"], size=media["size"],
                 minutes=round(result.seconds / 60, 2),
                 retries=stats["retries"],
                 asked=result.out.count("\nasked\n"))
    facts["what"] += ": %d parts, %d renewals, %d forced ones" % (
        facts["parts"], facts["renewed"], facts["forced"])
    return facts


def summarize(results):
    good = [r for r in results if r["ok"]]
    yield "parts: %d, GiB: %.1f, renewals at %.0f %% of the life: %d, after " \
        "credentials were taken back: %d, retries: %d" % (
            sum(r["parts"] for r in good),
            sum(r["size"] for r in good) / 2 ** 30, 100 * RENEWED,
            sum(r["renewed"] for r in good), sum(r["forced"] for r in good),
            sum(r["retries"] for r in good))


if __name__ == "__main__":
    options = soak.arguments(__doc__, 3, 3)
    PARTS = 5200 if options.long else 220
    RATE = (16 if options.long else 10) * MIB
    # After a while in which nothing but time forces a renewal.
    NOT_BEFORE = 1000 if options.long else 170
    TAKEN_BACK = 0.0005 if options.long else 0.03
    options.jobs = 3
    soak.campaign("day", run, options, summarize)
