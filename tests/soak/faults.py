#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that the service and the line can do, by chance: three requests in
ten fail, in any way the emulator knows, and some uploads lose the line for
good. Whatever happens, the media is committed as filesink would have written
it, once, or there is an error that tells the truth: the emulator's log shows
its cause, and nobody went on longer than retry-duration allows."""

import soak
from soak import MIB, expect, harness
from harness import Emulator

RETRY_DURATION = 6
TIMEOUT = 2
FAILING = 0.3
SLACK = 2.0     # s: a busy machine
MOMENT = 0.2    # s

VOD = ["ApplyUploadUGC", "CommitUploadUGC"]
COS = ["InitiateMultipartUpload", "UploadPart", "CompleteMultipartUpload",
       "HeadObject", "AbortMultipartUpload", "ListParts",
       "ListMultipartUploads"]

# ---- kinds: what may happen to a request of which operations ----

ANYWHERE = [
    {"status": 500}, {"status": 502, "request-id": False}, {"status": 504},
    {"status": 503, "retry-after": 1}, {"status": 503, "early": True},
    {"status": 503, "early": True, "linger": True}, {"status": 429},
    {"status": 408}, {"drop": True}, {"drop": True, "reset": True},
    {"stall": True}, {"lose-answer": True}, {"truncate": True},
    {"garbage": "huge"},
]
NO_ANSWERS = [{"garbage": kind}
              for kind in ("xml", "json", "types", "html", "empty")]
SKEWS = [{"clock-skew": 3600}, {"clock-skew": -3600}]

TRANSIENT = {
    "signature": ANYWHERE,
    **{op: ANYWHERE + NO_ANSWERS + [
        {"status": 200, "code": 10010}, {"status": 200, "code": 4711},
        {"status": 200, "code": 4712, "message": "duplicate vod signature"},
    ] for op in VOD},
    **{op: ANYWHERE + NO_ANSWERS + SKEWS + [
        {"status": 400, "code": "RequestTimeout"},
        {"status": 400, "code": "UserNetworkTooSlow"},
        {"status": 500, "code": "InternalError"},
        {"status": 503, "code": "ServiceUnavailable"},
        {"status": 503, "code": "SlowDown", "retry-after": 1},
        {"status": 400, "code": "ExpiredToken"},
        {"status": 403, "code": "RequestHasExpired"},
        {"status": 403, "code": "RequestTimeTooSkewed"},
        {"expire-credentials": True},
        {"expire-credentials": True, "shape": "message"},
    ] for op in COS},
}
TRANSIENT["UploadPart"] = TRANSIENT["UploadPart"] + [
    {"wrong-crc": True}, {"no-crc": True, "wrong-etag": True},
    {"no-etag": True},
    {"drop": True, "after-bytes": 0}, {"drop": True, "after-bytes": 1000},
    {"drop": True, "after-bytes": 600000, "reset": True},
    {"status": 400, "code": "BadDigest"},
    {"status": 400, "code": "EntitySizeNotMatch"},
    {"status": 400, "code": "IncompleteBody"},
    {"status": 411, "code": "MissingContentLength"},
]
TRANSIENT["CompleteMultipartUpload"] = \
    TRANSIENT["CompleteMultipartUpload"] + [
        {"error-in-200": "InternalError"}, {"error-in-200": "SlowDown"}]

FINAL_CODES = {
    "AccessDenied": 403, "InvalidAccessKeyId": 403,
    "SignatureDoesNotMatch": 403, "EntityTooLarge": 400,
    "EntityTooSmall": 400, "InvalidPart": 400, "InvalidPartOrder": 400,
    "MalformedXML": 400, "NoSuchBucket": 404, "MethodNotAllowed": 405,
    "PathConflict": 409, "UnavailableForLegalReasons": 451,
    "NoSuchUpload": 404, "InvalidArgument": 400,
}
FINAL = {
    "signature": [{"status": 403}, {"status": 404}] + [
        {"garbage": kind} for kind in ("json", "types", "html", "empty")],
    **{op: [{"status": 200, "code": 10001}, {"status": 200, "code": 10004},
            {"status": 403}, {"status": 404}, {"forget-session": True}]
       for op in VOD},
    **{op: [{"status": status, "code": code}
            for code, status in FINAL_CODES.items()]
       for op in COS if op != "HeadObject"},
    "HeadObject": [{"status": 403}, {"status": 404}, {"status": 405},
                   {"wrong-crc": True}],
}
FINAL["UploadPart"] = FINAL["UploadPart"] + [
    {"corrupt": True}, {"wrong-etag": True}, {"forget-upload": True}]
FINAL["CompleteMultipartUpload"] = FINAL["CompleteMultipartUpload"] + [
    {"wrong-crc": True}, {"forget-upload": True},
    {"error-in-200": "InvalidPart"}, {"error-in-200": "EntityTooSmall"}]

HARMLESS = [
    {"op": "*", "delay": 150}, {"op": "*", "close-idle": True},
    {"op": "UploadPart", "no-crc": True},
    {"op": "CompleteMultipartUpload", "no-crc": True},
    {"op": "CompleteMultipartUpload", "spaces": 700},
    {"op": "*", "trickle": 1},
]

MUXERS = ["mp4mux", "qtmux", "mp4mux fragment-duration=500",
          "matroskamux streamable=true", "mpegtsmux", "flvmux", "avimux",
          *soak.REACHING]


def share(op, kinds, total):
    """These faults, so that a request is hit with probability @total."""
    each = 1 - (1 - total) ** (1 / len(kinds))
    return [dict(kind, op=op, probability=each) for kind in kinds]


def draw_faults(rng, final):
    """Three in ten, a tenth of them @final; and the harmless on top. Sums of
    the answer exclude each other: of those there is one kind at a time."""
    faults = []
    for op, kinds in TRANSIENT.items():
        kinds = rng.sample(kinds, rng.randint(4, len(kinds)))
        part = 1 - (1 - FAILING) ** 0.9 if final else FAILING
        mine = share(op, kinds, part)
        if final:
            some = FINAL[op]
            mine += share(op, rng.sample(some, rng.randint(
                1, len(some))), 1 - (1 - FAILING) ** 0.1)
        rng.shuffle(mine)
        faults += mine
    return faults + [dict(fault, probability=0.05)
                     for fault in rng.sample(HARMLESS, 3)]


def draw(rng, number):
    """Of eleven cases six have faults that pass, four any, and one loses the
    line in the middle, for good."""
    kind = "passing" if number % 11 < 6 else \
        "any" if number % 11 < 10 else "outage"
    if kind == "outage":
        faults = [{"op": "*", "skip": rng.randint(0, 25), "drop": True,
                   "reset": rng.random() < 0.5}]
    else:
        faults = draw_faults(rng, kind == "any")
    slice_size = rng.choice([1, 1, 2]) * MIB
    mux = rng.choice(MUXERS)
    settings = "timeout=%d retry-duration=%d slice-size=%d " \
        "max-size-bytes=%d parallel-uploads=%d content-md5=%s" % (
            TIMEOUT, RETRY_DURATION, slice_size,
            soak.memory(rng, mux, slice_size), rng.choice([1, 2, 6]),
            rng.choice(["false", "false", "true"]))
    return {"kind": kind, "mux": mux, "settings": settings,
            "faults": faults, "rate": rng.choice([0, 0, 8, 20]) * MIB,
            "seed": rng.getrandbits(31)}


# ---- is the error true? ----

OPS_OF_PHASE = {
    "signature": ["signature", *VOD],
    "apply": ["ApplyUploadUGC", "signature"],
    "initiate": ["InitiateMultipartUpload"],
    "part": ["UploadPart"],
    "complete": ["CompleteMultipartUpload", "HeadObject"],
    "commit": ["CommitUploadUGC", "signature"],
}


REFUSED = ("ExpiredToken", "RequestHasExpired", "RequestTimeTooSkewed",
           "AccessDenied")


def answers(upload, phase):
    return [e for e in upload.log if e["op"] in OPS_OF_PHASE[phase]]


def anybody_hit(upload, *kinds):
    return [e for e in upload.log if soak.hits(e) & set(kinds)]


def final_code(upload, error):
    """The service said so, and there is nothing to do about it."""
    code, name = error["code"], error.get("error-code")
    said = [e for e in answers(upload, error["phase"])
            if e.get("code") in (name, str(code)) or
            (e["status"] == code and not name)]
    if not said:
        return None
    if name:
        return name if name in FINAL_CODES else None
    if code in (10001, 10004):
        return "code %d" % code
    if code >= 1000:
        # Nobody knows it: four times, then it is believed.
        return "code %d" % code if len(said) >= 4 else None
    return "status %d" % code if 400 <= code < 500 and \
        code not in (408, 425, 429) else None


def special(upload, error):
    """What the service does to an upload without saying so."""
    message, phase = error["message"], error["phase"]
    name = error.get("error-code")
    if phase == "complete" and "CRC64" in message and [
            e for e in anybody_hit(upload, "corrupt", "wrong-crc")
            if e["op"] != "UploadPart" or "corrupt" in soak.hits(e)]:
        return "another CRC64 of the whole"
    if name == "NoSuchUpload" and anybody_hit(upload, "forget-upload"):
        return "a forgotten upload"
    if name == "NoSuchUpload" and [
            e for e in answers(upload, "complete")
            if e["op"] == "HeadObject" and e["status"] == 404]:
        return "an object that is not there"
    if name == "InvalidPart" and anybody_hit(upload, "wrong-etag"):
        return "an ETag that was told wrongly"
    if phase == "signature" and [
            e for e in answers(upload, phase)
            if soak.hits(e) & {"garbage"} and e["op"] == "signature"]:
        return "no signature"
    return None


def progress(upload):
    """What restarts the clock of retry-duration. A renewal that a refusal
    forced does not: only what it was for."""
    found, refused = [], False
    for entry in sorted(upload.log, key=soak.end_of):
        if entry.get("code") in REFUSED or \
                soak.hits(entry) & {"expire-credentials"}:
            refused = True
        elif soak.is_progress(entry) and soak.succeeded(entry):
            if entry["op"] != "ApplyUploadUGC" or not refused:
                found.append(entry)
            if entry["op"] == "ApplyUploadUGC":
                refused = False
    return found


def check_patience(upload):
    """Nobody goes on for longer than retry-duration and one request more
    without success; returns how long it was at the end, in s."""
    requests = sorted((e for e in upload.log
                       if e["op"] not in ("AbortMultipartUpload", "media")),
                      key=lambda e: e["time"])
    over = max([soak.end_of(e) for e in requests] or [upload.begun])
    since, last = upload.begun, 0
    for mark in [soak.end_of(e) for e in progress(upload)] + [over]:
        begun = [e["time"] for e in requests if since <= e["time"] <= mark]
        gap = mark - begun[0] if begun else 0
        expect(gap <= RETRY_DURATION + TIMEOUT + SLACK,
               "went on for %.1f s without success" % gap)
        # What succeeded beside the failure that was the end is seen after it.
        if over - mark < MOMENT:
            last = max(last, gap)
        since = mark
    if upload.error:
        expect(upload.ended <= over + 2 + RETRY_DURATION + SLACK,
               "ended %.1f s after its last request" % (upload.ended - over))
    return last


def check_error(upload, patience):
    """Why it failed, as the log shows it."""
    why = final_code(upload, upload.error) or special(upload, upload.error)
    if why is None and patience >= RETRY_DURATION - 0.5:
        why = "retry-duration"
    expect(why, "no cause is known for", upload.error.fields,
           "after %.1f s" % patience, [
               (e["op"], e.get("part"), e["status"], e.get("code"),
                e.get("faults")) for e in upload.log[-12:]])
    return why


def check_left_open(upload):
    """Nothing is left at the service but what the client never learned of (it
    began another one then), what belongs to a session that it lost and began
    anew without, and, after an error, what it tried in vain to delete."""
    begun = [e for e in upload.log if e["op"] == "InitiateMultipartUpload" and
             "code" not in e and not soak.hits(e) & {"drop", "stall",
                                                     "garbage"}]
    in_vain = [e for e in upload.log if e["op"] == "AbortMultipartUpload" and
               not soak.succeeded(e)]
    left = len(upload.state["uploads"])
    sessions = len(upload.state["sessions"]) + upload.remembered
    expect(left <= max(len(begun) - 1, 0) + max(sessions - 1, 0) + (
        1 if upload.error and (in_vain or upload.error["phase"] == "initiate")
        else 0), left, "uploads are left open at the service")
    return left


def run(rng, number, folder):
    case = draw(rng, number)
    pipeline = "filesrc location=%s/short.mkv ! matroskademux ! h264parse ! " \
        "%s ! recorder" % (harness.content(), case["mux"])
    facts = {"what": "%s faults, %s" % (case["kind"], case["mux"]),
             "kind": case["kind"], "settings": case["settings"]}
    with Emulator("--seed", str(case["seed"])) as emulator:
        emulator.faults(*case["faults"])
        upload = soak.Upload(emulator, folder, case["settings"], pipeline,
                             case["rate"])
        emulator.clear_faults()
        try:
            facts["outcome"] = upload.check_media()
            facts["patience"] = round(check_patience(upload), 2)
            if upload.error:
                facts["error"] = upload.error.fields
                facts["cause"] = check_error(upload, facts["patience"])
            else:
                upload.check_bytes(emulator)
            facts["open"] = check_left_open(upload)
        except soak.Untrue as e:
            e.facts = dict(facts, log=soak.brief(upload.log))
            raise
    failed = [e for e in upload.log if not soak.succeeded(e)]
    facts.update(requests=len(upload.log), failing=len(failed), hit={},
                 retries=int(upload.stats["retries"]))
    for entry in upload.log:
        for name in soak.hits(entry):
            facts["hit"][name] = facts["hit"].get(name, 0) + 1
    facts["what"] += ": " + facts.get("cause", facts["outcome"])
    return facts


def summarize(results):
    good = [r for r in results if r["ok"]]
    requests = sum(r["requests"] for r in good)
    failing = sum(r["failing"] for r in good)
    yield "requests: %d, of which %d failed (%.0f %%)" % (
        requests, failing, 100 * failing / max(requests, 1))
    yield "hit by: " + soak.counted(good, "hit")
    yield "outcome: " + soak.counted(good, "outcome")
    yield "causes of errors: " + soak.counted(good, "cause")
    yield "longest without success: %.1f s, of %d + %d allowed" % (
        max([r["patience"] for r in good] or [0]), RETRY_DURATION, TIMEOUT)
    yield "left open, because the answer to Initiate or DELETE was lost: %d" % sum(
        r["open"] for r in good)


if __name__ == "__main__":
    options = soak.arguments(__doc__, 16, 220)
    soak.campaign("faults", run, options, summarize)
