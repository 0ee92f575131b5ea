# SPDX-License-Identifier: LGPL-2.1-or-later
"""The VOD API: signatures, Apply, resume, Commit, and what is refused."""

import base64
import hashlib
import json
import time
import unittest
import urllib.parse

from vodwire import (MIB, SECRET_KEY, Client, Emulator, Upload, sign_original,
                     upload_signature, vod)


class VodCase(unittest.TestCase):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.emulator = Emulator(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        cls.emulator.__exit__(None, None, None)

    def apply(self, **fields):
        fields.setdefault("videoName", "n")
        fields.setdefault("videoType", "mp4")
        return vod(self.emulator, "ApplyUploadUGC", **fields)


class TestSignature(VodCase):
    def test_good_one_is_taken(self):
        answer = self.apply()
        self.assertEqual((answer["code"], answer["message"]), (0, "成功"))

    def test_bad_ones(self):
        good = upload_signature()
        raw = base64.b64decode(good)
        now = int(time.time())
        for why, signature, code in (
                ("wrong key", upload_signature("other"), 10004),
                ("wrong id", upload_signature(secret_id="AKIDother"), 10004),
                ("altered", base64.b64encode(raw + b"&a=b").decode(), 10004),
                ("not base64", "!!" + good, 10004),
                ("cut", good[:20], 10004),
                ("empty", "", 10004),
                ("time is no integer", sign_original(
                    "secretId=%s&currentTimeStamp=%d.5&expireTime=%d&random=1"
                    % ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", now,
                       now + 60)), 10004),
                ("valid for too long", upload_signature(lifetime=7776001),
                 10004),
                ("ends before it begins", upload_signature(lifetime=-1),
                 10004),
                ("no random", upload_signature(random=""), 10004),
                ("random too large", upload_signature(random=1 << 32), 10004),
                ("bad oneTimeValid", upload_signature(oneTimeValid=2), 10004),
                ("from the future", upload_signature(now=now + 3600), 10004),
                ("expired", upload_signature(now=now - 100, lifetime=99),
                 10010)):
            with self.subTest(why):
                answer = vod_raw(self.emulator, {
                    "signature": signature, "videoName": "n",
                    "videoType": "mp4"})
                self.assertEqual(answer["code"], code)

    def test_any_order_and_encoding(self):
        now = int(time.time())
        original = ("random=7&sourceContext=a+b%%2Fc'!&expireTime=%d&"
                    "secretId=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE&"
                    "classId=0&oneTimeValid=0&vodSubAppId=0&"
                    "currentTimeStamp=%d" % (now + 60, now))
        answer = self.apply(signature=sign_original(original))
        self.assertEqual(answer["code"], 0)

    def test_one_time_signature_is_good_for_one_request(self):
        signature = upload_signature(oneTimeValid=1)
        first = self.apply(signature=signature)
        self.assertEqual(first["code"], 0)
        again = self.apply(signature=signature)
        self.assertEqual(again["code"], 10011)
        self.assertIn("duplicate vod signature", again["message"])
        commit = vod(self.emulator, "CommitUploadUGC", signature=signature,
                     vodSessionKey=first["data"]["vodSessionKey"])
        self.assertEqual(commit["code"], 10011)

    def test_sub_app_and_region_of_the_signature(self):
        data = self.apply(signature=upload_signature(
            vodSubAppId=1500000001, storageRegion="ap-shanghai"))["data"]
        self.assertEqual(data["appId"], 1500000001)
        self.assertEqual(data["storageRegionV5"], "ap-shanghai")
        self.assertIn("vodsh1500000001", data["storageBucket"])


def vod_raw(emulator, body, action="ApplyUploadUGC"):
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    return Client(emulator).request(
        "POST", "/v3/index.php?Action=" + action,
        [("Content-Type", "application/json; charset=utf-8")], body).json()


