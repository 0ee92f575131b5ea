# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every fault, on the wire."""

import hashlib
import html
import http.client
import json
import threading
import time
import unittest

from vodwire import (MIB, Client, Emulator, Upload, code_of, crc64,
                     raw_exchange, upload_signature, vod)

A = bytes(range(256)) * 4096  # 1 MiB
GONE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class FaultCase(unittest.TestCase):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)

    def setUp(self):
        self.emulator.clear_faults()
        self.upload = Upload(self.emulator)
        self.upload.initiate()

    def fault(self, op="UploadPart", **fault):
        return self.emulator.faults(dict(fault, op=op))

    def raw_part(self, number, data, extra=""):
        """The bytes of a part request on a connection of its own."""
        upload = self.upload
        headers = upload.headers("PUT", upload.path, [
            ("partNumber", number), ("uploadId", upload.upload_id)])
        lines = ["PUT %s?partNumber=%d&uploadId=%s HTTP/1.1" % (
            upload.path, number, upload.upload_id), "Host: 127.0.0.1",
            "Content-Length: %d" % len(data)]
        lines += ["%s: %s" % h for h in headers]
        return ("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode() + data

    def sizes(self):
        answer = self.upload.list_parts(client=Client(self.emulator))
        return answer.find_all("Size")


class TestMatching(FaultCase):
    def test_part_times_and_skip(self):
        self.fault(part=2, status=503, times=2, skip=1)
        statuses = [self.upload.part(n, b"x").status
                    for n in (1, 2, 1, 2, 2, 2)]
        self.assertEqual(statuses, [200, 200, 200, 503, 503, 200])
        listed = self.emulator.get("/api/faults").json()
        self.assertEqual((listed[0]["hits"], listed[0]["seen"]), (2, 3))
        self.assertEqual(listed[0]["status"], 503)

    def test_star_hits_everything_but_the_pages(self):
        self.fault("*", status=500)
        self.assertEqual(self.emulator.get("/signature").status, 500)
        self.assertEqual(self.upload.part(1, b"x").status, 500)
        self.assertEqual(self.emulator.get("/api/state").status, 200)
        self.emulator.clear_faults()
        self.assertEqual(self.upload.part(1, b"x").status, 200)

    def test_list_reads_as_a_sequence(self):
        self.emulator.faults(
            {"op": "UploadPart", "status": 503, "times": 1},
            {"op": "UploadPart", "status": 500, "times": 1},
            {"op": "UploadPart", "wrong-etag": True, "times": 1})
        answers = [self.upload.part(1, b"x") for _ in range(3)]
        self.assertEqual([a.status for a in answers], [503, 500, 200])

    def test_posting_again_appends(self):
        self.fault(status=503, times=1)
        self.assertEqual(len(self.fault(status=500, times=1)), 2)

    def test_host(self):
        self.fault("signature", host="dnsv1", status=502)
        client = Client(self.emulator)
        for host, status in (("vod2.qcloud.com", 200),
                             ("vod2.dnsv1.com", 502)):
            self.assertEqual(client.request("GET", "/signature", [
                ("Host", host)]).status, status)

    def test_the_log_names_them(self):
        self.fault(status=503, times=1)
        self.fault(times=1, **{"close-idle": True, "no-crc": True})
        for _ in range(3):
            self.upload.part(1, b"x", client=Client(self.emulator))
        log = self.emulator.state()["log"][-3:]
        self.assertEqual([(e["fault"], set(e.get("faults", "-").split(",")))
                          for e in log],
                         [(True, {"status", "close-idle", "no-crc"}),
                          (False, {"-"}), (False, {"-"})])

    def test_bad_faults_are_explained(self):
        client = Client(self.emulator)
        for fault in ({"op": "Nothing", "drop": True}, {"op": "UploadPart"},
                      {"status": 99}, {"status": "503"}, {"drop": 1},
                      {"drop": True, "part": 0}, {"drop": True, "times": -1},
                      {"drop": True, "probability": 2}, {"typo": True},
                      {"garbage": "much"}, {"delay": "x"}, 7,
                      {"expire-credentials": True, "shape": "round"},
                      {"data": []}, {"data": "x"},
                      {"code": 10004}, {"code": "AccessDenied"},
                      {"op": "signature", "code": "AccessDenied"},
                      {"op": "UploadPart", "code": 10004},
                      {"op": "UploadPart", "code": ""},
                      {"op": "UploadPart", "code": None},
                      {"op": "ApplyUploadUGC", "code": 0},
                      {"op": "ApplyUploadUGC", "code": "10004"},
                      {"op": "ApplyUploadUGC", "code": 1.5},
                      {"drop": False, "after-bytes": 1},
                      {"after-bytes": -1}, {"after-bytes": True},
                      {"truncate": -1}, {"truncate": "x"},
                      {"truncate": False}, {"truncate": 1 << 40},
                      {"error-in-200": 7}, {"error-in-200": False},
                      {"status": 503, "code": []}, {"drop": True, "op": 1}):
            answer = client.request("POST", "/api/faults",
                                    body=json.dumps([fault]))
            self.assertEqual(answer.status, 400, fault)
            self.assertIn("fault", answer.text())
        for body in ("", "x", "[" * 1000):
            self.assertEqual(client.request(
                "POST", "/api/faults", body=body).status, 400)
        self.assertEqual(self.emulator.get("/api/faults").json(), [])


class TestErrors(FaultCase):
    def test_storage_error(self):
        self.fault(status=503, message="slower & slower",
                   **{"retry-after": 7, "server-time": "now"})
        answer = self.upload.part(1, A)
        self.assertEqual((answer.status, code_of(answer)), (503, "SlowDown"))
        self.assertEqual(answer.find("Message"), "slower &amp; slower")
        self.assertEqual(answer.headers["retry-after"], "7")
        self.assertEqual(answer.find("ServerTime"), "now")
        self.assertIn("x-cos-request-id", answer.headers)
        self.assertEqual(self.sizes(), [])

    def test_without_request_id(self):
        self.fault(status=500, code="InternalError", **{"request-id": False})
        answer = self.upload.part(1, b"x")
        self.assertNotIn("x-cos-request-id", answer.headers)
        self.assertIsNone(answer.find("RequestId"))

    def test_vod_errors(self):
        self.fault("ApplyUploadUGC", status=502, times=1)
        answer = Client(self.emulator).request(
            "POST", "/v3/index.php?Action=ApplyUploadUGC", body="{}")
        self.assertEqual(answer.status, 502)
        self.assertIn(b"<html>", answer.body)
        self.fault("ApplyUploadUGC", status=500, code=10001, times=1)
        answer = Client(self.emulator).request(
            "POST", "/v3/index.php?Action=ApplyUploadUGC", body="{}")
        self.assertEqual((answer.status, answer.json()["code"]), (500, 10001))
        self.fault("ApplyUploadUGC", json={"code": 77, "message": "m"})
        self.assertEqual(vod(self.emulator, "ApplyUploadUGC"),
                         {"code": 77, "message": "m"})

    def test_early_error_closes_without_reading(self):
        self.fault(status=403, early=True)
        request = self.raw_part(1, A)
        received, how = raw_exchange(
            self.emulator, request[:len(request) - len(A) // 2])
        self.assertTrue(received.startswith(b"HTTP/1.1 403 "), received)
        self.assertIn(b"Connection: close", received)
        self.assertIn(how, ("eof", "reset"))

    def test_early_error_that_lingers_is_always_read(self):
        self.fault(status=403, early=True, linger=True)
        for _ in range(5):
            answer = Upload.part(self.upload, 1, A,
                                 client=Client(self.emulator))
            self.assertEqual(answer.status, 403)

    def test_error_in_200(self):
        self.fault("CompleteMultipartUpload", times=1,
                   **{"error-in-200": "InternalError"})
        etags = [(1, self.upload.part(1, b"x").headers["etag"])]
        answer = self.upload.complete(etags)
        self.assertEqual((answer.status, code_of(answer)),
                         (200, "InternalError"))
        self.assertTrue(answer.body.startswith(b" "))
        self.assertEqual(self.upload.complete(etags).status, 200)

    def test_garbage(self):
        for kind, check in (
                (True, lambda a: a.body.startswith(b"<?xml")),
                ("xml", lambda a: b"\x01" in a.body),
                ("json", lambda a: a.body.endswith(b":")),
                ("types", lambda a: b"perhaps" in a.body),
                ("html", lambda a: b"hotel" in a.body),
                ("empty", lambda a: a.body == b""),
                ("huge", lambda a: len(a.body) == 64 * MIB)):
            with self.subTest(kind):
                self.fault("ListParts", garbage=kind, times=1)
                answer = self.upload.list_parts()
                self.assertEqual(answer.status, 200)
                self.assertTrue(check(answer))
        self.fault("ApplyUploadUGC", garbage="types", times=1)
        self.assertEqual(vod(self.emulator, "ApplyUploadUGC")["data"]["video"],
                         7)
        self.fault("ApplyUploadUGC", garbage=True, times=1)
        with self.assertRaises(ValueError):
            vod(self.emulator, "ApplyUploadUGC")


    def test_error_in_200_without_a_code(self):
        self.fault("CompleteMultipartUpload", times=1,
                   **{"error-in-200": True})
        etags = [(1, self.upload.part(1, b"x").headers["etag"])]
        answer = self.upload.complete(etags)
        self.assertEqual((answer.status, code_of(answer)),
                         (200, "InternalError"))
        self.assertEqual(self.upload.complete(etags).status, 200)

    def test_a_code_alone_is_an_error_of_the_vod_api(self):
        for code, says in ((10004, "invalid signature"),
                           (10010, "signature expired"), (99, "error")):
            self.fault("ApplyUploadUGC", code=code, times=1)
            answer = Client(self.emulator).request(
                "POST", "/v3/index.php?Action=ApplyUploadUGC", body="{}")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.json()["code"], code)
            self.assertIn(says, answer.json()["message"])
            self.assertIn("json", answer.headers["content-type"])
            self.assertEqual(self.emulator.state()["log"][-1]["faults"],
                             "status")
        self.fault("CommitUploadUGC", code=10001, message="no", times=1)
        self.assertEqual(vod(self.emulator, "CommitUploadUGC"),
                         {"code": 10001, "message": "no"})

    def test_a_code_alone_is_an_error_of_the_storage(self):
        for code, status in (
                ("AccessDenied", 403), ("SignatureDoesNotMatch", 403),
                ("NoSuchUpload", 404), ("MethodNotAllowed", 405),
                ("PathConflict", 409), ("InternalError", 500),
                ("SlowDown", 503), ("ExpiredToken", 400),
                ("<Unheard & of>", 400)):
            self.fault(code=code, times=1)
            answer = self.upload.part(1, b"x")
            self.assertEqual(answer.status, status)
            self.assertEqual(html.unescape(code_of(answer)), code)
        # beside what only changes an answer
        self.fault(code="SlowDown", delay=100, times=1)
        start = time.monotonic()
        self.assertEqual(self.upload.part(1, b"x").status, 503)
        self.assertGreaterEqual(time.monotonic() - start, 0.1)
        self.assertEqual(self.sizes(), [])


class TestConnections(FaultCase):
    def test_drop_before_the_answer(self):
        self.fault(drop=True, times=1)
        received, how = raw_exchange(self.emulator, self.raw_part(1, A))
        self.assertEqual((received, how), (b"", "eof"))
        self.assertEqual(self.sizes(), [])
        log = self.emulator.state()["log"]
        self.assertEqual([e["status"] for e in log
                          if e["op"] == "UploadPart"][-1], 0)

    def test_reset(self):
        self.fault(drop=True, reset=True)
        self.assertEqual(raw_exchange(self.emulator, self.raw_part(1, A)),
                         (b"", "reset"))

    def test_drop_in_the_body(self):
        for after in (0, 1, MIB // 2):
            self.fault(drop=True, times=1, **{"after-bytes": after})
            received, how = raw_exchange(self.emulator, self.raw_part(1, A))
            self.assertEqual(received, b"")
            self.assertIn(how, ("eof", "reset"))
        self.assertEqual(self.sizes(), [])

    def test_drop_in_the_body_needs_no_drop(self):
        for after in (0, MIB // 2):
            self.fault(times=1, **{"after-bytes": after})
            received, how = raw_exchange(self.emulator, self.raw_part(1, A))
            self.assertEqual(received, b"")
            self.assertIn(how, ("eof", "reset"))
            self.assertEqual(self.emulator.state()["log"][-1]["faults"],
                             "drop")
        self.assertEqual(self.sizes(), [])
        # elsewhere it is as it was
        self.fault(times=1, status=503, **{"after-bytes": 1})
        self.assertEqual(self.upload.part(1, A).status, 503)

    def test_lost_answer_to_work_that_was_done(self):
        self.fault(times=1, **{"lose-answer": True})
        self.assertEqual(raw_exchange(self.emulator, self.raw_part(1, A)),
                         (b"", "eof"))
        self.assertEqual(self.sizes(), [str(MIB)])
        self.fault("CompleteMultipartUpload", times=1,
                   **{"lose-answer": True})
        with self.assertRaises(GONE):
            self.upload.complete([(1, hashlib.md5(A).hexdigest())])
        self.upload.client = Client(self.emulator)
        self.assertEqual(self.upload.cos("HEAD").status, 200)
        self.fault("CommitUploadUGC", times=1, **{"lose-answer": True})
        with self.assertRaises(GONE):
            self.upload.commit()
        self.assertEqual(self.upload.commit()["code"], 0)

    def test_lost_answer_of_apply_uses_up_the_signature(self):
        self.fault("ApplyUploadUGC", times=1, **{"lose-answer": True})
        signature = upload_signature(oneTimeValid=1)
        fields = {"videoName": "n", "videoType": "mp4"}
        with self.assertRaises(GONE):
            vod(self.emulator, "ApplyUploadUGC", signature=signature, **fields)
        self.assertEqual(vod(self.emulator, "ApplyUploadUGC",
                             signature=signature, **fields)["code"], 10011)

    def test_delay(self):
        self.fault(delay=300)
        start = time.monotonic()
        self.assertEqual(self.upload.part(1, b"x").status, 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_delay_goes_with_an_error(self):
        self.emulator.faults({"op": "UploadPart", "delay": 200},
                             {"op": "UploadPart", "status": 503})
        start = time.monotonic()
        self.assertEqual(self.upload.part(1, b"x").status, 503)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_others_are_not_delayed(self):
        self.fault(delay=1500, part=1)
        thread = threading.Thread(target=lambda: self.upload.part(1, b"x"))
        thread.start()
        start = time.monotonic()
        self.emulator.get("/signature")
        self.assertLess(time.monotonic() - start, 1)
        thread.join()

    def test_stall(self):
        self.fault(stall=True, times=1)
        before = self.emulator.state()["open-connections"]
        client = Client(self.emulator, timeout=0.5)
        with self.assertRaises(TimeoutError):
            self.upload.part(1, b"x", client=client)
        client.close()
        deadline = time.monotonic() + 5
        while self.emulator.state()["open-connections"] > before:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.upload.part(1, b"x").status, 200)

    def test_truncated_answer(self):
        self.fault("ListParts", truncate=True, times=1)
        with self.assertRaises(http.client.IncompleteRead):
            self.upload.list_parts()
        self.upload.client = Client(self.emulator)
        self.fault(truncate=True, times=1)
        received, how = raw_exchange(self.emulator, self.raw_part(1, b"x"))
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertNotIn(b"\r\n\r\n", received)
        self.assertEqual(how, "eof")

    def test_answer_truncated_after_so_many_bytes(self):
        whole = self.upload.list_parts().body
        for after in (0, 20, 1 << 30):
            self.fault("ListParts", truncate=after, times=1)
            self.upload.client = Client(self.emulator)
            with self.assertRaises(http.client.IncompleteRead) as caught:
                self.upload.list_parts()
            got, missing = caught.exception.partial, caught.exception.expected
            self.assertGreater(missing, 0)
            self.assertEqual(len(got), min(after, len(got) + missing - 1))
            self.assertEqual(got[:20], whole[:min(after, 20)])

    def test_truncated_answer_to_head(self):
        self.fault("HeadObject", truncate=True)
        self.fault("HeadObject", status=404, message="m" * 10000)
        lines = ["HEAD %s HTTP/1.1" % self.upload.path, "Host: 127.0.0.1"]
        lines += ["%s: %s" % header for header in self.upload.headers(
            "HEAD", self.upload.path, [])]
        received, how = raw_exchange(
            self.emulator, ("\r\n".join(lines) + "\r\n\r\n").encode())
        self.assertTrue(received.startswith(b"HTTP/1.1 404 "), received)
        self.assertIn(b"x-cos-request-id", received)
        self.assertNotIn(b"\r\n\r\n", received)
        self.assertEqual(how, "eof")

    def test_trickled_answer(self):
        self.fault("ListParts", trickle=1)
        start = time.monotonic()
        answer = self.upload.list_parts()
        self.assertIn(b"</ListPartsResult>", answer.body)
        self.assertGreater(time.monotonic() - start, 0.3)

    def test_close_after_the_answer_without_notice(self):
        self.fault(times=1, **{"close-idle": True})
        answer = self.upload.part(1, b"x")
        self.assertEqual(answer.status, 200)
        self.assertNotIn("close", answer.headers.get("connection", ""))
        time.sleep(0.1)
        with self.assertRaises(GONE):
            self.upload.part(2, A)

    def test_connections_are_kept_and_counted(self):
        state = self.emulator.state()
        client = Client(self.emulator)
        for number in (1, 2, 3):
            self.upload.part(number, b"x", client=client)
        after = self.emulator.state()
        # one for the parts, one for asking
        self.assertEqual(after["connections"] - state["connections"], 2)
        entries = [e for e in after["log"] if e["op"] == "UploadPart"][-3:]
        self.assertEqual([e["request"] for e in entries], [1, 2, 3])
        self.assertEqual(len({e["connection"] for e in entries}), 1)
        self.assertEqual(entries[0]["bytes"], 1)


class TestLies(FaultCase):
    def check(self, etag, crc, **fault):
        self.fault(times=1, **fault)
        answer = self.upload.part(1, b"abc")
        self.assertEqual(answer.status, 200)
        true = '"%s"' % hashlib.md5(b"abc").hexdigest()
        sum_ = str(crc64(b"abc"))
        for name, value, expected in (("etag", true, etag),
                                      ("x-cos-hash-crc64ecma", sum_, crc)):
            got = answer.headers.get(name)
            if expected is None:
                self.assertIsNone(got)
            else:
                self.assertEqual(got == value, expected, name)
        self.assertIn(true.strip('"'), self.upload.list_parts().text())

    def test_sums(self):
        self.check(False, True, **{"wrong-etag": True})
        self.check(True, False, **{"wrong-crc": True})
        self.check(None, True, **{"no-etag": True})
        self.check(True, None, **{"no-crc": True})
        self.check(None, None, **{"no-crc": True, "no-etag": True})

    def test_corrupt_part_shows_only_in_the_whole(self):
        self.fault(part=1, times=1, corrupt=True)
        etags = [(n, self.upload.part(n, data).headers["etag"])
                 for n, data in ((1, A), (2, b"end"))]
        self.assertEqual(etags[0][1], '"%s"' % hashlib.md5(A).hexdigest())
        answer = self.upload.complete(etags)
        wrong = bytes([A[0] ^ 1]) + A[1:]
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"],
                         str(crc64(b"end", crc64(wrong))))
        self.assertEqual(self.upload.cos("GET").body, wrong + b"end")

    def test_wrong_crc_of_the_whole(self):
        self.fault("CompleteMultipartUpload", **{"wrong-crc": True})
        etag = self.upload.part(1, b"abc").headers["etag"]
        answer = self.upload.complete([(1, etag)])
        self.assertNotEqual(answer.headers["x-cos-hash-crc64ecma"],
                            str(crc64(b"abc")))

    def test_blanks_before_the_answer(self):
        self.fault("CompleteMultipartUpload", spaces=350)
        etag = self.upload.part(1, b"abc").headers["etag"]
        second = []
        thread = threading.Thread(target=lambda: second.append(
            self.upload.complete([(1, etag)], client=Client(self.emulator))))
        start = time.monotonic()
        thread.start()
        answer = self.upload.complete([(1, etag)])
        thread.join()
        self.assertGreaterEqual(time.monotonic() - start, 0.3)
        for one in (answer, second[0]):
            self.assertEqual(one.headers["transfer-encoding"], "chunked")
            self.assertRegex(one.text(), r"^ +<\?xml")
            self.assertEqual(one.headers["x-cos-hash-crc64ecma"],
                             str(crc64(b"abc")))
        self.assertEqual(answer.find("ETag"), second[0].find("ETag"))


class TestData(FaultCase):
    def test_members_are_added_and_replaced(self):
        self.fault("ApplyUploadUGC", times=1, data={
            "MiniProgramAccelerateHost": "accelerate.localhost:1",
            "cosAcc": {"isOpen": 1, "domain": "acc.localhost"},
            "domain": None})
        changed = vod(self.emulator, "ApplyUploadUGC", videoName="n",
                      videoType="mp4")
        self.assertEqual(changed["code"], 0)
        data = changed["data"]
        self.assertEqual(data["MiniProgramAccelerateHost"],
                         "accelerate.localhost:1")
        self.assertEqual(data["cosAcc"],
                         {"isOpen": 1, "domain": "acc.localhost"})
        self.assertIsNone(data["domain"])
        plain = vod(self.emulator, "ApplyUploadUGC", videoName="n",
                    videoType="mp4")["data"]
        self.assertEqual(plain["domain"], "vod2.qcloud.com")
        self.assertEqual(set(data) - set(plain),
                         {"MiniProgramAccelerateHost", "cosAcc"})
        # all that was not named is as it would be
        upload = Upload(self.emulator, data)
        self.assertEqual(upload.complete(upload.send(b"x")).status, 200)

    def test_a_list_of_regions(self):
        regions = [{"region": "ap-x", "domain": "nowhere.invalid"}]
        self.fault("PrepareUploadUGC", data={"cosRegionList": regions})
        data = vod(self.emulator, "PrepareUploadUGC")["data"]
        self.assertEqual(data, {"appId": 1400170034,
                                "cosRegionList": regions})

    def test_beside_other_faults(self):
        self.emulator.faults(
            {"op": "*", "delay": 100},
            {"op": "PrepareUploadUGC", "data": {"appId": 1}},
            {"op": "PrepareUploadUGC", "data": {"appId": 2}})
        begin = time.monotonic()
        data = vod(self.emulator, "PrepareUploadUGC")["data"]
        self.assertGreater(time.monotonic() - begin, 0.09)
        self.assertEqual(data["appId"], 1)
        log = self.emulator.state()["log"][-1]
        self.assertEqual(log["faults"], "delay,data")
        # an error has no data
        self.emulator.faults({"op": "PrepareUploadUGC", "status": 503})
        answer = Client(self.emulator).request(
            "POST", "/v3/index.php?Action=PrepareUploadUGC",
            body=json.dumps({"signature": upload_signature()}))
        self.assertEqual(answer.status, 503)
        self.assertNotIn(b"appId", answer.body)


class TestForgetting(FaultCase):
    def test_credentials_expire(self):
        self.fault(times=1, **{"expire-credentials": True})
        for _ in range(2):
            answer = self.upload.part(1, b"x")
            self.assertEqual((answer.status, code_of(answer)),
                             (400, "ExpiredToken"))
        self.renew()
        self.assertEqual(self.upload.part(1, b"x").status, 200)
        self.fault(times=1, status=403, **{"expire-credentials": True})
        self.assertEqual(self.upload.part(1, b"x").status, 403)

    def renew(self):
        upload_id = self.upload.upload_id
        self.upload.take(vod(self.emulator, "ApplyUploadUGC",
                             vodSessionKey=self.upload.session)["data"])
        self.upload.upload_id = upload_id

    def test_the_other_shape(self):
        self.fault(times=1, shape="message", **{"expire-credentials": True})
        answer = self.upload.part(1, b"x")
        self.assertEqual((answer.status, code_of(answer),
                          answer.find("Message")),
                         (403, "AccessDenied", "Request has expired"))

    def test_forgotten_upload(self):
        self.upload.part(1, b"x")
        self.fault(times=1, **{"forget-upload": True})
        for _ in range(2):
            answer = self.upload.part(1, b"x")
            self.assertEqual((answer.status, code_of(answer)),
                             (404, "NoSuchUpload"))

    def test_forgotten_session(self):
        self.fault(times=1, **{"forget-session": True})
        self.assertEqual(self.upload.part(1, b"x").status, 200)
        self.assertEqual(self.upload.commit()["code"], 10012)
        other = Upload(self.emulator)
        self.fault("CommitUploadUGC", times=1, **{"forget-session": True})
        self.assertEqual(other.commit()["code"], 10012)
        self.emulator.clear_faults()
        self.assertEqual(other.commit()["code"], 10012)

    def test_clock(self):
        self.fault("*", **{"clock-skew": -10000})
        answer = self.upload.part(1, b"x")
        self.assertEqual(code_of(answer), "RequestTimeTooSkewed")
        date = time.mktime(time.strptime(
            answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT"))
        self.assertLess(abs(date - time.mktime(time.gmtime()) + 10000), 5)
        # who goes by the service's clock is fine
        upload = Upload(self.emulator, signature=upload_signature(
            now=int(time.time()) - 10000))
        self.assertEqual(upload.complete(upload.send(b"x")).status, 200)


class TestProbability(unittest.TestCase):
    def run_once(self, seed):
        fault = {"op": "signature", "status": 500, "probability": 0.5}
        with Emulator("--seed", str(seed), "--faults",
                      json.dumps(fault)) as emulator:
            client = Client(emulator)
            return [client.request("GET", "/signature").status
                    for _ in range(30)]

    def test_seed_repeats_the_run(self):
        first = self.run_once(7)
        self.assertEqual(first, self.run_once(7))
        self.assertNotEqual(first, self.run_once(8))
        self.assertEqual(set(first), {200, 500})
