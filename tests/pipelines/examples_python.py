#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small Python examples do what they say: sign-service.py gives signatures
that the service takes, and gives nothing else away; get-signature.py uploads
with them. `examples_python.py BUILD [WORD...]`; speaks TAP."""

import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import unittest

import harness
import mp4
import vodwire
from harness import Client, Emulator

EXAMPLES = os.path.join(harness.ROOT, "examples")
SERVICE = os.path.join(EXAMPLES, "sign-service.py")
TOKEN = "a-long-random-word"
FRAMES = 50
PICTURE = ("videotestsrc num-buffers=%d ! video/x-raw,width=320,height=240,"
           "framerate=25/1 ! x264enc speed-preset=ultrafast tune=zerolatency "
           "threads=1 ! h264parse ! mp4mux ! vodsink name=vod media-name=Film "
           "endpoint=%s")


def secrets(token=TOKEN):
    return {"VOD_SECRET_ID": vodwire.SECRET_ID,
            "VOD_SECRET_KEY": vodwire.SECRET_KEY,
            **({"SIGN_TOKEN": token} if token is not None else {})}


class Service(harness.Program):
    """sign-service.py that runs."""

    def __init__(self, *args, token=TOKEN, port=0):
        super().__init__([sys.executable, SERVICE, "--port", str(port), *args],
                         env=secrets(token))
        self.url = self.wait_for_output(r"listening on (\S+)\n")[1]
        self.port = int(re.search(r":(\d+)/vod$", self.url)[1])

    def ask(self, path="/vod", token=TOKEN, method="GET", **headers):
        """(status, JSON of the answer)"""
        if token:
            headers["Authorization"] = "Bearer " + token
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=20)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(body) if answer.getheader(
            "Content-Type") == "application/json" else body


class Case(unittest.TestCase):
    def setUp(self):
        self.programs = []
        self.addCleanup(lambda: [p.kill() for p in self.programs])

    def started(self, program):
        self.programs.append(program)
        return program

    def emulate(self):
        emulator = Emulator()
        self.addCleanup(lambda: emulator.__exit__(None, None, None))
        emulator.url = "http://127.0.0.1:%d" % emulator.port
        return emulator


# ---- sign-service.py ----

@harness.beside
class TestSignService(Case):
    def sign(self, *args):
        spec = importlib.util.spec_from_file_location("sign_service", SERVICE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.signature(*args)

    def test_the_vector(self):
        """sign-service: the documentation's example gives its signature"""
        path = os.path.join(harness.ROOT, "tests", "vectors",
                            "vod-signature.json")
        with open(path) as f:
            vector = json.load(f)[0]
        fields = dict(pair.split("=") for pair in
                      vector["original"].split("&"))
        now = int(fields["currentTimeStamp"])
        self.assertEqual(vector["signature"], self.sign(
            vector["secretId"], vector["secretKey"], now,
            int(fields["expireTime"]) - now, int(fields["random"])))

    def test_the_same_as_vod_sign(self):
        """sign-service: signs as vod-sign does"""
        program = os.path.join(harness.BUILD, "examples", "vod-sign",
                               "vod-sign")
        for secret_id, key, now, lifetime, random in (
                ("AKID1", "k", 1, 1, 3),
                ("AKID2", "k/+=&%~", 1700000000, 7776000, 0),
                ("AKID3", "x" * 200, 2000000000, 600, 2 ** 32 - 1)):
            printed = harness.run(
                [program, "--now", str(now), "--expires", str(lifetime),
                 "--random", str(random)],
                env={"VOD_SECRET_ID": secret_id, "VOD_SECRET_KEY": key})
            self.assertEqual(printed.code, 0, printed.tail())
            self.assertEqual(printed.out.strip(), self.sign(
                secret_id, key, now, lifetime, random))

    def test_a_pipeline(self):
        """sign-service: signature-url and signature-headers upload with it;
        no secret is written anywhere"""
        emulator = self.emulate()
        service = self.started(Service())
        result = harness.run(harness.launch(
            (PICTURE % (FRAMES, emulator.url)).split() + [
                "signature-url=" + service.url,
                r'signature-headers="headers,Authorization=(string)\"Bearer '
                + TOKEN + r'\""']))
        self.assertEqual(result.code, 0, result.tail())
        media, = emulator.state()["media"]
        self.assertEqual(media["name"], "Film")
        service.signal(signal.SIGINT)
        ended = service.finish()
        self.assertEqual(ended.code, 0, ended.tail())
        self.assertIn(" 200\n", ended.err)
        for secret in (vodwire.SECRET_KEY, TOKEN, vodwire.SECRET_ID):
            self.assertNotIn(secret, ended.out + ended.err)

    def test_only_who_has_the_token(self):
        """sign-service: nothing for a wrong token, path or method"""
        service = self.started(Service())
        self.assertEqual(service.ask()[0], 200)
        one, other = (service.ask()[1]["signature"] for _ in range(2))
        self.assertNotEqual(one, other)
        for status, ask in (
                (401, {"token": None}), (401, {"token": TOKEN[:-1]}),
                (401, {"token": TOKEN + "x"}), (401, {"token": "\xe4"}),
                (404, {"path": "/"}), (404, {"path": "/vod?x=y"}),
                (404, {"path": "http://127.0.0.1/vod"}),
                (501, {"method": "POST"}), (501, {"method": "DELETE"})):
            got, said = service.ask(**ask)
            self.assertEqual(got, status, ask)
            self.assertNotIn("signature", str(said), ask)
        service.signal(signal.SIGTERM)
        ended = service.finish()
        self.assertNotIn(TOKEN[:-1], ended.out + ended.err)

    def test_without_a_token(self):
        """sign-service: without a token, no web page that calls its host
        127.0.0.1 gets a signature"""
        service = self.started(Service(token=None))
        for host, status in (("127.0.0.1:%d" % service.port, 200),
                             ("localhost", 200), ("[::1]", 200),
                             ("[::1]:%d" % service.port, 200),
                             ("[::2]", 403), ("[::1", 403), ("::1", 403),
                             ("192.0.2.1", 403), ("127.0.0.1.1", 403),
                             ("x@127.0.0.1", 403), ("evil.example.com", 403),
                             ("evil.example.com:%d" % service.port, 403),
                             ("127.0.0.1.example.com", 403), ("", 403)):
            self.assertEqual(service.ask(token=None, Host=host)[0], status,
                             host)

    def test_wrong_use(self):
        """sign-service: does not start without secrets, nor for everybody
        without a token"""
        for env, args, said in (
                ({"VOD_SECRET_ID": ""}, [], "VOD_SECRET_ID"),
                ({"VOD_SECRET_KEY": ""}, [], "VOD_SECRET_KEY"),
                ({"SIGN_TOKEN": "x" * 15}, [], "16 characters"),
                ({"SIGN_TOKEN": ""}, [], "16 characters"),
                ({}, ["--address", "0.0.0.0"], "SIGN_TOKEN")):
            result = harness.run(
                [sys.executable, SERVICE, "--port", "0", *args],
                env={**secrets(None), **env})
            self.assertEqual(result.code, 2, result.tail())
            self.assertIn(said, result.err)
            self.assertNotIn(vodwire.SECRET_KEY, result.out + result.err)

    def test_limits(self):
        """sign-service: 600 signatures in a minute, no more"""
        service = self.started(Service())
        answers = [service.ask()[0]]
        # Two minutes may be concerned.
        while answers[-1] == 200 and len(answers) < 1300:
            answers.append(service.ask()[0])
        self.assertEqual(answers[-1], 429)
        self.assertGreater(len(answers), 600)

    def test_silent_askers(self):
        """sign-service: who connects and says nothing keeps others away for 5
        s at most"""
        service = self.started(Service())
        silent = [socket.create_connection(("127.0.0.1", service.port))
                  for _ in range(32)]
        service.wait_for(lambda: self.is_refused(service), what="a refusal")
        for one in silent:
            one.settimeout(15)
            self.assertEqual(one.recv(100), b"")
            one.close()
        service.wait_for(lambda: not self.is_refused(service))

    @staticmethod
    def is_refused(service):
        try:
            return service.ask("/none")[0] != 404
        except (http.client.HTTPException, OSError):
            return True


