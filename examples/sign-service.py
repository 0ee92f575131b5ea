#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A signature service: gives upload signatures to the machines that record, so
that the secret key stays on this one. Python's standard library is all it needs.

    export VOD_SECRET_ID=AKID… VOD_SECRET_KEY=… SIGN_TOKEN=a-long-random-word
    examples/sign-service.py --port 8700
    examples/get-signature.py http://127.0.0.1:8700/vod "…"

get-signature.py takes SIGN_TOKEN from its environment. recorder.py takes it from a
private file of arguments (@FILE), in which are the two lines

    --set
    signature-headers=headers,Authorization=(string)"Bearer a-long-random-word"

and gst-launch-1.0, which has no such way, a signature from a file that
systemd/vodsink-signature.service keeps fresh (signature-url=file:…). Do not give
the token itself to gst-launch-1.0: everybody on the machine who runs ps sees it.

Without SIGN_TOKEN it serves whoever can reach it, therefore on this machine
alone. It speaks plain http: for other machines put a server that speaks https
in front of it. Ctrl-C ends it (exit code 0); 2: wrong use."""

import argparse
import base64
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import re
import secrets
import sys
import threading
import time
import urllib.parse

# Seconds that a signature is good for: longer than a file with one is kept
# (systemd/vodsink-signature.timer).
LIFETIME = 3600
PER_MINUTE = 600  # signatures, to all askers together
ASKERS = 32       # at a time
PATIENCE = 5      # seconds that an asker may be silent


def signature(secret_id, secret_key, now, lifetime, random):
    """base64 (HMAC-SHA1 (key, fields) + fields). More fields, such as
    procedure or storageRegion, are what the service is to do with the media."""
    fields = urllib.parse.urlencode({
        "secretId": secret_id, "currentTimeStamp": now,
        "expireTime": now + lifetime, "random": random})
    mac = hmac.new(secret_key.encode(), fields.encode(), hashlib.sha1).digest()
    return base64.b64encode(mac + fields.encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = PATIENCE
    server_version, sys_version = "sign-service", ""

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path != "/vod":
            self.answer(404, {"message": "there is only /vod"})
        elif not self.is_allowed():
            self.answer(401 if os.environ.get("SIGN_TOKEN") else 403,
                        {"message": "who are you?"})
        elif not self.server.take_one():
            self.answer(429, {"message": "too many, try again in a minute"})
        else:
            self.answer(200, {"signature": signature(
                os.environ["VOD_SECRET_ID"], os.environ["VOD_SECRET_KEY"],
                int(time.time()), LIFETIME, secrets.randbits(32))})

    def is_allowed(self):
        token = os.environ.get("SIGN_TOKEN")
        if token:
            return hmac.compare_digest(
                self.headers.get("Authorization", "").encode(),
                b"Bearer " + token.encode())
        # A web page that calls its own host 127.0.0.1 must get nothing.
        host = re.fullmatch(r"(localhost|[\d.]+|\[[\da-f:]+\])(:\d+)?",
                            self.headers.get("Host", ""), re.ASCII)
        try:
            return bool(host) and (
                host[1] == "localhost" or
                ipaddress.ip_address(host[1].strip("[]")).is_loopback)
        except ValueError:
            return False

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        self.log_message("%s", int(code))  # neither path nor headers

    def log_error(self, *unused):
        pass  # what was wrong is in the answer; here it could be a secret


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = ASKERS

    def __init__(self, address):
        super().__init__(address, Handler)
        self.slots = threading.BoundedSemaphore(ASKERS)
        self.lock = threading.Lock()  # guards these two
        self.minute, self.given = 0, 0

    def take_one(self):
        """Whether one more signature may be given in this minute."""
        with self.lock:
            minute = int(time.monotonic() / 60)
            if minute != self.minute:
                self.minute, self.given = minute, 0
            self.given += 1
            return self.given <= PER_MINUTE

    def process_request(self, request, client_address):
        if self.slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self, request, client_address):
        pass  # somebody hung up


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1",
                        type=ipaddress.IPv4Address)
    parser.add_argument("--port", default=8700, type=int)
    options = parser.parse_args()
    for name in ("VOD_SECRET_ID", "VOD_SECRET_KEY"):
        if not os.environ.get(name):
            parser.error("the variable %s is not set" % name)
    token = os.environ.get("SIGN_TOKEN")
    if token is not None and len(token.encode()) < 16:
        parser.error("SIGN_TOKEN must have 16 characters at least")
    if not options.address.is_loopback and not token:
        parser.error("beyond this machine, SIGN_TOKEN must be set")
    with Server((str(options.address), options.port)) as server:
        print("listening on http://%s:%d/vod" % server.server_address,
              flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
