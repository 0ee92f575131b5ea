# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page's files, what it asks for, and single faults taken out of the list.
What a browser makes of that is tested in tests/pipelines/page.py."""

import hashlib
import json
import re
import socket
import threading
import time
import unittest
import urllib.parse

from vodwire import MIB, Client, Emulator, Upload


def live(emulator, **query):
    answer = emulator.get("/api/live?" + urllib.parse.urlencode(query))
    assert answer.status == 200, answer.body
    return answer.json()


class PageCase(unittest.TestCase):
    def setUp(self):
        self.emulator = Emulator()

    def tearDown(self):
        self.emulator.__exit__(None, None, None)


class TestFiles(PageCase):
    def test_everything_that_it_names_is_there(self):
        page = self.emulator.get("/")
        self.assertEqual(page.headers["content-type"],
                         "text/html; charset=utf-8")
        names = set(re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text()))
        for name in list(names):
            text = self.emulator.get(name).text()
            names.update("/page/" + n
                         for n in re.findall(r"from '\./([^']+)'", text))
        self.assertGreaterEqual(len(names), 8)
        types = {"js": "text/javascript; charset=utf-8",
                 "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
        for name in names:
            with self.subTest(name):
                answer = self.emulator.get(name)
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.headers["content-type"],
                                 types[name.rsplit(".")[-1]])
                self.assertEqual(answer.headers["x-content-type-options"],
                                 "nosniff")

    def test_nothing_from_elsewhere_is_allowed(self):
        for path in ("/", "/page/main.js"):
            policy = self.emulator.get(path).headers["content-security-policy"]
            rules = dict(rule.strip().split(" ", 1)
                         for rule in policy.split(";"))
            self.assertEqual(rules["default-src"], "'none'")
            self.assertLessEqual(set(rules.values()), {"'none'", "'self'"})

    def test_nothing_else_is_there(self):
        for name in ("", "x.js", "../index.html", "%2e%2e/state", "main.js/x",
                     "page.gresource.xml", "main.js%00", "%ff"):
            with self.subTest(name):
                self.assertIn(self.emulator.get("/page/" + name).status,
                              (400, 404))

    def test_only_pages_of_this_machine(self):
        client = Client(self.emulator)
        for method, path in (("GET", "/api/live"), ("GET", "/page/main.js"),
                             ("DELETE", "/api/faults/1")):
            answer = client.request(method, path,
                                    [("Origin", "https://example.com")])
            self.assertEqual(answer.status, 403)

    def test_without_scripts_there_are_tables(self):
        upload = Upload(self.emulator, videoName="plain")
        upload.send(b"x")
        self.assertIn("plain.mp4", self.emulator.get("/").text())
        upload.complete([(1, hashlib.md5(b"x").hexdigest())])
        url = upload.commit()["data"]["video"]["url"]
        self.assertIn(urllib.parse.urlparse(url).path,
                      self.emulator.get("/").text())


class TestLive(PageCase):
    def test_an_upload_from_its_first_part_to_the_media(self):
        upload = Upload(self.emulator, videoName="it", videoSize=2 * MIB + 1)
        upload.initiate()
        upload.part(1, b"a" * MIB)
        upload.part(3, b"c")
        (seen,) = live(self.emulator)["uploads"]
        self.assertEqual(
            (seen["name"], seen["type"], seen["phase"], seen["total"],
             seen["size"], seen["received"], seen["parts"]),
            ("it", "mp4", "uploading", 2 * MIB + 1, MIB + 1, MIB + 1, "s.s"))
        etag = upload.part(2, b"b" * MIB).headers["etag"]
        upload.complete([(1, hashlib.md5(b"a" * MIB).hexdigest()), (2, etag),
                         (3, hashlib.md5(b"c").hexdigest())])
        (seen,) = live(self.emulator)["uploads"]
        self.assertEqual((seen["phase"], seen["parts"], seen["size"]),
                         ("complete", "sss", 2 * MIB + 1))
        data = upload.commit()["data"]
        answer = live(self.emulator, count=5)
        self.assertEqual(answer["uploads"], [])
        (media,) = answer["media"]
        self.assertEqual(
            (media["id"], media["fileId"], media["url"], media["kind"],
             media["parts"], media["cover"], media["phase"]),
            (seen["id"], data["fileId"], data["video"]["url"], "video/mp4",
             "sss", "", "ready"))

    def test_letters_of_parts(self):
        upload = Upload(self.emulator)
        upload.initiate()
        self.emulator.faults(
            {"op": "UploadPart", "part": 2, "status": 503},
            {"op": "UploadPart", "part": 3, "times": 1, "wrong-crc": True},
            {"op": "UploadPart", "part": 4, "times": 1, "lose-answer": True})
        for number in (1, 2, 3, 3, 5, 5):
            upload.part(number, b"x")
        with self.assertRaises(ConnectionError):
            upload.part(4, b"x")
        (seen,) = live(self.emulator)["uploads"]
        # stored, failed, stored after a retry, its answer lost, sent twice
        self.assertEqual(seen["parts"], "sxrxa")
        self.assertEqual(seen["failed"], 2)

    def test_a_part_on_its_way(self):
        upload = Upload(self.emulator)
        upload.initiate()
        self.emulator.faults({"op": "UploadPart", "part": 2, "stall": True})
        client = Client(self.emulator)
        thread = threading.Thread(target=self.send_in_vain,
                                  args=(upload, client))
        thread.start()
        seen = self.wait_for("received", 1000)
        self.assertEqual((seen["parts"], seen["size"]), (".o", 1000))
        client.connection.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
        seen = self.wait_for("parts", ".x")
        self.assertEqual((seen["received"], seen["size"]), (1000, 0))

    def wait_for(self, name, value):
        deadline = time.monotonic() + 10
        while True:
            (seen,) = live(self.emulator)["uploads"]
            if seen[name] == value:
                return seen
            self.assertLess(time.monotonic(), deadline, seen)
            time.sleep(0.01)

    @staticmethod
    def send_in_vain(upload, client):
        try:
            upload.part(2, b"x" * 1000, client=client)
        except OSError:
            pass

    def test_only_what_is_new(self):
        first = live(self.emulator)
        self.assertEqual((first["log"], first["media"], first["requests"]),
                         ([], [], 0))
        for _ in range(3):
            self.emulator.get("/signature")
        known = {"run": first["run"], "media": first["mediaChanges"]}
        second = live(self.emulator, log=1, **known)
        self.assertEqual([e["op"] for e in second["log"]], ["signature"] * 2)
        self.assertEqual(second["requests"], 3)
        self.assertNotIn("media", second)
        self.assertEqual(live(self.emulator, log=3, **known)["log"], [])
        # what another run has told counts for nothing
        known["run"] = "0"
        again = live(self.emulator, log=3, **known)
        self.assertEqual((len(again["log"]), again["media"]), (3, []))

    def test_it_is_bounded(self):
        client = Client(self.emulator)
        for _ in range(600):
            client.request("GET", "/signature")
        for i in range(120):
            Upload(self.emulator, videoName=str(i)).initiate()
        answer = live(self.emulator)
        self.assertEqual((len(answer["log"]), len(answer["uploads"])),
                         (500, 100))
        for query in ("log=-1&media=x&count=99999999999999999999&run=%22",
                      "log=99999999999&count=-1", "run", "&&"):
            self.assertEqual(
                self.emulator.get("/api/live?" + query).status, 200)

    def test_it_waits_for_nothing_and_is_in_no_log(self):
        self.emulator.faults({"op": "*", "stall": True})
        for _ in range(3):
            live(self.emulator)
        self.assertEqual(self.emulator.state()["log"], [])


class TestSingleFaults(PageCase):
    def delete(self, what):
        return Client(self.emulator).request("DELETE", "/api/faults/" + what)

    def test_one_is_removed_and_the_others_go_on(self):
        listed = self.emulator.faults(
            {"op": "signature", "status": 503, "times": 3},
            {"op": "signature", "status": 500},
            {"op": "report", "drop": True})
        self.assertEqual(self.emulator.get("/signature").status, 503)
        left = self.delete(str(listed[1]["id"])).json()
        self.assertEqual([f["id"] for f in left],
                         [listed[0]["id"], listed[2]["id"]])
        self.assertEqual(left[0]["hits"], 1)
        self.assertEqual(self.emulator.get("/signature").status, 503)
        self.delete(str(listed[0]["id"]))
        self.assertEqual(self.emulator.get("/signature").status, 200)

    def test_ids_are_never_used_again(self):
        (first,) = self.emulator.faults({"op": "report", "drop": True})
        self.emulator.clear_faults()
        (second,) = self.emulator.faults({"op": "report", "drop": True})
        self.assertGreater(second["id"], first["id"])

    def test_unknown_ones(self):
        (fault,) = self.emulator.faults({"op": "report", "drop": True})
        for what in ("", "0", "x", "-1", "99", "%d/" % fault["id"],
                     "18446744073709551617", "+%d" % fault["id"]):
            with self.subTest(what):
                self.assertEqual(self.delete(what).status, 404)
        self.assertEqual(len(self.emulator.get("/api/faults").json()), 1)
        self.assertEqual(json.loads(self.delete(str(fault["id"])).body), [])