# ---- get-signature.py ----

@harness.beside
class TestGetSignature(Case):
    def setUp(self):
        super().setUp()
        self.emulator = self.emulate()

    def upload(self, url, text, token=TOKEN):
        return self.started(harness.Program(
            [os.path.join(EXAMPLES, "get-signature.py"), url, text],
            env={"SIGN_TOKEN": token}))

    def check(self, result, frames=None):
        """One media is there, whole, and its id was told."""
        self.assertEqual(result.code, 0, result.tail())
        media, = self.emulator.state()["media"]
        self.assertIn("file id %s\n%s\n" % (media["fileId"], media["url"]),
                      result.out)
        data = Client(self.emulator).request(
            "GET", "/" + media["url"].split("/", 3)[3]).body
        if frames is not None:
            self.assertEqual(mp4.samples(data, "vide"), frames)
        else:
            self.assertGreater(mp4.samples(data, "vide"), 10)
        for secret in (TOKEN, vodwire.SECRET_KEY):
            self.assertNotIn(secret, result.out + result.err)

    def test_upload(self):
        """get-signature: uploads, and tells the file id"""
        service = self.started(Service())
        self.check(self.upload(service.url, PICTURE % (
            FRAMES, self.emulator.url)).finish(), FRAMES)

    def test_server_comes_later(self):
        """get-signature: waits for a server that is not there yet"""
        first = self.started(Service())
        first.kill()
        program = self.upload(first.url, PICTURE % (
            FRAMES, self.emulator.url))
        program.wait_for(lambda: "again in 2 s" in program.errors(),
                         what="a second try")
        service = Service(port=first.port)
        program.before.add(service.pid)
        self.started(service)
        self.check(program.finish(), FRAMES)

    def test_ctrl_c(self):
        """get-signature: Ctrl-C ends the recording, and the media is whole"""
        service = self.started(Service())
        program = self.upload(service.url, (PICTURE % (
            10000, self.emulator.url)).replace(
                "videotestsrc", "videotestsrc is-live=true"))
        program.wait_for(lambda: self.emulator.state()["uploads"],
                         what="an upload")
        program.wait_for_output(r"bytes are up\n.*bytes are up")
        program.signal(signal.SIGINT)
        self.check(program.finish())

    def test_second_ctrl_c(self):
        """get-signature: a second Ctrl-C does not wait for a server that never
        answers"""
        program = self.upload("http://127.0.0.1:9/vod", PICTURE % (
            FRAMES, self.emulator.url))
        program.wait_for(lambda: "no signature" in program.errors())
        program.signal(signal.SIGINT)
        program.wait_for(lambda: program.errors().count("no signature") > 1)
        program.signal(signal.SIGINT)
        self.assertEqual(program.finish(15).code, 1)
        self.assertEqual(self.emulator.state()["media"], [])

    def test_failure(self):
        """get-signature: what cannot be uploaded or read ends with 1"""
        service = self.started(Service())
        self.emulator.faults({"op": "CommitUploadUGC", "json": {
            "code": 10001, "message": "invalid request"}})
        result = self.upload(service.url, PICTURE % (
            FRAMES, self.emulator.url)).finish()
        self.assertEqual(result.code, 1, result.tail())
        self.assertIn("10001", result.err)
        for text in ("no such ! thing", "fakesrc ! fakesink"):
            result = self.upload(service.url, text).finish()
            self.assertEqual(result.code, 1, result.tail())
            self.assertNotIn("Traceback", result.err)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
