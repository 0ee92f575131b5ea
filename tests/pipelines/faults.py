#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the service and the line may do at every step of an upload: either the
media is committed as it should be, or there is one clear error, at once.
`faults.py BUILD [WORD...]`; speaks TAP."""

import hashlib
import os
import sys
import time
import unittest

import harness
from harness import MIB, Client, Emulator

OPERATIONS = ["signature", "ApplyUploadUGC", "InitiateMultipartUpload",
              "UploadPart", "CompleteMultipartUpload", "CommitUploadUGC"]


class FaultCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = harness.folder()
        cls.emulator = Emulator()
        cls.emulator.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)
        harness.remove(cls.where)

    def setUp(self):
        self.emulator.clear_faults()
        self.media = len(self.emulator.state()["media"])
        self.requests = self.emulator.state()["requests"]

    def tearDown(self):
        self.emulator.clear_faults()

    def hits(self):
        return sum(fault["hits"] for fault in
                   Client(self.emulator).request("GET", "/api/faults").json())

    def count(self, operation):
        """Requests of this kind since the test began."""
        before = sum(self.requests.get(operation, {}).values())
        state = self.emulator.state()
        return sum(state["requests"].get(operation, {}).values()) - before

    def replay(self, settings="", mux="mp4mux", rate=0):
        """A muxer that rewrites, into a file and into the service."""
        path = os.path.join(self.where, "file")
        base = "%s://127.0.0.1:%d" % (
            self.emulator.scheme, self.emulator.port)
        result = harness.run(
            [harness.REPLAY, "--file", path, "--rate=%d" % rate, "--sink",
             "vodsink endpoint=%s signature-url=%s/signature %s" % (
                 base, base, settings),
             "filesrc location=%s/short.mkv ! matroskademux ! h264parse ! "
             "%s ! recorder" % (harness.content(), mux)], timeout=90)
        self.assertEqual(result.code, 0, result.tail())
        stats = dict(line.partition(" ")[::2]
                     for line in result.out.splitlines())
        with open(path, "rb") as f:
            md5 = hashlib.md5(f.read()).hexdigest()
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), self.media + 1)
        self.assertEqual(state["media"][-1]["md5"], md5)
        self.media += 1
        return stats

    def launch(self, *settings, timeout=60, base=None):
        """A file by gst-launch-1.0; returns how it ended."""
        return harness.run(harness.launch(
            ["filesrc", "location=%s/short.mkv" % harness.content(), "!",
             *harness.sink(self.emulator, *settings)]), timeout=timeout)

    def fails(self, *settings, **kwargs):
        """The upload fails, with one error; returns vodsink-error. It is not to
        be resumed: what is up is deleted."""
        result = self.launch("resume=false", *settings, **kwargs)
        error = harness.failure(result)
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), self.media)
        self.result = result
        return error


    def works(self, *settings):
        """The upload is committed, once, and nothing is left."""
        result = self.launch("resume=false", *settings)
        self.assertEqual(result.code, 0, result.tail())
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), self.media + 1)
        self.assertEqual(state["uploads"], [])


# ---- what is got over ----

# name: fault, settings
PASSING = {
    "500": ({"status": 500}, ""),
    "503 SlowDown": ({"status": 503, "code": "SlowDown", "retry-after": 1},
                     ""),
    "an early 503": ({"status": 503, "early": True}, ""),
    "no answer, then the end": ({"drop": True}, ""),
    "no answer, then a reset": ({"drop": True, "reset": True}, ""),
    "no answer at all": ({"stall": True}, "timeout=1"),
    "a lost answer": ({"lose-answer": True}, ""),
    "half an answer": ({"truncate": True}, ""),
    "garbage": ({"garbage": True}, ""),
    "wrong types": ({"garbage": "types"}, ""),
    "a captive portal": ({"garbage": "html"}, ""),
    "an empty answer": ({"garbage": "empty"}, ""),
    "64 MiB of answer": ({"garbage": "huge"}, ""),
}

# Those after which the client has got a good answer all the same.
HARMLESS = {
    "a late answer": {"delay": 400},
    "a close without notice": {"close-idle": True},
}

# Faults of one operation.
SPECIAL = {
    "UploadPart": {
        "a wrong CRC64": {"wrong-crc": True},
        "no CRC64 and a wrong ETag": {"no-crc": True, "wrong-etag": True},
        "an end within the body": {"drop": True, "after-bytes": 300000},
        "a reset within the body": {"drop": True, "after-bytes": 300000,
                                    "reset": True},
        "BadDigest": {"status": 400, "code": "BadDigest"},
        "RequestTimeout": {"status": 400, "code": "RequestTimeout"},
    },
    "CompleteMultipartUpload": {
        "an error in a 200": {"error-in-200": "InternalError"},
    },
}


class TestPassing(FaultCase):
    def check(self, operation, fault, settings):
        self.emulator.faults(dict(fault, op=operation, times=2))
        stats = self.replay(settings)
        # An upload whose id was lost is found again, not begun twice.
        found = operation == "InitiateMultipartUpload" and (
            "lose-answer" in fault or "truncate" in fault)
        self.assertEqual(self.hits(), 1 if found else 2)
        self.assertEqual(self.emulator.state()["uploads"], [])
        self.assertGreaterEqual(int(stats["retries"]), 1)

    def check_harmless(self, operation, fault):
        self.emulator.faults(dict(fault, op=operation))
        stats = self.replay()
        self.assertGreaterEqual(self.hits(), 1)
        if "delay" in fault:
            self.assertEqual(stats["retries"], "0")

    def test_no_crc64_but_a_true_etag(self):
        """UploadPart: no CRC64, then the ETag is compared"""
        self.emulator.faults({"op": "UploadPart", "no-crc": True})
        self.assertEqual(self.replay()["retries"], "0")

    def test_no_crc64_of_the_whole(self):
        """CompleteMultipartUpload: no CRC64 is no failure"""
        self.emulator.faults(
            {"op": "CompleteMultipartUpload", "no-crc": True})
        self.assertEqual(self.replay()["retries"], "0")

    def test_blanks_before_the_answer_of_complete(self):
        self.emulator.faults(
            {"op": "CompleteMultipartUpload", "spaces": 3000})
        self.assertEqual(self.replay("timeout=2")["retries"], "0")

    def test_everything_by_chance(self):
        """one request in five fails in some way"""
        with Emulator("--seed", "11") as emulator:
            self.emulator, self.media = emulator, 0
            self.emulator.faults(
                {"probability": 0.05, "status": 503},
                {"probability": 0.05, "drop": True},
                {"probability": 0.05, "drop": True, "after-bytes": 1000},
                {"probability": 0.05, "lose-answer": True},
                {"op": "UploadPart", "probability": 0.05, "wrong-crc": True},
                {"probability": 0.2, "close-idle": True})
            for mux in ("mp4mux", "matroskamux", "mp4mux "
                        "fragment-duration=500 "
                        "fragment-mode=first-moov-then-finalise"):
                with self.subTest(mux):
                    self.replay("slice-size=1048576 max-size-bytes=16777216",
                                mux, rate=10 * MIB)
            self.assertGreater(self.hits(), 5)
            self.emulator = type(self).emulator

    def test_an_outage_between(self):
        """nothing gets through for three seconds in the middle"""
        self.emulator.faults({"op": "UploadPart", "skip": 3, "times": 1000,
                              "drop": True})
        path = os.path.join(harness.content(), "short.mkv")
        program = harness.Program(harness.launch(
            ["filesrc", "location=" + path, "!",
             *harness.sink(self.emulator, "slice-size=1048576",
                           "max-size-bytes=4194304")]))
        begun = time.monotonic()
        program.wait_for(lambda: time.monotonic() > begun + 3)
        self.assertGreater(self.hits(), 3)
        self.emulator.clear_faults()
        result = program.finish(30)
        self.assertEqual(result.code, 0, result.tail())
        self.assertGreater(
            len(harness.messages(result.out, "vodsink-retry")), 2)
        self.assertLess(result.seconds, 25)


def add_passing(operation, name, fault, settings=""):
    def method(self):
        self.check(operation, fault, settings)
    method.__doc__ = "%s: %s, twice" % (operation, name)
    setattr(TestPassing, "test_%s_%s" % (operation, name), method)


def add_harmless(operation, name, fault):
    def method(self):
        self.check_harmless(operation, fault)
    method.__doc__ = "%s: %s, always" % (operation, name)
    setattr(TestPassing, "test_%s_%s" % (operation, name), method)


# What is no signature is the application's fault, not the line's.
FINAL_FOR_SIGNATURE = ("garbage", "wrong types", "a captive portal",
                       "an empty answer")

for op in OPERATIONS:
    for each, (what, with_settings) in PASSING.items():
        if op != "signature" or each not in FINAL_FOR_SIGNATURE:
            add_passing(op, each, what, with_settings)
    for each, what in SPECIAL.get(op, {}).items():
        add_passing(op, each, what)
    for each, what in HARMLESS.items():
        add_harmless(op, each, what)


# ---- what is renewed ----

class TestRenewing(FaultCase):
    def test_expired_signature_at_apply(self):
        self.emulator.faults({"op": "ApplyUploadUGC", "times": 1, "json": {
            "code": 10010, "message": "signature expired"}})
        self.replay()
        self.assertEqual(self.count("signature"), 3)

    def test_expired_signature_at_commit(self):
        self.emulator.faults({"op": "CommitUploadUGC", "times": 1, "json": {
            "code": 10010, "message": "signature expired"}})
        self.replay()
        self.assertEqual(self.count("signature"), 3)

    def test_one_time_signature_of_a_lost_apply(self):
        self.emulator.faults({"op": "ApplyUploadUGC", "times": 1,
                              "lose-answer": True})
        base = "http://127.0.0.1:%d" % self.emulator.port
        self.replay("signature-url=%s/signature?oneTimeValid=1" % base)
        self.assertEqual(self.count("ApplyUploadUGC"), 2)

    def check_renewal(self, operation, **fault):
        self.emulator.faults(dict(fault, op=operation, times=1))
        self.replay()
        self.assertEqual(self.hits(), 1)
        self.assertEqual(self.count("ApplyUploadUGC"), 2)

    def test_expired_token_at_each_step(self):
        for operation in OPERATIONS[2:5]:
            for shape in ({}, {"shape": "message"}):
                with self.subTest(operation=operation, **shape):
                    self.setUp()
                    self.check_renewal(
                        operation, **{"expire-credentials": True}, **shape)

    def test_skewed_clock(self):
        """a clock that is an hour off is got over, either way"""
        for seconds in (-3600, 3600):
            with self.subTest(seconds):
                self.setUp()
                self.emulator.faults({"op": "*", "clock-skew": seconds})
                self.replay()
                self.assertGreater(self.hits(), 3)

    def test_credentials_are_renewed_before_they_expire(self):
        # 90 % of the life, while the service counts in whole seconds.
        with Emulator("--credential-lifetime", "11", "--rate",
                      str(MIB)) as emulator:
            self.emulator, self.media = emulator, 0
            self.replay("slice-size=1048576 max-size-bytes=4194304")
            state = emulator.state()
            self.emulator = type(self).emulator
        self.assertGreaterEqual(state["media"][0]["applies"], 2)
        refused = [entry["code"] for entry in state["log"]
                   if entry["status"] >= 400]
        self.assertEqual(refused, [], "renewed in time")


# ---- what is final ----

class TestFinal(FaultCase):
    def check_service(self, operation, code, requests=1):
        self.emulator.faults({"op": operation, "json": {
            "code": code, "message": "the reason %d" % code,
            "requestId": "id-of-%d" % code}})
        error = self.fails()
        self.assertEqual(error["code"], code)
        self.assertIn("the reason %d" % code, error["message"])
        self.assertEqual(error["request-id"], "id-of-%d" % code)
        self.assertIn(str(code), self.result.err)
        self.assertIn("id-of-%d" % code, self.result.err)
        self.assertEqual(self.count(operation), requests)
        self.assertEqual(self.emulator.state()["uploads"], [])
        return error

    def test_invalid_request_at_apply(self):
        self.assertEqual(
            self.check_service("ApplyUploadUGC", 10001)["phase"], "apply")

    def test_invalid_signature_at_apply(self):
        self.check_service("ApplyUploadUGC", 10004)

    def test_invalid_request_at_commit(self):
        self.assertEqual(
            self.check_service("CommitUploadUGC", 10001)["phase"], "commit")

    def test_unknown_code_at_commit(self):
        """a code that nobody knows is tried four times"""
        self.check_service("CommitUploadUGC", 4711, requests=4)

    def test_wrong_signature(self):
        """a signature that is made with another key"""
        path = os.path.join(self.where, "signature")
        with open(path, "w") as f:
            f.write(harness.vodwire.upload_signature(key="another key"))
        error = self.fails("signature-url=file://" + path)
        self.assertEqual(error["code"], 10004)
        self.assertEqual(self.count("ApplyUploadUGC"), 1)

    def check_storage(self, operation, code, phase, status=403):
        self.emulator.faults({"op": operation, "status": status, "code": code,
                              "message": "so it is"})
        error = self.fails("parallel-uploads=1")
        self.assertEqual(error["phase"], phase)
        self.assertEqual(error["code"], status)
        self.assertEqual(error["error-code"], code)
        self.assertTrue(error["request-id"])
        self.assertIn(code, self.result.err)
        self.assertIn(error["request-id"], self.result.err)
        self.assertIn("so it is", error["message"])
        self.assertEqual(self.count(operation), 1)
        self.assertEqual(self.emulator.state()["uploads"], [],
                         "the parts are deleted")

    def check_no_signature(self, garbage):
        self.emulator.faults({"op": "signature", "garbage": garbage})
        error = self.fails()
        self.assertEqual(error["phase"], "signature")
        self.assertEqual(self.count("signature"), 1)
        self.assertEqual(self.count("ApplyUploadUGC"), 0)

    def test_forgotten_upload_at_a_part(self):
        """an upload id that is gone: from the start, out of upstream's file"""
        self.emulator.faults({"op": "UploadPart", "skip": 2, "times": 1,
                              "forget-upload": True})
        self.works()
        self.assertEqual(self.count("InitiateMultipartUpload"), 2)

    def test_forgotten_upload_at_complete(self):
        """likewise when everything was up"""
        self.emulator.faults({"op": "CompleteMultipartUpload", "times": 1,
                              "forget-upload": True})
        self.works()
        self.assertGreaterEqual(self.count("HeadObject"), 1)
        self.assertEqual(self.count("CommitUploadUGC"), 1)

    def test_corrupt_part_is_never_committed(self):
        """a part that is stored wrongly: the whole's CRC64 tells"""
        self.emulator.faults({"op": "UploadPart", "part": 2,
                              "corrupt": True})
        error = self.fails("retry-duration=4")
        self.assertEqual(error["phase"], "complete")
        self.assertIn("CRC64", error["message"])
        self.assertEqual(self.count("CommitUploadUGC"), 0)

    def test_no_retry_if_none_is_wanted(self):
        """retry-duration=0: the first failure is the last"""
        self.emulator.faults({"op": "UploadPart", "status": 503})
        error = self.fails("retry-duration=0", "parallel-uploads=1")
        self.assertEqual(error["code"], 503)
        self.assertEqual(self.count("UploadPart"), 1)
        self.assertEqual(
            harness.messages(self.result.out, "vodsink-retry"), [])

    def test_retry_duration_is_kept(self):
        """retry-duration=2: two seconds, then the end"""
        self.emulator.faults({"op": "UploadPart", "status": 503})
        error = self.fails("retry-duration=2", "parallel-uploads=2")
        self.assertEqual(error["code"], 503)
        self.assertGreaterEqual(self.count("UploadPart"), 4)
        self.assertGreaterEqual(self.result.seconds, 2)
        self.assertLess(self.result.seconds, 6)

    def test_retry_duration_while_only_renewals_succeed(self):
        """a token that is refused again and again ends too"""
        self.emulator.faults({"op": "UploadPart", "status": 400,
                              "code": "ExpiredToken"})
        error = self.fails("retry-duration=2", "parallel-uploads=2")
        self.assertEqual(error["error-code"], "ExpiredToken")
        self.assertLess(self.result.seconds, 8)
        self.assertLess(self.count("ApplyUploadUGC"), 40)


def add_storage(operation, code, phase):
    def method(self):
        self.check_storage(operation, code, phase)
    method.__doc__ = "%s: %s is final at once" % (operation, code)
    setattr(TestFinal, "test_%s_%s" % (operation, code), method)


for op, each in zip(OPERATIONS[2:5], ("initiate", "part", "complete")):
    for what in ("AccessDenied", "InvalidAccessKeyId",
                 "SignatureDoesNotMatch"):
        add_storage(op, what, each)


def add_no_signature(name, garbage):
    def method(self):
        self.check_no_signature(garbage)
    method.__doc__ = "signature: %s is final at once" % name
    setattr(TestFinal, "test_signature_" + name, method)


for each in FINAL_FOR_SIGNATURE:
    add_no_signature(each, PASSING[each][0]["garbage"])


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
