# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program itself: its start and end, restarts, TLS, slow lines, hostile
clients, the log."""

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from vodwire import (MIB, SECRET_KEY, Client, Emulator, Upload, crc64,
                     raw_exchange, upload_signature, vod)

A = bytes(range(256)) * 4096  # 1 MiB


def run(*args):
    done = subprocess.run([Emulator.binary, *args], capture_output=True,
                          timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class TestStartAndEnd(unittest.TestCase):
    def test_signals_end_it_and_the_temporary_root_goes(self):
        for how in ("terminate", "interrupt"):
            with tempfile.TemporaryDirectory() as tmp:
                emulator = Emulator(env={"TMPDIR": tmp})
                upload = Upload(emulator)
                upload.send(A)
                self.assertEqual(len(os.listdir(tmp)), 1)
                if how == "interrupt":
                    emulator.process.send_signal(signal.SIGINT)
                    code, err = emulator.process.wait(20), ""
                    emulator.process.communicate()
                else:
                    code, err = emulator.stop()
                self.assertEqual((code, err), (0, ""))
                self.assertEqual(os.listdir(tmp), [])

    def test_ends_while_clients_wait(self):
        emulator = Emulator("--faults", '[{"op":"signature","stall":true}]')
        with socket.create_connection(("127.0.0.1", emulator.port)) as s:
            s.sendall(b"GET /signature HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            self.assertEqual(emulator.stop()[0], 0)

    def test_only_the_loopback_listens(self):
        with Emulator() as emulator, open("/proc/net/tcp") as f:
            listening = [line.split()[1] for line in f
                         if line.split()[3] == "0A"]
        wanted = "%04X" % emulator.port
        self.assertEqual([a for a in listening if a.endswith(":" + wanted)],
                         ["0100007F:" + wanted])

    def test_chosen_port(self):
        with Emulator() as first:
            port = first.port
            code, out, err = run("--port", str(port))
            self.assertEqual((code, out), (1, ""))
            self.assertIn("vod-emulator:", err)
        with Emulator("--port", str(port)) as second:
            self.assertEqual(second.port, port)

    def test_bad_options(self):
        for args in (["--port=x"], ["--port=70000"], ["--latency=-1"],
                     ["--rate=-5"], ["--credential-lifetime=0"], ["extra"],
                     ["--nothing"]):
            self.assertEqual(run(*args)[0], 2, args)
        for args in (["--faults={"], ["--faults=@/nonexistent"],
                     ["--faults=[{\"typo\":1}]"],
                     ["--root=/proc/nothing"], ["--log=/nonexistent/x"]):
            code, out, err = run(*args)
            self.assertEqual((code, out), (1, ""), args)
            self.assertIn("vod-emulator: ", err)

    def test_faults_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as f:
            json.dump([{"op": "signature", "status": 503}], f)
            f.flush()
            with Emulator("--faults", "@" + f.name) as emulator:
                self.assertEqual(emulator.get("/signature").status, 503)

    def test_other_secret(self):
        with Emulator("--secret-id", "AKIDmine", "--secret-key",
                      "mine") as emulator:
            fields = {"videoName": "n", "videoType": "mp4"}
            self.assertEqual(vod(emulator, "ApplyUploadUGC",
                                 **fields)["code"], 10004)
            self.assertEqual(vod(
                emulator, "ApplyUploadUGC", signature=upload_signature(
                    "mine", "AKIDmine"), **fields)["code"], 0)

    def test_help_and_version(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for option in ("--port", "--tls", "--root", "--faults", "--discard"):
            self.assertIn(option, out)
        self.assertEqual(run("--version")[0], 0)


class TestRestart(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.folder.name, "root")

    def tearDown(self):
        self.folder.cleanup()

    def again(self, upload, emulator):
        upload.emulator = emulator
        upload.client = Client(emulator)

    def check(self, end):
        with Emulator("--root", self.root) as first:
            done = Upload(first, videoName="done", coverType="png")
            done.complete(done.send(A, b"end"))
            done.cos("PUT", done.cover_path, body=b"PNG")
            file_id = done.commit()["data"]["fileId"]
            upload = Upload(first)
            etags = upload.send(A, b"old")
            etags[1] = (2, upload.part(2, b"new").headers["etag"])
            used = upload_signature(oneTimeValid=1)
            vod(first, "PrepareUploadUGC", signature=used)
            before = first.state()
            end(first)
        with Emulator("--root", self.root) as second:
            after = second.state()
            for media in before["media"] + after["media"]:
                media.pop("url")
                media["cover"].pop("url")
                media["sent"] = {}
            self.assertEqual(before["media"], after["media"])
            self.assertEqual(
                [u["parts"] for u in before["uploads"]],
                [u["parts"] for u in after["uploads"]])
            self.assertEqual(vod(second, "PrepareUploadUGC",
                                 signature=used)["code"], 10011)
            path = "/media/%s/x" % file_id
            self.assertEqual(second.get(path).body, A + b"end")
            self.again(upload, second)
            self.assertEqual(upload.list_parts().find_all("Size"),
                             [str(MIB), "3"])
            self.assertEqual(upload.complete(etags).status, 200)
            data = upload.commit()["data"]
            self.assertEqual(second.get(urllib.parse.urlparse(
                data["video"]["url"]).path).body, A + b"new")
            self.again(done, second)
            self.assertEqual(done.commit()["data"]["fileId"], file_id)
        return file_id

    def test_after_a_clean_end(self):
        self.check(lambda emulator: emulator.stop())
        for name, mode in (("", 0o700), ("journal", 0o600),
                           ("parts", 0o700)):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(
                self.root, name)).st_mode), mode)

    def test_after_a_kill(self):
        def kill(emulator):
            emulator.process.kill()
            emulator.process.communicate()
        self.check(kill)

    def test_after_a_torn_journal(self):
        with Emulator("--root", self.root) as first:
            upload = Upload(first)
            upload.send(A)
        with open(os.path.join(self.root, "journal"), "ab") as f:
            f.write(b'{"e":"part","upl')
        with Emulator("--root", self.root) as second:
            self.again(upload, second)
            self.assertEqual(upload.list_parts().find_all("Size"),
                             [str(MIB)])
            upload.part(2, b"x")
        with Emulator("--root", self.root) as third:
            self.again(upload, third)
            self.assertEqual(upload.list_parts().find_all("Size"),
                             [str(MIB), "1"])

    def test_nonsense_in_the_journal_is_skipped(self):
        os.mkdir(self.root)
        with open(os.path.join(self.root, "journal"), "wb") as f:
            f.write(b'x\n{}\n[]\n{"e":"part"}\n{"e":"session"}\n'
                    b'{"e":"complete","upload":"u"}\n{"e":7}\n\xff\n'
                    b'{"e":"upload","id":"u","bucket":"b-1","key":"k"}\n'
                    b'{"e":"part","upload":"u","number":1,"etag":"e",'
                    b'"blob":"../../x","size":0}\n'
                    b'{"e":"part","upload":"u","number":99999,"etag":"e"}\n')
        with Emulator("--root", self.root) as emulator:
            uploads = emulator.state()["uploads"]
            self.assertEqual([u["parts"] for u in uploads], [[]])

    def test_one_owner_at_a_time(self):
        with Emulator("--root", self.root):
            code, out, err = run("--root", self.root)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("another vod-emulator", err)

    def test_files_go_with_what_they_belong_to(self):
        parts = os.path.join(self.root, "parts")
        with Emulator("--root", self.root) as emulator:
            upload = Upload(emulator)
            upload.send(A, b"x", b"y")
            upload.part(2, b"again")
            self.assertEqual(len(os.listdir(parts)), 3)
            upload.abort()
            self.assertEqual(os.listdir(parts), [])
            etags = upload.send(b"a", b"b")
            upload.complete(etags[:1])
            self.assertEqual(len(os.listdir(parts)), 1)
            request = ("PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                       % upload.path) + "".join(
                "%s: %s\r\n" % h for h in upload.headers(
                    "PUT", upload.path, [])) + "\r\nhalf"
            raw_exchange(emulator, request.encode(), half_close=True)
            deadline = time.monotonic() + 5
            while len(os.listdir(parts)) > 1:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)


class TestTls(unittest.TestCase):
    def test_certificate_is_good_for_its_names(self):
        with tempfile.TemporaryDirectory() as root, \
                Emulator("--tls", "--root", root) as emulator:
            self.assertEqual(emulator.scheme, "https")
            path = emulator.lines[0].strip().split(": ")[1]
            self.assertEqual(path, os.path.join(root, "ca.pem"))
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(
                root, "server.pem")).st_mode), 0o600)
            with open(path) as f:
                self.assertNotIn("PRIVATE KEY", f.read())
            context = ssl.create_default_context(cafile=path)
            context.set_alpn_protocols(["h2", "http/1.1"])
            bucket = "faeed456vodcq1400170034-10022853.cos.ap-chongqing."
            for name in ("127.0.0.1", "localhost", "x.myqcloud.com",
                         bucket + "myqcloud.com", bucket + "tencentcos.cn",
                         "vod2.qcloud.com"):
                with socket.create_connection(
                        ("127.0.0.1", emulator.port)) as s, \
                        context.wrap_socket(s, server_hostname=name) as t:
                    self.assertEqual(t.selected_alpn_protocol(), "http/1.1")
            with socket.create_connection(
                    ("127.0.0.1", emulator.port)) as s, \
                    self.assertRaises(ssl.SSLCertVerificationError):
                context.wrap_socket(s, server_hostname="example.com")
            upload = Upload(emulator)
            upload.complete(upload.send(A, b"end"))
            url = upload.commit()["data"]["video"]["url"]
            self.assertTrue(url.startswith(
                "https://127.0.0.1:%d/" % emulator.port))
            answer = Client(emulator, context=context).request(
                "GET", urllib.parse.urlparse(url).path)
            self.assertEqual(answer.body, A + b"end")

    def test_faults_over_tls(self):
        with Emulator("--tls") as emulator:
            for fault in ({"drop": True}, {"drop": True, "reset": True},
                          {"truncate": True}, {"lose-answer": True},
                          {"close-idle": True}):
                emulator.faults(dict(fault, op="signature", times=1))
                client = Client(emulator)
                try:
                    client.request("GET", "/signature")
                except Exception:
                    pass
                client.close()
                self.assertEqual(emulator.get("/signature").status, 200)


class TestSlowLine(unittest.TestCase):
    def test_latency_is_added_each_way(self):
        with Emulator("--latency", "50") as emulator:
            client = Client(emulator)
            start = time.monotonic()
            client.request("GET", "/signature")
            first = time.monotonic() - start
            start = time.monotonic()
            client.request("GET", "/signature")
            second = time.monotonic() - start
        # connecting costs a round trip, each request another
        self.assertGreaterEqual(first, 0.2)
        self.assertGreaterEqual(second, 0.1)
        self.assertLess(second, 0.5)

    def test_latency_of_tls_flights(self):
        with Emulator("--latency", "50", "--tls") as emulator:
            start = time.monotonic()
            Client(emulator).request("GET", "/signature")
            self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_rate_is_for_all_clients_together(self):
        with Emulator("--rate", str(2 * MIB)) as emulator:
            uploads = [Upload(emulator) for _ in range(2)]
            for upload in uploads:
                upload.initiate()
            start = time.monotonic()
            threads = [threading.Thread(target=u.part, args=(1, A))
                       for u in uploads]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            taken = time.monotonic() - start
            self.assertGreater(taken, 0.9)
            self.assertLess(taken, 5)
            # what comes back isn't limited
            upload = uploads[0]
            upload.complete([(1, upload.part(1, A).headers["etag"])])
            start = time.monotonic()
            self.assertEqual(len(upload.cos("GET").body), MIB)
            self.assertLess(time.monotonic() - start, 2)

    def test_bytes_pass_unharmed(self):
        with Emulator("--rate", str(40 * MIB), "--latency", "5") as emulator:
            upload = Upload(emulator)
            upload.send(A, b"x" * MIB, A)
            answer = upload.complete([
                (n, e) for n, e in enumerate(
                    ('"%s"' % t.replace("&quot;", "") for t in
                     upload.list_parts().find_all("ETag")), 1)])
            self.assertEqual(answer.headers["x-cos-hash-crc64ecma"], str(
                crc64(A, crc64(b"x" * MIB, crc64(A)))))
            self.assertEqual(upload.cos("GET").body, A + b"x" * MIB + A)

    def test_resets_pass(self):
        with Emulator("--latency", "5") as emulator:
            emulator.faults({"op": "signature", "drop": True, "reset": True})
            self.assertEqual(raw_exchange(
                emulator, b"GET /signature HTTP/1.1\r\nHost: x\r\n\r\n"),
                (b"", "reset"))


class TestHostileClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator()

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)

    def test_nonsense_instead_of_http(self):
        for data in (b"\0" * 100, b"\r\n" * 100, b"GET\r\n\r\n", b"x" * 5000,
                     b"GET / HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                     b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
                     b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"PUT /x HTTP/1.1\r\nHost: a-1.cos.b.myqcloud.com\r\n"
                     b"Content-Length: -1\r\n\r\n",
                     b"PUT /x HTTP/1.1\r\nHost: a-1.cos.b.myqcloud.com\r\n"
                     b"Content-Length: 99999999999999999999999\r\n\r\n",
                     b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                     b"chunked\r\n\r\nzz\r\n",
                     b"POST /v3/index.php?Action=ApplyUploadUGC HTTP/1.1\r\n"
                     b"Host: x\r\nContent-Length: 10\r\n\r\nshort",
                     b"GET /?" + b"a=b&" * 5000 + b" HTTP/1.1\r\nHost: x\r\n"
                     b"\r\n",
                     b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n"
                     b"Origin: \xff\r\nRange: \xff\r\n\r\n"):
            with self.subTest(data[:40]):
                raw_exchange(self.emulator, data, half_close=True)
        self.assertEqual(self.emulator.get("/signature").status, 200)

    def test_connections_without_end(self):
        held = []
        try:
            for _ in range(500):
                held.append(socket.create_connection(
                    ("127.0.0.1", self.emulator.port), 5))
        finally:
            for s in held:
                s.close()
        time.sleep(0.3)
        self.assertEqual(self.emulator.get("/signature").status, 200)

    def test_closed_connections_are_let_go(self):
        for _ in range(50):
            client = Client(self.emulator)
            client.request("GET", "/signature")
            client.close()
        deadline = time.monotonic() + 5
        while self.emulator.state()["open-connections"] > 5:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_names_that_look_like_paths(self):
        upload = Upload(self.emulator, videoName="..", videoType="mp4")
        upload.complete(upload.send(b"x"))
        self.assertEqual(upload.commit()["code"], 0)


class TestLog(unittest.TestCase):
    def test_hosts_as_they_come(self):
        with Emulator() as emulator:
            for host in (b"a.localhost:1", b"x" * 5000, b"a<%22&b"):
                raw_exchange(emulator, b"GET /signature HTTP/1.0\r\nHost: " +
                             host + b"\r\n\r\n")
            log = emulator.state()["log"]
        self.assertEqual([e["host"] for e in log],
                         ["a.localhost:1", "x" * 261, "a<%22&b"])

    def test_log_has_no_secrets(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log")
            with Emulator("--log", path) as emulator:
                upload = Upload(emulator)
                upload.complete(upload.send(b"x"))
                upload.commit()
                upload.part(1, b"x")
            with open(path) as f:
                text = f.read()
        self.assertIn("UploadPart part=1 status=200", text)
        self.assertIn("code=NoSuchUpload", text)
        for secret in (upload.certificate["secretId"],
                       upload.certificate["secretKey"],
                       upload.certificate["token"], upload.session,
                       SECRET_KEY, "q-signature", "signature="):
            self.assertNotIn(secret, text)
