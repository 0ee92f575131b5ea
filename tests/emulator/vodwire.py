# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the service for tests: signatures, CRC64 and requests, written
from the description of the wire alone, and the emulator as a process."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
import urllib.parse

SECRET_ID = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
SECRET_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
MIB = 1 << 20


# ---- CRC64 ----

def _make_table():
    table = []
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = (crc >> 1) ^ (0xC96C5795D7870F42 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _make_table()


def crc64(data, crc=0):
    crc ^= 0xFFFFFFFFFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def _times(matrix, vector):
    product = 0
    for row in matrix:
        if vector & 1:
            product ^= row
        vector >>= 1
    return product


def crc64_combine(first, second, length):
    """The CRC64 of two texts, the second of which has this length."""
    # What a zero bit does to a CRC, then two of them, four…
    matrix = [0xC96C5795D7870F42] + [1 << i for i in range(63)]
    bits = 8 * length
    while bits:
        if bits & 1:
            first = _times(matrix, first)
        matrix = [_times(matrix, row) for row in matrix]
        bits >>= 1
    return first ^ second


def crc64_repeated(crc, length, times):
    """The CRC64 of a text, so many times over."""
    result, size = 0, 0
    while times:
        if times & 1:
            result = crc64_combine(crc, result, size)
            size += length
        crc, length = crc64_combine(crc, crc, length), 2 * length
        times >>= 1
    return result


# ---- upload signatures ----

def sign_original(original, key=SECRET_KEY):
    mac = hmac.new(key.encode(), original.encode(), hashlib.sha1).digest()
    return base64.b64encode(mac + original.encode()).decode()


def upload_signature(key=SECRET_KEY, secret_id=SECRET_ID, now=None,
                     lifetime=3600, plus=False, **extra):
    now = int(time.time()) if now is None else now
    fields = {"secretId": secret_id, "currentTimeStamp": now,
              "expireTime": now + lifetime,
              "random": int.from_bytes(os.urandom(4), "big")}
    fields.update(extra)
    quote = urllib.parse.quote_plus if plus else urllib.parse.quote
    return sign_original("&".join(
        "%s=%s" % (k, quote(str(v), safe="")) for k, v in fields.items()), key)


# ---- storage authorization ----

def safe(text):
    return urllib.parse.quote(str(text), safe="-_.~")


def _list(pairs):
    items = sorted((safe(k).lower(), safe(v)) for k, v in pairs)
    return (";".join(k for k, _ in items),
            "&".join("%s=%s" % item for item in items))


def authorization(secret_id, secret_key, key_time, method, path, query,
                  headers):
    """The header for a request; path and all values are not encoded."""
    header_list, header_text = _list(headers)
    param_list, param_text = _list(query)
    text = "%s\n%s\n%s\n%s\n" % (method.lower(), path, param_text, header_text)
    sign_key = hmac.new(secret_key.encode(), key_time.encode(),
                        hashlib.sha1).hexdigest()
    to_sign = "sha1\n%s\n%s\n" % (
        key_time, hashlib.sha1(text.encode()).hexdigest())
    signature = hmac.new(sign_key.encode(), to_sign.encode(),
                         hashlib.sha1).hexdigest()
    return ("q-sign-algorithm=sha1&q-ak=%s&q-sign-time=%s&q-key-time=%s"
            "&q-header-list=%s&q-url-param-list=%s&q-signature=%s"
            % (secret_id, key_time, key_time, header_list, param_list,
               signature))


# ---- the emulator as a process ----

class Emulator:
    binary = None

    def __init__(self, *args, env=None):
        environment = dict(os.environ, G_DEBUG="fatal-criticals")
        environment.update(env or {})
        self.process = subprocess.Popen(
            [self.binary, *args], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(
            r"listening on (https?)://127\.0\.0\.1:(\d+)\n", line)
        if match is None:
            raise RuntimeError("vod-emulator said %r and %r" % (
                line, self.process.stderr.read()))
        self.scheme, self.port = match[1], int(match[2])
        self.lines = []
        while not self.lines or "watch" not in self.lines[-1]:
            self.lines.append(self.process.stdout.readline().decode())

    def stop(self, signal="terminate"):
        """Ends it; returns exit code and what it wrote to stderr."""
        getattr(self.process, signal)()
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.returncode is None:
            code, err = self.stop()
            if kind is None and (code != 0 or "Sanitizer" in err):
                raise AssertionError("exit code %d\n%s" % (code, err))

    # -- its own pages --

    def get(self, path):
        answer = Client(self).request("GET", path)
        return answer

    def state(self):
        return self.get("/api/state").json()

    def faults(self, *faults):
        answer = Client(self).request(
            "POST", "/api/faults", body=json.dumps(list(faults)))
        assert answer.status == 200, answer.body
        return answer.json()

    def clear_faults(self):
        Client(self).request("DELETE", "/api/faults")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def text(self):
        return self.body.decode()

    def find(self, element):
        """The content of the first such XML element."""
        match = re.search("<%s>(.*?)</%s>" % (element, element), self.text(),
                          re.S)
        return match[1] if match else None

    def find_all(self, element):
        return re.findall("<%s>(.*?)</%s>" % (element, element), self.text(),
                          re.S)


class Client:
    """A connection that is kept open."""

    def __init__(self, emulator, timeout=20, context=None, address="127.0.0.1"):
        if emulator.scheme == "https":
            self.connection = http.client.HTTPSConnection(
                address, emulator.port, timeout=timeout,
                context=context or ssl._create_unverified_context())
        else:
            self.connection = http.client.HTTPConnection(
                address, emulator.port, timeout=timeout)

    def close(self):
        self.connection.close()

    def request(self, method, target, headers=(), body=None, chunked=False):
        headers = list(headers.items() if isinstance(headers, dict)
                       else headers)
        names = {name.lower() for name, _ in headers}
        if isinstance(body, str):
            body = body.encode()
        c = self.connection
        c.putrequest(method, target, skip_host="host" in names,
                     skip_accept_encoding=True)
        for name, value in headers:
            c.putheader(name, value)
        if chunked:
            c.putheader("Transfer-Encoding", "chunked")
        elif (body is not None or method in ("PUT", "POST")) and \
                "content-length" not in names:
            c.putheader("Content-Length", str(len(body or b"")))
        c.endheaders()
        if chunked:
            for i in range(0, len(body), 100000):
                piece = body[i:i + 100000]
                c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            c.send(b"0\r\n\r\n")
        elif body:
            c.send(body)
        return Answer(c.getresponse())


def vod(emulator, action, client=None, signature=None, **fields):
    fields["signature"] = signature or upload_signature()
    return (client or Client(emulator)).request(
        "POST", "/v3/index.php?Action=" + action,
        [("Content-Type", "application/json")], json.dumps(fields)).json()


class Upload:
    """One session with the service, from Apply on."""

    def __init__(self, emulator, apply=None, forward=True, signature=None,
                 **fields):
        self.emulator = emulator
        self.client = Client(emulator)
        self.forward = forward
        if apply is None:
            fields.setdefault("videoName", "a video")
            fields.setdefault("videoType", "mp4")
            answer = vod(emulator, "ApplyUploadUGC", signature=signature,
                         **fields)
            assert answer["code"] == 0, answer
            apply = answer["data"]
        self.take(apply)

    def take(self, apply):
        self.apply = apply
        self.session = apply["vodSessionKey"]
        self.bucket = "%s-%d" % (apply["storageBucket"], apply["storageAppId"])
        self.host = "%s.cos.%s.myqcloud.com" % (
            self.bucket, apply["storageRegionV5"])
        self.path = apply["video"]["storagePath"] if "video" in apply else None
        self.cover_path = (apply["cover"]["storagePath"]
                           if "cover" in apply else None)
        self.certificate = apply["tempCertificate"]
        self.key_time = "%d;%d" % (apply["timestamp"],
                                   self.certificate["expiredTime"])
        self.upload_id = None

    def headers(self, method, path, query, extra=(), sign_host=True, host=None,
                signed=(), certificate=None, key_time=None, token=True,
                sign_token=False):
        """Headers with an authorization; @signed: extra ones to sign."""
        certificate = certificate or self.certificate
        host = host or self.host
        to_sign = [("host", host)] if sign_host else []
        to_sign += [(k, v) for k, v in extra if k.lower() in signed]
        if sign_token:
            to_sign.append(("x-cos-security-token", certificate["token"]))
        result = list(extra)
        result.append(("Authorization", authorization(
            certificate["secretId"], certificate["secretKey"],
            key_time or self.key_time, method, path, query, to_sign)))
        if token:
            result.append(("x-cos-security-token", certificate["token"]))
        if self.forward:
            result.append(("Vod-Forward-Cos", self.host))
        else:
            result.append(("Host", self.host))
        return result

    def cos(self, method, path=None, query=(), body=None, client=None,
            chunked=False, **how):
        path = path or self.path
        query = list(query)
        target = safe(path).replace("%2F", "/")
        if query:
            target += "?" + "&".join(
                safe(k) + ("=" + safe(v) if v != "" else "")
                for k, v in query)
        return (client or self.client).request(
            method, target, self.headers(method, path, query, **how), body,
            chunked)

    def initiate(self, **how):
        answer = self.cos("POST", query=[("uploads", "")], **how)
        if answer.status == 200:
            self.upload_id = answer.find("UploadId")
        return answer

    def part(self, number, data, **how):
        return self.cos("PUT", query=[("partNumber", number),
                                      ("uploadId", self.upload_id)],
                        body=data, **how)

    def list_parts(self, *query, **how):
        return self.cos("GET", query=[("uploadId", self.upload_id), *query],
                        **how)

    def list_uploads(self, *query, prefix=None, **how):
        prefix = self.path[1:] if prefix is None else prefix
        pairs = [("uploads", "")]
        if prefix is not False:
            pairs.append(("prefix", prefix))
        return self.cos("GET", "/", query=[*pairs, *query], **how)

    def complete_body(self, etags):
        return "<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % (
            "".join("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>"
                    % item for item in etags))

    def complete(self, etags, body=None, **how):
        return self.cos("POST", query=[("uploadId", self.upload_id)],
                        body=body or self.complete_body(etags), **how)

    def abort(self, **how):
        return self.cos("DELETE", query=[("uploadId", self.upload_id)], **how)

    def commit(self, **how):
        return vod(self.emulator, "CommitUploadUGC", vodSessionKey=self.session,
                   **how)

    def send(self, *parts):
        """Initiates and uploads the parts; returns their list."""
        answer = self.initiate()
        assert answer.status == 200, answer.body
        etags = []
        for number, data in enumerate(parts, 1):
            answer = self.part(number, data)
            assert answer.status == 200, answer.body
            etags.append((number, answer.headers["etag"]))
        return etags


def code_of(answer):
    return answer.find("Code")


def raw_exchange(emulator, data, timeout=20, half_close=False):
    """Sends bytes as they are; returns what comes until the end, and how it
    ended: "eof", "reset" or "timeout"."""
    with socket.create_connection(("127.0.0.1", emulator.port),
                                  timeout) as s:
        received = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    return received, "eof"
                received += piece
        except ConnectionError:
            return received, "reset"
        except socket.timeout:
            return received, "timeout"
