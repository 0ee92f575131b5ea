# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storage requests: parts, lists, Complete's rules, objects and media."""

import base64
import hashlib
import unittest
import urllib.parse

from vodwire import MIB, Client, Emulator, Upload, code_of, crc64

A = bytes(range(256)) * 4096  # 1 MiB
B = b"b" * MIB
C = b"the end"


def etag(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def content_md5(data):
    return ("Content-MD5",
            base64.b64encode(hashlib.md5(data).digest()).decode())


class CosCase(unittest.TestCase):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)

    def setUp(self):
        self.upload = Upload(self.emulator, coverType="png")

    def assertError(self, answer, status, code):
        self.assertEqual((answer.status, code_of(answer)), (status, code))
        self.assertEqual(answer.headers["content-type"], "application/xml")
        self.assertEqual(answer.find("RequestId"),
                         answer.headers["x-cos-request-id"])
        self.assertTrue(answer.find("Message"))

    def media(self):
        state = self.emulator.state()["media"]
        return next(m for m in state if m["key"] == self.upload.path[1:])


class TestParts(CosCase):
    def test_initiate(self):
        answer = self.upload.initiate()
        self.assertEqual(answer.status, 200)
        self.assertRegex(answer.find("UploadId"), r"^\d{10}[0-9a-f]{64}$")
        self.assertEqual(answer.find("Bucket"), self.upload.bucket)
        self.assertEqual(answer.find("Key"), self.upload.path[1:])
        self.assertEqual(answer.headers["server"], "tencent-cos")
        self.assertIn("date", answer.headers)
        base64.b64decode(answer.headers["x-cos-request-id"], validate=True)

    def test_part_is_answered_with_its_sums(self):
        self.upload.initiate()
        answer = self.upload.part(1, A)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["etag"], etag(A))
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"], str(crc64(A)))
        self.assertEqual((answer.headers["content-length"], answer.body),
                         ("0", b""))

    def test_empty_part(self):
        self.upload.initiate()
        answer = self.upload.part(1, b"")
        self.assertEqual(answer.headers["etag"], etag(b""))
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"], "0")

    def test_chunked_part(self):
        self.upload.initiate()
        answer = self.upload.part(1, A, chunked=True)
        self.assertEqual(answer.headers["etag"], etag(A))

    def test_content_md5(self):
        self.upload.initiate()
        good, other = content_md5(C), content_md5(b"other")
        self.assertEqual(self.upload.part(
            1, C, extra=[good], signed=["content-md5"]).status, 200)
        self.assertError(self.upload.part(1, C, extra=[other]), 400,
                         "BadDigest")
        self.assertError(self.upload.part(
            1, C, extra=[("Content-MD5", "abc")]), 400, "InvalidDigest")
        # the empty PUT of a client that has lost its body
        self.assertError(self.upload.part(1, b"", extra=[good]), 400,
                         "BadDigest")
        self.assertEqual(self.upload.list_parts().find_all("Size"), ["7"])

    def test_part_numbers(self):
        self.upload.initiate()
        for number in (0, 10001, "x", "", "1x"):
            self.assertError(self.upload.part(number, C), 400,
                             "InvalidArgument")
        self.assertEqual(self.upload.part(10000, C).status, 200)

    def test_same_number_again_replaces(self):
        self.upload.initiate()
        self.upload.part(1, A)
        self.upload.part(1, C)
        parts = self.upload.list_parts()
        self.assertEqual(parts.find_all("Size"), ["7"])
        upload = next(u for u in self.emulator.state()["uploads"]
                      if u["uploadId"] == self.upload.upload_id)
        self.assertEqual(upload["sent"], {"1": 2})
        self.assertEqual(upload["bytes"], 7)

    def test_unknown_upload(self):
        self.upload.upload_id = "x"
        for answer in (self.upload.part(1, C), self.upload.list_parts(),
                       self.upload.complete([(1, "x")]), self.upload.abort()):
            self.assertError(answer, 404, "NoSuchUpload")

    def test_upload_belongs_to_its_key(self):
        self.upload.initiate()
        answer = self.upload.cos("PUT", self.upload.cover_path, [
            ("partNumber", 1), ("uploadId", self.upload.upload_id)], C)
        self.assertError(answer, 404, "NoSuchUpload")

    def test_abort(self):
        self.upload.send(A)
        answer = self.upload.abort()
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertNotIn("content-length", answer.headers)
        self.assertError(self.upload.abort(), 404, "NoSuchUpload")
        self.assertError(self.upload.part(1, C), 404, "NoSuchUpload")

    def test_traffic_limit(self):
        self.upload.initiate()
        for value, status in (("819200", 200), ("838860800", 200),
                              ("819199", 400), ("838860801", 400),
                              ("fast", 400)):
            answer = self.upload.part(
                1, C, extra=[("x-cos-traffic-limit", value)])
            self.assertEqual(answer.status, status, value)

    def test_method_not_allowed(self):
        self.assertError(self.upload.cos("POST"), 405, "MethodNotAllowed")
        self.assertError(self.upload.cos("DELETE"), 405, "MethodNotAllowed")
        self.assertError(self.upload.cos("PATCH"), 405, "MethodNotAllowed")

    def test_too_large_part_is_refused_at_once(self):
        self.upload.initiate()
        answer = self.upload.part(
            1, None, extra=[("Content-Length", str((5 << 30) + 1))])
        self.assertError(answer, 400, "EntityTooLarge")


