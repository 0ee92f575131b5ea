#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input, from users, applications, signature services and the service:
each is one clear error and exit code 1, without a hang, a crash or anything
left running. `input.py BUILD [WORD...]`; speaks TAP."""

import json
import os
import socket
import sys
import unittest

import harness
from harness import MIB, Client, Emulator
from vodwire import upload_signature, vod

REFUSED = '\\/:*?"<>|'


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class InputCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.where = harness.folder()
        cls.emulator = Emulator()
        cls.base = "http://127.0.0.1:%d" % cls.emulator.port
        cls.file = os.path.join(cls.where, "a film.mp4")
        with open(cls.file, "wb") as f:
            f.write(os.urandom(3 * MIB))

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)
        harness.remove(cls.where)

    def setUp(self):
        self.emulator.clear_faults()
        state = self.emulator.state()
        self.media, self.requests = len(state["media"]), state["requests"]

    def tearDown(self):
        self.emulator.clear_faults()

    def count(self, operation):
        state = self.emulator.state()
        return sum(state["requests"].get(operation, {}).values()) - \
            sum(self.requests.get(operation, {}).values())

    def launch(self, *settings, source=None, timeout=30):
        pipeline = source or ["filesrc", "location=" + self.file]
        return harness.run(harness.launch([*pipeline, "!", "vodsink",
                                           *settings]), timeout=timeout)

    def fails(self, *settings, **kwargs):
        result = self.launch("endpoint=" + self.base,
                             "signature-url=%s/signature" % self.base,
                             "resume=false", *settings, **kwargs)
        error = harness.failure(result)
        self.assertEqual(len(self.emulator.state()["media"]), self.media)
        self.assertEqual(self.emulator.state()["uploads"], [])
        self.result = result
        return error

    def works(self, *settings, **kwargs):
        result = self.launch("endpoint=" + self.base,
                             "signature-url=%s/signature" % self.base,
                             *settings, **kwargs)
        self.assertEqual(result.code, 0, result.tail())
        state = self.emulator.state()
        self.assertEqual(len(state["media"]), self.media + 1)
        return state["media"][-1]

    def replay(self, *arguments, settings="", timeout=60):
        """filesrc through replay, which can do what a shell cannot."""
        result = harness.run(
            [harness.REPLAY, *arguments, "--sink",
             "vodsink media-type=mp4 endpoint=%s %s" % (self.base, settings),
             "filesrc location=%s ! recorder" % self.file.replace(
                 " ", "\\ ")], timeout=timeout)
        self.assertEqual(result.code, 0, result.tail())
        return dict(line.partition(" ")[::2]
                    for line in result.out.splitlines())


class TestSignature(InputCase):
    def test_no_source_of_a_signature(self):
        error = harness.failure(self.launch("endpoint=" + self.base))
        self.assertEqual(error["phase"], "signature")
        for name in ("get-signature", "signature-url", "signature"):
            self.assertIn(name, error["message"])

    def test_url_that_is_down(self):
        error = self.fails("signature-url=http://127.0.0.1:%d/"
                           % closed_port(), "retry-duration=1")
        self.assertEqual(error["phase"], "signature")
        self.assertLess(self.result.seconds, 5)

    def test_url_that_answers_404(self):
        self.emulator.faults({"op": "signature", "status": 404})
        error = self.fails()
        self.assertEqual((error["phase"], error["code"]), ("signature", 404))
        self.assertEqual(self.count("signature"), 1)

    def test_url_that_never_ends(self):
        """an answer of 1 GiB is not read to its end"""
        sent = [0]

        def serve(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain"
                               b"\r\nContent-Length: 1073741824\r\n\r\n")
            while sent[0] < 1 << 30:
                sent[0] += connection.send(b"x" * 65536)

        with harness.Listener(serve) as server:
            error = self.fails("signature-url=" + server.url,
                               "retry-duration=1")
        self.assertEqual(error["phase"], "signature")
        self.assertLess(sent[0], 64 * MIB)
        self.assertLess(self.result.max_rss, 100 * MIB)

    def test_url_that_trickles(self):
        """an answer of a byte a second does not hold the upload up"""
        def serve(connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n"
                               b"Content-Length: 1000\r\n\r\n")
            connection.settimeout(0.5)
            while True:
                connection.sendall(b"x")
                try:
                    if not connection.recv(1):
                        return
                except TimeoutError:
                    pass

        with harness.Listener(serve) as server:
            error = self.fails("signature-url=" + server.url, "timeout=2",
                               "retry-duration=1")
        self.assertEqual(error["phase"], "signature")
        self.assertGreater(self.result.seconds, 1.9)
        self.assertLess(self.result.seconds, 20)

    def test_html(self):
        self.emulator.faults({"op": "signature", "garbage": "html"})
        self.assertEqual(self.fails()["phase"], "signature")

    def test_malformed_urls(self):
        for url in ("ftp://127.0.0.1/", "nonsense", "http://", "file:x",
                    "http://127.0.0.1:port/", "/etc/passwd", ""):
            with self.subTest(url):
                error = self.fails("signature-url=" + (url or '""'))
                self.assertIn("signature-url", error["message"])

    def test_files(self):
        path = os.path.join(self.where, "signature")
        for text in (b"", b"x" * 100000, b"\x00\xff", b"no signature",
                     b'{"signature":5}', b'{"data":{}}', b"{", None):
            with self.subTest(text and text[:20]):
                if text is None:
                    os.unlink(path)
                else:
                    with open(path, "wb") as f:
                        f.write(text)
                error = self.fails("signature-url=file://" + path)
                self.assertEqual(error["phase"], "signature")

    def test_a_file_with_a_signature_works(self):
        path = os.path.join(self.where, "signature")
        with open(path, "w") as f:
            f.write(upload_signature() + "\n")
        self.works("signature-url=file://" + path)

    def test_application_that_answers_garbage(self):
        for text in ("", "nonsense", "x" * 10000, '{"signature":1}', "\xff"):
            with self.subTest(text[:20]):
                facts = self.replay("--expect-failure", "--answer=" + text,
                                    timeout=10)
                self.assertEqual(facts["asked-application"], "1")
                self.assertIn("gst-resource-error-quark", facts["error"])
                self.assertIn("phase=(string)signature", facts["details"])

    def test_application_that_answers_well(self):
        self.replay("--answer=" + upload_signature())
        self.replay("--answer=" + json.dumps(
            {"data": {"sign": upload_signature()}}))
        self.replay("--set=signature=" + upload_signature())

    def test_signature_that_expired(self):
        """a signature that the service refuses, and no other"""
        facts = self.replay(
            "--expect-failure", "--set=signature=" + upload_signature(
                now=1000000000))
        self.assertIn("phase=(string)signature", facts["details"])
        self.assertIn("refused", facts["error"])

    def test_headers_that_are_no_text(self):
        error = self.fails('signature-headers="headers,X=(int)5"')
        self.assertIn("signature-headers", error["message"])

    def test_headers_with_line_breaks(self):
        error = self.fails(
            'signature-headers="headers,X=(string)\\"a\r\nEvil:1\\""')
        self.assertEqual(error["code"], -1)


class TestMedia(InputCase):
    def test_refused_names(self):
        for name in [*("a%sb" % c for c in REFUSED), "", "x" * 300,
                     "名" * 100, "a\rb", "a\r\nb", "\x7f", "a\tb"]:
            with self.subTest(name):
                facts = self.replay("--expect-failure",
                                    "--set=media-name=" + name)
                self.assertIn("media-name", facts["error"])
                self.assertEqual(facts["error"].split()[:2],
                                 ["gst-resource-error-quark", "13"])
        self.assertEqual(self.count("ApplyUploadUGC"), 0)

    def test_name_that_is_no_utf8(self):
        facts = self.replay("--expect-failure",
                            b"--set=media-name=\xff\xfe film".decode(
                                errors="surrogateescape"))
        self.assertIn("media-name", facts["error"])

    def test_names_that_gst_launch_passes_on(self):
        for name in ("a/b", "a:b", "a*b"):
            with self.subTest(name):
                self.assertIn("media-name",
                              self.fails("media-name=" + name)["message"])

    def test_names_that_work(self):
        for name in ("Lecture 12", "第一课", "x" * 200, "a.b'c&d=e;f%20",
                     "\U0001f3ac"):
            with self.subTest(name):
                self.replay("--set=media-name=" + name,
                            "--answer=" + upload_signature())
                self.assertEqual(
                    self.emulator.state()["media"][-1]["name"], name)

    def test_where_name_and_type_come_from(self):
        media = self.works()
        self.assertEqual((media["name"], media["type"]), ("a film", "mp4"))
        self.setUp()
        media = self.works("location=/nowhere/at all/rec 7.MKV")
        self.assertEqual((media["name"], media["type"]), ("rec 7", "mkv"))
        self.setUp()
        media = self.works("location=a:b?.ts", "media-type=flv")
        self.assertEqual((media["name"], media["type"]), ("a_b_", "flv"))
        self.assertFalse(os.path.exists("a:b?.ts"))

    def test_title_of_the_stream(self):
        """the title that comes out of a muxer names the media"""
        def titled(title):
            return ["videotestsrc", "num-buffers=30", "!", "x264enc",
                    "speed-preset=ultrafast", "!", "h264parse", "!", "mp4mux",
                    "!", "taginject", "tags=artist=nobody", "!", "taginject",
                    'tags=title="%s"' % title.replace(" ", "\\ "), "!",
                    "taginject", "tags=album=none"]
        media = self.works(source=titled("My talk"))
        self.assertEqual((media["name"], media["type"]), ("My talk", "mp4"))
        self.setUp()
        media = self.works(source=titled("A: 1/2"))
        self.assertEqual(media["name"], "A_ 1_2")
        self.setUp()
        media = self.works(source=titled("长" * 100))
        self.assertEqual(media["name"], "长" * 66)
        self.setUp()
        media = self.works("media-name=Mine", source=titled("Yours"))
        self.assertEqual(media["name"], "Mine")

    def test_refused_types(self):
        for name in (".mp4", "mp4/x", "a b", "../mp4", "x" * 100, "ü"):
            with self.subTest(name):
                facts = self.replay("--expect-failure",
                                    "--set=media-type=" + name)
                self.assertIn("media-type", facts["error"])

    def test_unknown_caps(self):
        """caps that nobody knows: an error that names media-type"""
        for caps in ("application/x-unknown", "video/x-raw", "audio/x-opus"):
            with self.subTest(caps):
                error = self.fails(source=[
                    "fakesrc", "num-buffers=2", "sizetype=fixed",
                    "sizemax=1000", "!", "capsfilter", "caps=" + caps])
                self.assertIn("media-type", error["message"])
        self.assertEqual(self.count("ApplyUploadUGC"), 0)

    def test_no_caps_and_no_name(self):
        error = self.fails(source=["fakesrc", "num-buffers=2",
                                   "sizetype=fixed", "sizemax=1000"])
        self.assertIn("media-type", error["message"])

    def test_no_byte(self):
        empty = os.path.join(self.where, "empty.mp4")
        open(empty, "w").close()
        for source in (["fakesrc", "num-buffers=0"],
                       ["fakesrc", "num-buffers=5"],
                       ["filesrc", "location=" + empty]):
            with self.subTest(source):
                self.fails("media-type=mp4", source=source)
        self.assertEqual(self.count("ApplyUploadUGC"), 0)


class TestNetwork(InputCase):
    def test_malformed_endpoints(self):
        for name in ("endpoint", "storage-endpoint"):
            for url in ("ftp://127.0.0.1/", "nonsense", "127.0.0.1:80",
                        "http://", "http:///", "http://127.0.0.1:99999",
                        "http://[::1", "http://a b", "http://user:pw@host",
                        "http://127.0.0.1/a?b", "file:///tmp", ""):
                with self.subTest("%s=%s" % (name, url)):
                    error = self.fails("%s=%s" % (name, url or '""'))
                    self.assertIn(name, error["message"])
                    self.assertNotIn("pw", error["message"])

    def test_wrong_port(self):
        error = self.fails("endpoint=http://127.0.0.1:%d" % closed_port(),
                           "retry-duration=1")
        self.assertEqual((error["phase"], error["code"]), ("apply", -2))

    def test_a_name_that_nobody_has(self):
        error = self.fails("endpoint=http://no.such.host.invalid",
                           "retry-duration=1")
        self.assertEqual((error["phase"], error["code"]), ("apply", -2))

    def test_a_server_of_something_else(self):
        with harness.Listener(lambda c: c.sendall(b"220 ESMTP\r\n")) as mail:
            error = self.fails("endpoint=" + mail.url, "retry-duration=1")
        self.assertEqual(error["phase"], "apply")

    def test_proxy_that_is_down(self):
        error = self.fails("proxy=http://u:secret@127.0.0.1:%d"
                           % closed_port(), "retry-duration=1")
        self.assertNotIn("secret", self.result.out + self.result.err)
        self.assertEqual(error["code"], -2)

    def test_memory_that_is_too_small(self):
        error = self.fails("max-size-bytes=1000000")
        self.assertIn(str(32 * MIB), error["message"])

    def test_tls(self):
        with Emulator("--tls", "--root", os.path.join(
                self.where, "root")) as emulator:
            base = "https://127.0.0.1:%d" % emulator.port
            wanted = ["endpoint=" + base, "retry-duration=300",
                      "signature-url=%s/signature" % base]
            authority = os.path.join(self.where, "root", "ca.pem")
            wrong = os.path.join(self.where, "wrong.pem")
            with open(wrong, "w") as f:
                f.write("-----BEGIN CERTIFICATE-----\nAAAA\n"
                        "-----END CERTIFICATE-----\n")

            error = harness.failure(self.launch(*wanted))
            self.assertRegex(error["message"], "(?i)certificate|TLS")
            self.assertEqual(emulator.state()["requests"].get(
                "ApplyUploadUGC", {}), {})
            for path in ("/nowhere/ca.pem", wrong, self.where):
                error = harness.failure(
                    self.launch(*wanted, "tls-ca-file=" + path))
                self.assertRegex(error["message"],
                                 "(?i)tls-ca-file|authorit|certificate")
            result = self.launch(*wanted, "tls-ca-file=" + authority)
            self.assertEqual(result.code, 0, result.tail())
            with open(self.file, "rb") as f:
                expected = f.read()
            url = emulator.state()["media"][0]["url"]
            answer = Client(emulator).request(
                "GET", "/" + url.split("/", 3)[3])
            self.assertEqual(answer.body, expected)

    def test_tls_for_another_name(self):
        """a certificate of the right authority for another name"""
        with Emulator("--tls", "--root", os.path.join(
                self.where, "root2")) as emulator:
            with harness.Wire(emulator.port, "127.0.0.2") as wire:
                error = harness.failure(self.launch(
                    "endpoint=" + wire.url.replace("http:", "https:"),
                    "signature-url=%s/signature" % self.base,
                    "tls-ca-file=" + os.path.join(
                        self.where, "root2", "ca.pem")))
                self.assertGreater(len(wire.received), 0)
            self.assertEqual(error["phase"], "apply")
            self.assertRegex(error["message"], "(?i)certificate|identity")
            self.assertEqual(emulator.state()["requests"], {})


class TestService(InputCase):
    """Answers of the service that must not be believed."""

    def applied(self):
        return vod(self.emulator, "ApplyUploadUGC", videoName="x",
                   videoType="mp4")

    def check(self, change):
        answer = self.applied()
        change(answer["data"])
        self.emulator.faults({"op": "ApplyUploadUGC", "json": answer})
        error = self.fails("retry-duration=0")
        self.assertEqual(error["phase"], "apply")
        self.assertEqual(error["code"], -5)
        self.assertEqual(self.count("InitiateMultipartUpload"), 0)

    def test_no_certificate(self):
        def without(data):
            del data["tempCertificate"]
        self.check(without)
        for name in ("secretId", "secretKey", "token", "expiredTime"):
            with self.subTest(name):
                self.setUp()

                def part(data, name=name):
                    del data["tempCertificate"][name]
                self.check(part)
                self.tearDown()

    def test_keys(self):
        for key in ("/../../etc/passwd", "/a/../b.mp4", "a\r\nX: y.mp4",
                    "/a\nb.mp4", "", "/", "/..", "//host/b.mp4"):
            with self.subTest(key):
                self.setUp()

                def change(data, key=key):
                    data["video"]["storagePath"] = key
                self.check(change)
                self.tearDown()

    def test_buckets_and_regions(self):
        for name in ("storageBucket", "storageRegionV5"):
            for value in ("..", "a/b", "a\nb", "a\r\nHost: b", "a@b", "a b",
                          "", "a?b", "a#b", "ü", "x" * 300, "a..b", "a:80"):
                with self.subTest("%s=%s" % (name, value)):
                    self.setUp()

                    def change(data, name=name, value=value):
                        data[name] = value
                    self.check(change)
                    self.tearDown()

    def test_no_session_key(self):
        self.check(lambda data: data.pop("vodSessionKey"))

    def test_parts_without_etag(self):
        self.emulator.faults({"op": "UploadPart", "no-etag": True})
        error = self.fails("retry-duration=0")
        self.assertEqual((error["phase"], error["code"]), ("part", -5))
        self.assertIn("ETag", error["message"])

    def test_upload_ids(self):
        """no upload id, or one that holds a line break"""
        self.emulator.faults({"op": "InitiateMultipartUpload",
                              "garbage": "types"})
        error = self.fails("retry-duration=0")
        self.assertEqual((error["phase"], error["code"]), ("initiate", -5))

    def test_commit_without_a_file_id(self):
        for data in ({}, {"fileId": 5}, {"fileId": ""}, None):
            with self.subTest(data):
                self.setUp()
                self.emulator.faults({"op": "CommitUploadUGC", "json": {
                    "code": 0, "message": "ok", "data": data}})
                error = self.fails("retry-duration=0")
                self.assertEqual((error["phase"], error["code"]),
                                 ("commit", -5))
                self.tearDown()

    def test_messages_are_made_printable(self):
        self.emulator.faults({"op": "ApplyUploadUGC", "json": {
            "code": 10001, "message": "a\r\nb\x1b[31mred\x07" + "y" * 100000}})
        error = self.fails()
        self.assertNotIn("\x1b", self.result.err)
        self.assertLess(len(error["message"]), 2000)


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