class TestRequest(VodCase):
    def test_unreadable_ones(self):
        for body in ("", "x", "[]", "7", "{", '{"videoName":"a"}',
                     '{"signature":7}', "[" * 100000, '{"a":' * 1000,
                     b'{"signature":"\xff"}', b'{"signature":"a\0b"}'):
            with self.subTest(body[:20]):
                self.assertEqual(vod_raw(self.emulator, body)["code"], 10001)

    def test_bad_fields(self):
        for fields in ({"videoName": ""}, {"videoName": "a/b"},
                       {"videoName": "x" * 201}, {"videoName": "a\nb"},
                       {"videoName": 7}, {"videoType": ""},
                       {"videoType": "m/p"}, {"videoType": "../x"},
                       {"videoType": "x" * 17}, {"coverType": "a b"},
                       {"videoSize": -1}, {"videoSize": "big"},
                       {"storageRegion": "ap-nowhere"}):
            with self.subTest(fields):
                answer = self.apply(**fields)
                self.assertEqual(answer["code"], 10001)
                self.assertIn("invalid request", answer["message"])

    def test_unknown_action_and_method(self):
        self.assertEqual(vod_raw(self.emulator, {}, action="Nothing")["code"],
                         10001)
        answer = self.emulator.get("/v3/index.php?Action=ApplyUploadUGC")
        self.assertEqual(answer.json()["code"], 10001)

    def test_huge_body_is_not_kept(self):
        answer = Client(self.emulator).request(
            "POST", "/v3/index.php?Action=ApplyUploadUGC",
            body=b" " * (2 * MIB))
        self.assertEqual(answer.status, 413)

    def test_prepare_lists_regions(self):
        data = vod(self.emulator, "PrepareUploadUGC")["data"]
        self.assertEqual(data["appId"], 1400170034)
        self.assertGreater(len(data["cosRegionList"]), 1)
        for region in data["cosRegionList"]:
            self.assertTrue(region["region"].startswith("ap-"))
            host, port = region["domain"].split(":")
            self.assertIn(host, ("127.0.0.1", "localhost"))
            self.assertEqual(int(port), self.emulator.port)
            answer = Client(self.emulator).request(
                "HEAD", "/", [("Host", region["domain"])])
            self.assertEqual(answer.status, 403)


class TestApply(VodCase):
    def test_answer(self):
        before = int(time.time())
        data = self.apply(videoName="测试 名", videoType="ts",
                          coverType="png", coverName="c", videoSize=5)["data"]
        file_id = data["video"]["storagePath"].split("/")[2][8:]
        self.assertRegex(file_id, r"^\d{19}$")
        self.assertRegex(
            data["video"]["storagePath"],
            r"^/faeed456vodcq1400170034/[0-9a-f]{8}\d{19}/\w{12}\.ts$")
        self.assertRegex(
            data["cover"]["storagePath"],
            r"^/faeed456vodcq1400170034/[0-9a-f]{8}\d{19}/\d{19}\.png$")
        self.assertEqual(data["storageBucket"], "faeed456vodcq1400170034")
        self.assertEqual(data["storageAppId"], 10022853)
        self.assertEqual(data["storageRegion"], "cq")
        self.assertEqual(data["storageRegionV5"], "ap-chongqing")
        self.assertEqual(data["StorageRegionV5"], "ap-chongqing")
        self.assertEqual(data["appId"], 1400170034)
        self.assertLessEqual(abs(data["timestamp"] - before), 2)
        certificate = data["tempCertificate"]
        self.assertEqual(certificate["expiredTime"],
                         data["timestamp"] + 7200)
        for name in ("secretId", "secretKey", "token"):
            self.assertGreater(len(certificate[name]), 20)

    def test_without_cover(self):
        self.assertNotIn("cover", self.apply()["data"])

    def test_region_is_chosen(self):
        data = self.apply(storageRegion="ap-guangzhou")["data"]
        self.assertEqual((data["storageRegionV5"], data["storageRegion"]),
                         ("ap-guangzhou", "gz"))

    def test_two_sessions_differ(self):
        a, b = self.apply()["data"], self.apply()["data"]
        self.assertNotEqual(a["vodSessionKey"], b["vodSessionKey"])
        self.assertNotEqual(a["video"], b["video"])

    def test_resume_keeps_the_path_and_renews_the_credentials(self):
        a = self.apply(coverType="png")["data"]
        b = vod(self.emulator, "ApplyUploadUGC",
                vodSessionKey=a["vodSessionKey"])["data"]
        self.assertEqual(a["video"]["storagePath"], b["video"]["storagePath"])
        self.assertEqual(a["cover"]["storagePath"], b["cover"]["storagePath"])
        self.assertEqual(a["vodSessionKey"], b["vodSessionKey"])
        self.assertNotEqual(a["tempCertificate"], b["tempCertificate"])

    def test_resume_may_bring_a_cover(self):
        a = self.apply()["data"]
        b = self.apply(vodSessionKey=a["vodSessionKey"], coverName="c",
                       coverType="jpg")["data"]
        self.assertTrue(b["cover"]["storagePath"].endswith(".jpg"))
        self.assertEqual(a["video"]["storagePath"], b["video"]["storagePath"])

    def test_unknown_session(self):
        answer = self.apply(vodSessionKey="bm8=")
        self.assertEqual(answer["code"], 10012)