class TestLists(CosCase):
    def test_parts_in_order_page_by_page(self):
        self.upload.initiate()
        for number in (3, 1, 10, 2, 7):
            self.upload.part(number, b"%d" % number)
        answer = self.upload.list_parts()
        self.assertEqual(answer.find_all("PartNumber"),
                         ["1", "2", "3", "7", "10"])
        self.assertEqual(answer.find("ETag"),
                         etag(b"1").replace('"', "&quot;"))
        self.assertEqual(answer.find("IsTruncated"), "false")
        self.assertEqual(answer.find("MaxParts"), "1000")
        numbers, marker = [], 0
        for _ in range(3):
            page = self.upload.list_parts(("max-parts", 2),
                                          ("part-number-marker", marker))
            numbers += page.find_all("PartNumber")
            self.assertEqual(page.find("PartNumberMarker"), str(marker))
            marker = page.find("NextPartNumberMarker")
        self.assertEqual(numbers, ["1", "2", "3", "7", "10"])
        self.assertIsNone(marker)

    def test_bad_page_sizes(self):
        self.upload.initiate()
        for value in ("0", "1001", "x"):
            self.assertError(self.upload.list_parts(("max-parts", value)),
                             400, "InvalidArgument")
            self.assertError(self.upload.list_uploads(
                ("max-uploads", value)), 400, "InvalidArgument")

    def test_uploads_with_prefix(self):
        ids = []
        for _ in range(3):
            self.upload.initiate()
            ids.append(self.upload.upload_id)
        other = Upload(self.emulator)
        other.initiate()
        answer = self.upload.list_uploads()
        self.assertEqual(sorted(answer.find_all("UploadId")), sorted(ids))
        self.assertEqual(set(answer.find_all("Key")), {self.upload.path[1:]})
        self.assertRegex(answer.find("Initiated"),
                         r"^\w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}$")

    def test_uploads_page_by_page(self):
        ids = set()
        for path in (self.upload.path, self.upload.cover_path):
            for _ in range(2):
                ids.add(self.upload.cos("POST", path, [("uploads", "")])
                        .find("UploadId"))
        folder = self.upload.path[1:].rsplit("/", 1)[0] + "/"
        found, markers = [], ()
        for _ in range(4):
            page = self.upload.list_uploads(("max-uploads", 1), *markers,
                                            prefix=folder)
            found += page.find_all("UploadId")
            markers = (("key-marker", page.find("NextKeyMarker")),
                       ("upload-id-marker", page.find("NextUploadIdMarker")))
        self.assertEqual(set(found), ids)
        self.assertEqual(len(found), 4)
        self.assertEqual(page.find("IsTruncated"), "false")

    def test_delimiter_and_encoding(self):
        self.upload.initiate()
        folder = self.upload.path[1:].rsplit("/", 1)[0]
        page = self.upload.list_uploads(("delimiter", "/"), prefix=folder)
        self.assertEqual(page.find("CommonPrefixes"),
                         "<Prefix>%s/</Prefix>" % folder)
        page = self.upload.list_uploads(("encoding-type", "url"))
        self.assertIn("%2F", page.find("Key"))
        self.assertError(self.upload.list_uploads(("encoding-type", "x")),
                         400, "InvalidArgument")


