# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: authorization of storage requests."""

import time
import unittest

from vodwire import Client, Emulator, Upload, code_of, raw_exchange, vod


class TestAccess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator()

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)

    def setUp(self):
        self.upload = Upload(self.emulator, coverType="png")
        self.upload.initiate()

    def assertRefused(self, answer, code, message=None, status=403):
        self.assertEqual((answer.status, code_of(answer)), (status, code))
        if message is not None:
            self.assertEqual(answer.find("Message"), message)

    def test_as_clients_sign(self):
        upload = self.upload
        for why, how in (
                ("mini program", {}),
                ("js 1.8: host not signed", {"sign_host": False}),
                ("token signed (C and C++)", {"sign_token": True}),
                ("retry header signed", {
                    "extra": [("x-cos-sdk-retry", "true")],
                    "signed": ["x-cos-sdk-retry"]}),
                ("content-type not signed", {
                    "extra": [("Content-Type", "application/json")]}),
                ("content-length signed", {
                    "extra": [("Content-Length", "1")],
                    "signed": ["content-length"]}),
                ("empty header", {"extra": [("Cache-Control", "")]})):
            with self.subTest(why):
                self.assertEqual(upload.part(1, b"x", **how).status, 200)

    def test_straight_to_the_bucket(self):
        upload = Upload(self.emulator, forward=False)
        self.assertEqual(upload.complete(upload.send(b"x")).status, 200)

    def test_forwarded_host_is_the_one_that_counts(self):
        port = self.emulator.port
        self.assertEqual(self.upload.part(
            1, b"x", host="127.0.0.1:%d" % port).status, 200)
        self.assertRefused(self.upload.part(1, b"x", host="elsewhere"),
                           "SignatureDoesNotMatch")

    def test_accelerated_host(self):
        upload = self.upload
        host = upload.host.replace("ap-chongqing", "vod-upload-proxy")
        headers = upload.headers("PUT", upload.path, [
            ("partNumber", 1), ("uploadId", upload.upload_id)],
            sign_host=False) + [("Host", host)]
        answer = Client(self.emulator).request(
            "PUT", "%s?partNumber=1&uploadId=%s" % (
                upload.path, upload.upload_id), headers, b"x")
        self.assertEqual(answer.status, 200)

    def through(self, upload, method, host, query, body=None, signed=None,
                sign_host=True, path=None):
        """A request to a host that names no bucket."""
        path = path or upload.path
        headers = [h for h in upload.headers(
            method, path, query, host=signed or host, sign_host=sign_host)
            if h[0] not in ("Host", "Vod-Forward-Cos")]
        target = path + "?" + "&".join("%s=%s" % pair for pair in query)
        return Client(self.emulator).request(
            method, target, headers + [("Host", host)], body)

    def test_upload_domain(self):
        upload = Upload(self.emulator)
        host = "upload.localhost:%d" % self.emulator.port
        answer = self.through(upload, "POST", host, [("uploads", "")])
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.find("Bucket"), upload.bucket)
        upload.upload_id = answer.find("UploadId")
        part = [("partNumber", 1), ("uploadId", upload.upload_id)]
        answer = self.through(upload, "PUT", host, part, b"x")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.emulator.state()["log"][-1]["host"], host)
        # the rest the ordinary way: it is the same upload
        self.assertEqual(upload.complete(
            [(1, answer.headers["etag"])]).status, 200)

    def test_upload_domain_is_signed(self):
        upload = self.upload
        part = [("partNumber", 1), ("uploadId", upload.upload_id)]
        host = "upload.localhost"
        self.assertEqual(
            self.through(upload, "PUT", host, part, b"x").status, 200)
        for signed in ("other.localhost", upload.host):
            self.assertRefused(self.through(
                upload, "PUT", host, part, b"x", signed=signed),
                "SignatureDoesNotMatch")
        self.assertRefused(self.through(
            upload, "PUT", host, part, b"x", sign_host=False),
            "NoSuchBucket", status=404)
        self.assertRefused(self.through(
            upload, "PUT", host, part, b"x", path=upload.path + "x"),
            "AccessDenied")

    def test_encodings_of_the_query(self):
        upload = self.upload
        key = upload.path[1:]
        query = [("prefix", key), ("uploads", "")]
        headers = upload.headers("GET", "/", query)
        for target in ("/?uploads&prefix=" + key,
                       "/?uploads=&prefix=" + key.replace("/", "%2f"),
                       "/?prefix=" + key.replace("/", "%2F") + "&uploads"):
            answer = Client(self.emulator).request("GET", target, headers)
            self.assertEqual(answer.status, 200, target)
            self.assertEqual(answer.find("UploadId"), upload.upload_id)

    def test_encodings_of_the_path(self):
        upload = self.upload
        headers = upload.headers("HEAD", upload.path, [])
        target = "/" + "".join("%%%02X" % ord(c) for c in upload.path[1:])
        answer = Client(self.emulator).request("HEAD", target, headers)
        self.assertEqual(answer.status, 404)

    def test_nothing_or_nonsense(self):
        client = Client(self.emulator)
        forward = ("Vod-Forward-Cos", self.upload.host)
        self.assertRefused(client.request("GET", self.upload.path, [forward]),
                           "AccessDenied")
        for text in ("", "Basic abc", "q-sign-algorithm=sha1",
                     "q-sign-algorithm=md5&q-ak=a&q-sign-time=1;2&q-key-time="
                     "1;2&q-header-list=&q-url-param-list=&q-signature=x",
                     "q-sign-algorithm=sha1&q-ak=a&q-sign-time=1&q-key-time="
                     "1;2&q-header-list=&q-url-param-list=&q-signature=x",
                     "&" * 1000, "=" * 1000):
            answer = client.request("GET", self.upload.path, [
                forward, ("Authorization", text)])
            self.assertRefused(answer, "SignatureDoesNotMatch")

    def test_unknown_key_and_tokens(self):
        upload = self.upload
        self.assertRefused(upload.part(1, b"x", certificate=dict(
            upload.certificate, secretId="AKIDunknown")),
            "InvalidAccessKeyId")
        self.assertRefused(upload.part(1, b"x", token=False),
                           "InvalidAccessKeyId")
        self.assertRefused(upload.part(1, b"x", certificate=dict(
            upload.certificate, token="other")), "AccessDenied")
        self.assertRefused(upload.part(1, b"x", certificate=dict(
            upload.certificate, secretKey="other")), "SignatureDoesNotMatch")

    def test_anything_signed_that_differs(self):
        upload = self.upload
        query = [("partNumber", 1), ("uploadId", upload.upload_id)]
        for method, path, signed_query in (
                ("POST", upload.path, query),
                ("PUT", upload.path + "x", query),
                ("PUT", upload.path, [("partNumber", 2), query[1]]),
                ("PUT", upload.path, query + [("more", "")])):
            headers = upload.headers(method, path, signed_query)
            answer = Client(self.emulator).request(
                "PUT", "%s?partNumber=1&uploadId=%s" % (
                    upload.path, upload.upload_id), headers, b"x")
            self.assertRefused(answer, "SignatureDoesNotMatch")

    def test_times(self):
        upload, now = self.upload, int(time.time())
        self.assertRefused(upload.part(1, b"x", key_time="%d;%d" % (
            now - 100, now - 1)), "AccessDenied", "Request has expired")
        self.assertRefused(upload.part(1, b"x", key_time="%d;%d" % (
            now + 1000, now + 2000)), "RequestTimeTooSkewed")
        self.assertEqual(upload.part(1, b"x", key_time="%d;%d" % (
            now + 100, now + 2000)).status, 200)
        old = time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                            time.gmtime(now - 1000))
        self.assertRefused(upload.part(1, b"x", extra=[("Date", old)]),
                           "RequestTimeTooSkewed")

    def test_credentials_are_for_their_path_only(self):
        upload, other = self.upload, Upload(self.emulator)
        other.initiate()
        self.assertRefused(upload.cos("PUT", other.path, body=b"x"),
                           "AccessDenied")
        self.assertRefused(upload.cos("PUT", upload.path + "x", body=b"x"),
                           "AccessDenied")
        self.assertRefused(upload.cos("GET", other.path, [
            ("uploadId", other.upload_id)]), "AccessDenied")
        for prefix in (False, "", other.path[1:], upload.bucket):
            self.assertRefused(upload.list_uploads(prefix=prefix),
                               "AccessDenied")
        self.assertEqual(upload.cos("PUT", upload.cover_path,
                                    body=b"x").status, 200)

    def test_other_buckets(self):
        upload = self.upload
        upload.host = upload.host.replace("10022853", "10022854")
        self.assertRefused(upload.part(1, b"x"), "AccessDenied")
        for host in ("nowhere", "a.cos.b.example.com", "-1.cos.x.myqcloud.com",
                     "a-1.cos..myqcloud.com", "a-x.cos.r.myqcloud.com",
                     "x" * 300 + "-1.cos.r.myqcloud.com"):
            upload.host = host
            self.assertRefused(upload.part(1, b"x"), "NoSuchBucket",
                               status=404)

    def test_head_of_a_bucket(self):
        self.assertEqual(self.upload.cos("HEAD", "/").status, 200)
        answer = Client(self.emulator).request("HEAD", "/")
        self.assertEqual(answer.status, 403)

    def test_expect_continue_is_refused_without_the_body(self):
        upload = self.upload
        lines = ["PUT %s?partNumber=1&uploadId=%s HTTP/1.1" % (
            upload.path, upload.upload_id), "Host: 127.0.0.1",
            "Content-Length: 1000", "Expect: 100-continue",
            "Vod-Forward-Cos: " + upload.host, "", ""]
        received, how = raw_exchange(
            self.emulator, "\r\n".join(lines).encode())
        self.assertTrue(received.startswith(b"HTTP/1.1 403 "), received)
        self.assertIn(b"AccessDenied", received)
        self.assertEqual(how, "eof")

    def test_failures_are_counted(self):
        self.upload.part(1, b"x", token=False)
        self.upload.part(1, b"x", certificate=dict(
            self.upload.certificate, secretKey="other"))
        session = next(s for s in self.emulator.state()["sessions"]
                       if s["key"] == self.upload.path[1:])
        self.assertEqual(session["failed-requests"], 1)


class TestExpiry(unittest.TestCase):
    def test_credentials_expire_and_are_renewed(self):
        with Emulator("--credential-lifetime", "1") as emulator:
            upload = Upload(emulator)
            etags = upload.send(b"x")
            time.sleep(1.1)
            answer = upload.part(1, b"x")
            self.assertEqual((answer.status, code_of(answer)),
                             (400, "ExpiredToken"))
            upload_id = upload.upload_id
            upload.take(vod(emulator, "ApplyUploadUGC",
                            vodSessionKey=upload.session)["data"])
            upload.upload_id = upload_id
            self.assertEqual(upload.complete(etags).status, 200)