class TestCommit(VodCase):
    def test_before_the_upload(self):
        upload = Upload(self.emulator)
        self.assertEqual(upload.commit()["code"], 10013)
        upload.send(b"x")
        self.assertEqual(upload.commit()["code"], 10013)

    def test_unknown_session(self):
        for key in ("bm8=", ""):
            self.assertEqual(vod(self.emulator, "CommitUploadUGC",
                                 vodSessionKey=key)["code"], 10012)
        self.assertEqual(vod(self.emulator, "CommitUploadUGC")["code"], 10001)

    def test_answer_and_repetition(self):
        upload = Upload(self.emulator, videoName="a &c", coverType="png")
        self.assertEqual(upload.complete(upload.send(b"abc")).status, 200)
        first = upload.commit()
        self.assertEqual(first["code"], 0)
        file_id = first["data"]["fileId"]
        self.assertIsInstance(file_id, str)
        self.assertNotIn("cover", first["data"])
        url = urllib.parse.urlparse(first["data"]["video"]["url"])
        self.assertEqual(url.path, "/media/%s/a%%20%%26c.mp4" % file_id)
        verify = base64.b64decode(first["data"]["video"]["verify_content"])
        self.assertIn(b"FileId=" + file_id.encode(), verify)
        second = upload.commit()["data"]
        self.assertEqual((second["fileId"], second["video"]["url"]),
                         (file_id, first["data"]["video"]["url"]))
        self.assertEqual(len([m for m in self.emulator.state()["media"]
                              if m["fileId"] == file_id]), 1)

    def test_region_is_told(self):
        upload = Upload(self.emulator, storageRegion="ap-beijing")
        upload.complete(upload.send(b"abc"))
        upload.commit()
        media = self.emulator.state()["media"][-1]
        self.assertEqual(media["region"], "ap-beijing")

    def test_cover_and_its_exchange(self):
        upload = Upload(self.emulator, coverType="png")
        upload.complete(upload.send(b"abc"))
        self.assertEqual(upload.cos("PUT", upload.cover_path,
                                    body=b"PNG").status, 200)
        data = upload.commit()["data"]
        self.assertIn("/cover/", data["cover"]["url"])
        answer = vod(self.emulator, "ApplyUploadUGC", fileId=data["fileId"],
                     coverName="c", coverType="jpg", coverSize=3)
        self.assertEqual(answer["code"], 0)
        self.assertNotIn("video", answer["data"])
        change = Upload(self.emulator, answer["data"])
        self.assertEqual(change.commit()["code"], 10013)
        change.cos("PUT", change.cover_path, body=b"JPEG")
        data = change.commit()["data"]
        url = urllib.parse.urlparse(data["cover"]["url"])
        self.assertEqual(self.emulator.get(url.path).body, b"JPEG")
        url = urllib.parse.urlparse(data["video"]["url"])
        self.assertEqual(self.emulator.get(url.path).body, b"abc")

    def test_cover_of_unknown_media(self):
        answer = vod(self.emulator, "ApplyUploadUGC",
                     fileId="5285890700000000000", coverType="png")
        self.assertEqual(answer["code"], 10014)


class TestCommitOnce(VodCase):
    arguments = ("--commit-once",)

    def test_second_commit_is_refused(self):
        upload = Upload(self.emulator)
        upload.complete(upload.send(b"abc"))
        self.assertEqual(upload.commit()["code"], 0)
        self.assertEqual(upload.commit()["code"], 10015)