class TestComplete(CosCase):
    def test_media_is_what_was_sent(self):
        etags = self.upload.send(A, B, C)
        answer = self.upload.complete(etags)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"],
                         str(crc64(C, crc64(B, crc64(A)))))
        self.assertRegex(answer.find("ETag"),
                         r"^&quot;[0-9a-f]{32}-3&quot;$")
        self.assertEqual(answer.find("Location"), "http://%s%s" % (
            self.upload.host, self.upload.path))
        self.assertIn("http://www.qcloud.com/document/product/436/7751",
                      answer.text())
        self.upload.commit()
        media = self.media()
        self.assertEqual((media["size"], media["parts"]),
                         (2 * MIB + 7, 3))
        self.assertEqual(media["md5"], hashlib.md5(A + B + C).hexdigest())
        self.assertEqual(media["crc64"], answer.headers[
            "x-cos-hash-crc64ecma"])
        self.assertEqual(media["sent"], {"1": 1, "2": 1, "3": 1})
        path = urllib.parse.urlparse(media["url"]).path
        self.assertEqual(self.emulator.get(path).body, A + B + C)

    def test_forms_of_etags_and_bodies(self):
        for form in ('"%s"', "&quot;%s&quot;", "%s", " %s\n"):
            for head in ("", '<?xml version="1.0" encoding="UTF-8" '
                             'standalone="yes"?>\n'):
                with self.subTest(form + head):
                    upload = Upload(self.emulator)
                    number, tag = upload.send(C)[0]
                    body = (
                        "%s<CompleteMultipartUpload>\n  <Part>\n    "
                        "<PartNumber>%d</PartNumber>\n    <ETag>%s</ETag>\n"
                        "  </Part>\n</CompleteMultipartUpload>\n"
                        % (head, number, form % tag.strip('"')))
                    answer = upload.complete(None, body.encode(), extra=[
                        content_md5(body.encode())], signed=["content-md5"])
                    self.assertEqual(answer.status, 200)

    def test_content_md5_of_the_list(self):
        etags = self.upload.send(C)
        self.assertError(self.upload.complete(
            etags, extra=[content_md5(b"x")]), 400, "BadDigest")
        self.assertEqual(self.upload.complete(etags).status, 200)

    def test_not_a_list(self):
        self.upload.send(C)
        for body in ("x", "<a/>", "<CompleteMultipartUpload/>",
                     "<CompleteMultipartUpload><Part></Part>"
                     "</CompleteMultipartUpload>",
                     "<CompleteMultipartUpload><Part><PartNumber>1"
                     "</PartNumber></Part></CompleteMultipartUpload>",
                     "<CompleteMultipartUpload><Part><PartNumber>x"
                     "</PartNumber><ETag>e</ETag></Part>"
                     "</CompleteMultipartUpload>",
                     "<CompleteMultipartUpload>", b"\xff\xfe", "<" * 1000,
                     "<a>" * 100000):
            answer = self.upload.complete(None, body)
            self.assertError(answer, 400, "MalformedXML")

    def test_too_large_list(self):
        self.upload.send(C)
        self.assertError(self.upload.complete(None, b" " * (5 * MIB)), 400,
                         "EntityTooLarge")

    def test_wrong_lists(self):
        one, two, three = self.upload.send(A, B, C)
        for why, listed, code in (
                ("a gap", [one, three], "InvalidPart"),
                ("begins at 2", [two, three], "InvalidPart"),
                ("never sent", [one, two, three, (4, '"x"')], "InvalidPart"),
                ("wrong etag", [one, (2, one[1]), three], "InvalidPart"),
                ("descending", [two, one, three], "InvalidPartOrder"),
                ("twice", [one, one, two], "InvalidPartOrder")):
            with self.subTest(why):
                self.assertError(self.upload.complete(listed), 400, code)
        self.assertEqual(self.upload.complete([one, two, three]).status, 200)

    def test_small_part_in_between(self):
        self.assertError(self.upload.complete(self.upload.send(A[:-1], C)),
                         400, "EntityTooSmall")

    def test_parts_that_are_not_listed_are_discarded(self):
        etags = self.upload.send(A, B, C)
        self.assertEqual(self.upload.complete(etags[:2]).status, 200)
        self.upload.commit()
        self.assertEqual(self.media()["size"], 2 * MIB)

    def test_twice_is_no_such_upload(self):
        etags = self.upload.send(C)
        self.upload.complete(etags)
        self.assertError(self.upload.complete(etags), 404, "NoSuchUpload")
        self.assertError(self.upload.list_parts(), 404, "NoSuchUpload")
        self.assertEqual(self.upload.list_uploads().find_all("UploadId"), [])
        self.assertEqual(self.upload.cos("HEAD").status, 200)

    def test_many_parts(self):
        self.upload.initiate()
        etags = [(1, self.upload.part(1, A).headers["etag"])]
        for number in range(2, 60):
            self.upload.part(number, b"")
        self.assertEqual(self.upload.complete(etags).status, 200)


class TestRepeatComplete(CosCase):
    arguments = ("--repeat-complete",)

    def test_second_answer_is_the_first(self):
        etags = self.upload.send(C)
        first = self.upload.complete(etags)
        second = self.upload.complete(etags)
        self.assertEqual((first.status, first.body),
                         (second.status, second.body))
        self.assertEqual(first.headers["x-cos-hash-crc64ecma"],
                         second.headers["x-cos-hash-crc64ecma"])


