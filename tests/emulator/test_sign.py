# SPDX-License-Identifier: LGPL-2.1-or-later
"""vod-sign against the golden vectors, its errors; and the tests' own client
against the vectors of storage requests."""

import base64
import json
import os
import subprocess
import tempfile
import unittest

import vodwire

VECTORS = None
VOD_SIGN = None


def load(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as f:
        return json.load(f)


def vod_sign(*args, secret_id="AKID1", secret_key="k", env=None):
    environment = {k: v for k, v in os.environ.items()
                   if not k.startswith("VOD_SECRET")}
    if secret_id is not None:
        environment["VOD_SECRET_ID"] = secret_id
        environment["VOD_SECRET_KEY"] = secret_key
    environment.update(env or {})
    done = subprocess.run([VOD_SIGN, *args], env=environment,
                          capture_output=True, timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class TestClient(unittest.TestCase):
    def test_crc64_is_that_of_the_documentation(self):
        self.assertEqual(vodwire.crc64(b"123456789"), 11051210869376104954)
        self.assertEqual(vodwire.crc64(b"[Object Part]"), 4510578591875220731)

    def test_authorization_is_that_of_the_official_sdk(self):
        for v in load("cos-authorization.json")["vectors"]:
            listed = v["headerList"].split(";")
            headers = [(k, x) for k, x in v["headers"].items()
                       if k.lower() in listed]
            if "host" in listed and "host" not in [
                    k.lower() for k, _ in headers]:
                headers.append(("host", "bucket"))
            secret = v["secretId"], v["secretKey"], v["keyTime"]
            path = "/" + v["key"]
            if "implied" in v["name"]:
                continue
            with self.subTest(v["name"]):
                self.assertEqual(vodwire.authorization(
                    *secret, v["method"], path, v["query"].items(), headers),
                    v["authorization"])


class TestVodSign(unittest.TestCase):
    def check_vector(self, name, *options):
        vector = next(v for v in load("vod-signature.json")
                      if v["name"].startswith(name))
        fields = dict(p.split("=", 1) for p in vector["original"].split("&"))
        now = int(fields["currentTimeStamp"])
        code, out, err = vod_sign(
            "--now", str(now), "--random", fields["random"],
            "--expires", str(int(fields["expireTime"]) - now), *options,
            secret_id=vector["secretId"], secret_key=vector["secretKey"])
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, vector["signature"] + "\n")

    def test_minimal_vector(self):
        self.check_vector("minimal")

    def test_vector_with_all_options(self):
        self.check_vector(
            "all-documented", "--class-id=12345",
            "--procedure=QCVB_SimpleProcessFile(1,0,10)",
            "--task-priority=-10", "--task-notify-mode=Change",
            "--source-context=user=42&k=v w", "--one-time",
            "--sub-app-id=1400170034", "--session-context=上下文",
            "--storage-region=ap-chongqing")

    def test_vector_with_unicode(self):
        self.check_vector("unicode",
                          "--source-context=腾讯 云+点播/a=b&c~!'()*")

    def test_one_time_vector(self):
        self.check_vector("short key", "--one-time")

    def test_default_is_a_day_from_now_and_random(self):
        signatures = {vod_sign()[1] for _ in range(3)}
        self.assertEqual(len(signatures), 3)
        original = base64.b64decode(signatures.pop())[20:].decode()
        fields = dict(p.split("=") for p in original.split("&"))
        self.assertEqual(int(fields["expireTime"])
                         - int(fields["currentTimeStamp"]), 86400)

    def test_key_file(self):
        expected = vod_sign("--now=1", "--random=1")[1]
        for text in ("AKID1\nk\n", "secretId=AKID1\nsecretKey=k\n",
                     "# mine\n\nVOD_SECRET_KEY = k\r\nVOD_SECRET_ID=AKID1"):
            with tempfile.NamedTemporaryFile("w") as f, self.subTest(text):
                f.write(text)
                f.flush()
                code, out, err = vod_sign(
                    "--key-file", f.name, "--now=1", "--random=1",
                    secret_id=None)
                self.assertEqual((code, out, err), (0, expected, ""))

    def test_key_file_of_others_is_refused(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write("AKID1\nk\n")
            f.flush()
            for mode in (0o640, 0o604, 0o620):
                os.chmod(f.name, mode)
                code, out, err = vod_sign("--key-file", f.name,
                                          secret_id=None)
                self.assertEqual((code, out), (1, ""))
                self.assertIn("chmod 600", err)

    def test_errors_name_what_is_wrong(self):
        for options, word in (
                (["--expires=0"], "--expires"),
                (["--expires=7776001"], "--expires"),
                (["--expires=1.5"], "--expires"),
                (["--task-priority=11"], "--task-priority"),
                (["--task-notify-mode=Never"], "--task-notify-mode"),
                (["--class-id=x"], "--class-id"),
                (["--source-context=" + "x" * 251], "--source-context"),
                (["--session-context=" + "x" * 1001], "--session-context"),
                (["--storage-region=AP chongqing"], "--storage-region"),
                (["--sub-app-id=-1"], "--sub-app-id"),
                (["--now=soon"], "--now"),
                (["--random=4294967296"], "--random"),
                (["--key-file=/nonexistent"], "/nonexistent")):
            with self.subTest(options):
                code, out, err = vod_sign(*options)
                self.assertEqual((code, out), (1, ""))
                self.assertIn(word, err)

    def test_without_a_secret(self):
        code, out, err = vod_sign(secret_id=None)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("VOD_SECRET_ID", err)

    def test_placeholders_are_no_secret(self):
        for secret_id, secret_key, word in (
                ("AKID…", "SecretKey…", "secret id"),
                ("AKID1", "SecretKey…", "secret key"),
                ("AKID 1", "k", "secret id"), ("AKID1", "k\n", "secret key"),
                ("AKID1", "k\u00e9", "secret key")):
            with self.subTest(secret_id=secret_id, secret_key=secret_key):
                code, out, err = vod_sign(
                    secret_id=secret_id, secret_key=secret_key)
                self.assertEqual((code, out), (1, ""))
                self.assertIn(word, err)
                self.assertNotIn("SecretKey", err)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write("AKID…\nSecretKey…\n")
            f.flush()
            code, out, err = vod_sign("--key-file", f.name, secret_id=None)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("secret id", err)

    def test_help_says_how_to_hand_it_over(self):
        self.assertIn("signature-url=file:///", vod_sign("--help")[1])

    def test_secret_is_no_argument(self):
        for option in ("--secret-key=k", "--secret-id=a", "k"):
            code, out, _ = vod_sign(option)
            self.assertEqual((code, out), (2, ""))

    def test_help_says_where_the_secret_comes_from(self):
        code, out, _ = vod_sign("--help")
        self.assertEqual(code, 0)
        self.assertIn("VOD_SECRET_KEY", out)
        self.assertIn("--expires", out)