class TestService(VodCase):
    def test_signature_service(self):
        for method in ("GET", "POST"):
            answer = Client(self.emulator).request(method, "/signature").json()
            self.assertEqual(answer["code"], 0)
            self.assertEqual(answer["data"]["sign"], answer["signature"])
            self.assertEqual(self.apply(
                signature=answer["signature"])["code"], 0)

    def test_signature_options(self):
        answer = self.emulator.get(
            "/signature?format=text&oneTimeValid=1&expire=5"
            "&storageRegion=ap-beijing")
        text = answer.text().strip()
        raw = base64.b64decode(text)
        fields = dict(urllib.parse.parse_qsl(raw[20:].decode()))
        self.assertEqual(int(fields["expireTime"])
                         - int(fields["currentTimeStamp"]), 5)
        self.assertEqual(fields["oneTimeValid"], "1")
        self.assertEqual(fields["storageRegion"], "ap-beijing")
        self.assertEqual(self.emulator.get("/signature?expire=x").status, 400)

    def test_reports_are_kept(self):
        report = {"reqType": 10001, "errCode": 0, "reportId": "r"}
        answer = Client(self.emulator).request(
            "POST", "/ugcupload_new", body=json.dumps(report))
        self.assertEqual(answer.json(), {"code": 0, "msg": "OK"})
        self.assertIn(report, self.emulator.state()["reports"])

    def test_unknown_paths(self):
        for path in ("/favicon.ico", "/a/b", "/media/x/y", "/media/",
                     "/media/../../etc/passwd", "/media/%2e%2e/%2e%2e/x",
                     "/%00", "/%ff", "/%zz", "//", "/media/1/cover/"):
            with self.subTest(path):
                self.assertIn(self.emulator.get(path).status, (400, 404))

    def test_pages_of_other_machines_are_refused(self):
        client = Client(self.emulator)
        foreign = [("Origin", "https://example.com")]
        for path in ("/signature", "/api/state", "/api/faults", "/"):
            self.assertEqual(client.request("GET", path, foreign).status, 403)
        local = [("Origin", "http://localhost:8080")]
        answer = client.request("GET", "/signature", local)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["access-control-allow-origin"],
                         "http://localhost:8080")
        answer = client.request("OPTIONS", "/x", local + [
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "authorization")])
        self.assertEqual(answer.status, 200)
        self.assertIn("PUT", answer.headers["access-control-allow-methods"])

    def test_names_that_were_led_to_this_machine_are_refused(self):
        client = Client(self.emulator)
        port = ":%d" % self.emulator.port
        for host, status in (
                ("localhost", 200), ("LocalHost" + port, 200),
                ("127.0.0.1" + port, 200), ("127.0.0.2", 200),
                ("[::1]" + port, 200), ("[::1]", 200), ("192.0.2.1:1", 200),
                ("upload.localhost" + port, 200), ("vod2.qcloud.com", 200),
                ("vodreport.qcloud.com:443", 200),
                ("b-1.cos.ap-beijing.myqcloud.com", 200),
                ("b-1.cos.ap-beijing.tencentcos.cn:443", 200),
                ("example.com", 403), ("example.com" + port, 403),
                ("localhost.example.com" + port, 403), ("notlocalhost", 403),
                ("127.0.0.1.example.com", 403), ("vod2.qcloud.com.", 403),
                ("myqcloud.com.example.com", 403), ("a@localhost", 403),
                ("a-1.cos.b.myqcloud.com.example.com", 403),
                ("x" * 300, 403)):
            for path in ("/signature", "/api/state", "/api/faults", "/",
                         "/api/live", "/page/main.js"):
                with self.subTest(host=host, path=path):
                    answer = client.request("GET", path, [("Host", host)])
                    self.assertEqual(answer.status, status)
                    if status == 403:
                        self.assertEqual(answer.text().count("signature"), 0)

    def test_page_escapes_names(self):
        upload = Upload(self.emulator, videoName="a & 'b' &lt;")
        upload.send(b"x")
        page = self.emulator.get("/").text()
        self.assertIn("&amp;lt;", page)
        self.assertNotIn("a & 'b'", page)
        upload.complete([(1, hashlib.md5(b"x").hexdigest())])
        upload.commit()
        page = self.emulator.get("/?part=media").text()
        self.assertIn("&amp;lt;", page)
        self.assertIn("<video", page)

    def test_no_secret_in_state(self):
        upload = Upload(self.emulator)
        upload.send(b"x")
        text = self.emulator.get("/api/state").text()
        for secret in (*upload.certificate.values(), upload.session,
                       SECRET_KEY, "q-signature"):
            if isinstance(secret, str):
                self.assertNotIn(secret, text)