class TestObjects(CosCase):
    def test_put_head_get(self):
        path = self.upload.cover_path
        answer = self.upload.cos("PUT", path, body=b"PNG", extra=[
            ("Content-Type", "image/png"), content_md5(b"PNG")])
        self.assertEqual(answer.headers["etag"], etag(b"PNG"))
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"],
                         str(crc64(b"PNG")))
        for method, body in (("HEAD", b""), ("GET", b"PNG")):
            answer = self.upload.cos(method, path)
            self.assertEqual((answer.status, answer.body), (200, body))
            self.assertEqual(answer.headers["content-length"], "3")
            self.assertEqual(answer.headers["content-type"], "image/png")
            self.assertEqual(answer.headers["etag"], etag(b"PNG"))
            self.assertEqual(answer.headers["x-cos-hash-crc64ecma"],
                             str(crc64(b"PNG")))
        self.assertError(self.upload.cos("PUT", path, body=b"PN", extra=[
            content_md5(b"PNG")]), 400, "BadDigest")
        self.assertEqual(self.upload.cos("GET", path).body, b"PNG")

    def test_empty_object(self):
        self.assertEqual(self.upload.cos("PUT", body=b"").status, 200)
        answer = self.upload.cos("GET")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.upload.commit()["code"], 0)
        path = urllib.parse.urlparse(self.media()["url"]).path
        self.assertEqual(self.emulator.get(path).body, b"")
        self.assertEqual(self.media()["md5"],
                         hashlib.md5(b"").hexdigest())

    def test_no_such_key(self):
        self.assertError(self.upload.cos("GET"), 404, "NoSuchKey")
        answer = self.upload.cos("HEAD")
        self.assertEqual((answer.status, answer.body), (404, b""))

    def test_put_again_replaces(self):
        for body in (b"first", b"second"):
            self.upload.cos("PUT", body=body)
            self.upload.commit()
        self.assertEqual(self.upload.cos("GET").body, b"second")
        self.assertEqual(self.media()["size"], 6)


class TestMedia(CosCase):
    def test_ranges(self):
        data = A + C
        self.upload.complete(self.upload.send(A, C))
        self.upload.commit()
        path = urllib.parse.urlparse(self.media()["url"]).path
        client = Client(self.emulator)
        size = len(data)
        for text, start, end in (("0-9", 0, 10), ("5-", 5, size),
                                 ("-3", size - 3, size),
                                 ("%d-%d" % (MIB - 2, MIB + 1), MIB - 2,
                                  MIB + 2),
                                 ("0-99999999", 0, size),
                                 ("-99999999", 0, size)):
            answer = client.request("GET", path, [("Range",
                                                   "bytes=" + text)])
            self.assertEqual(answer.status, 206, text)
            self.assertEqual(answer.body, data[start:end], text)
            self.assertEqual(answer.headers["content-range"],
                             "bytes %d-%d/%d" % (start, end - 1, size))
        for text in ("%d-" % size, "-0"):
            answer = client.request("GET", path, [("Range",
                                                   "bytes=" + text)])
            self.assertEqual(answer.status, 416)
            self.assertEqual(answer.headers["content-range"],
                             "bytes */%d" % size)
        for text in ("bytes=x", "bytes=5-3", "lines=0-1", "bytes=0-1,3-4",
                     "bytes=99999999999999999999-"):
            answer = client.request("GET", path, [("Range", text)])
            self.assertEqual((answer.status, answer.body), (200, data), text)
        answer = client.request("HEAD", path)
        self.assertEqual(answer.headers["content-length"], str(size))
        self.assertEqual(answer.headers["content-type"], "video/mp4")
        self.assertEqual(answer.headers["accept-ranges"], "bytes")
        self.assertEqual(client.request("POST", path).status, 404)

    def test_dangerous_types_are_not_served_as_such(self):
        upload = Upload(self.emulator, videoType="html")
        upload.complete(upload.send(b"<script>"))
        url = upload.commit()["data"]["video"]["url"]
        answer = self.emulator.get(urllib.parse.urlparse(url).path)
        self.assertEqual(answer.headers["content-type"],
                         "application/octet-stream")
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")


class TestDiscard(CosCase):
    arguments = ("--discard",)

    def test_sums_without_bytes(self):
        etags = self.upload.send(A, C)
        answer = self.upload.complete(etags)
        self.assertEqual(answer.headers["x-cos-hash-crc64ecma"],
                         str(crc64(C, crc64(A))))
        self.assertEqual(self.upload.commit()["code"], 0)
        media = self.media()
        self.assertEqual((media["size"], media["md5"]), (MIB + 7, None))
        path = urllib.parse.urlparse(media["url"]).path
        self.assertEqual(self.emulator.get(path).status, 410)
        self.assertEqual(self.upload.cos("HEAD").headers["content-length"],
                         str(MIB + 7))
