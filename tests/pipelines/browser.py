# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headless Chromium by way of chromedriver: the few commands of the WebDriver
protocol that the tests of the emulator's page need."""

import base64
import http.client
import json
import os
import re
import shutil
import tempfile
import time

import harness

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-quic",
         "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "disable-dev-shm-usage")
CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")

# Keys as WebDriver has them.
TAB, ENTER, SPACE, CONTROL, SHIFT = "\ue004", "\ue007", " ", "\ue009", "\ue008"


def is_there():
    return bool(CHROMIUM and CHROMEDRIVER)


class WebDriverError(Exception):
    pass


class Element:
    def __init__(self, browser, number):
        self.browser = browser
        self.number = number

    def ask(self, method, what, body=None):
        return self.browser.ask(method, "/element/%s/%s" % (self.number, what),
                                body)

    def click(self):
        self.ask("POST", "click", {})

    def type(self, text):
        self.ask("POST", "value", {"text": text})

    def clear(self):
        self.ask("POST", "clear", {})

    def text(self):
        return self.ask("GET", "text")

    def get(self, name):
        """A property."""
        return self.ask("GET", "property/" + name)

    def attribute(self, name):
        return self.browser.run("return arguments[0].getAttribute(arguments[1])",
                                self, name)

    def is_shown(self):
        return self.ask("GET", "displayed")

    def find(self, selector):
        return Element(self.browser, self.ask(
            "POST", "element",
            {"using": "css selector", "value": selector})[ELEMENT])

    def __eq__(self, other):
        return self.number == other.number


class Browser:
    """With a profile of its own, which goes with it."""

    def __init__(self, width=1280, height=900):
        if not is_there():
            raise RuntimeError("chromium and chromedriver are not installed")
        self.profile = tempfile.mkdtemp(prefix="vodsink-browser-")
        self.driver = harness.Program(
            [CHROMEDRIVER, "--port=0"],
            env={"HOME": self.profile, "XDG_CONFIG_HOME": self.profile,
                 "XDG_CACHE_HOME": self.profile})
        self.session = None
        self.requests = []  # URLs that the browser has asked for
        self.errors = []    # what the console complained of
        try:
            match = self.driver.wait_for_output(r"successfully on port (\d+)")
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", int(match[1]), timeout=60)
            self.begin(width, height)
        except BaseException:
            self.close()
            raise

    def begin(self, width, height):
        arguments = ["--" + flag for flag in FLAGS]
        arguments += ["--window-size=%d,%d" % (width, height),
                      "--user-data-dir=" + os.path.join(self.profile, "data")]
        answer = self.call("POST", "/session", {"capabilities": {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "goog:chromeOptions": {"binary": CHROMIUM,
                                       "args": arguments}}}})
        self.session = answer["sessionId"]
        self.size(width, height)

    def close(self):
        try:
            if self.session:
                self.call("DELETE", "/session/" + self.session)
                self.wait_for_its_end()
        finally:
            self.driver.signal(15)
            try:
                self.driver.finish(20)
            finally:
                shutil.rmtree(self.profile, ignore_errors=True)

    def wait_for_its_end(self):
        """Some of its processes are somewhat slower than it says."""
        deadline = time.monotonic() + 10
        others = self.driver.before | {self.driver.pid}
        while set(harness.children()) - others and \
                time.monotonic() < deadline:
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # -- the wire --

    def call(self, method, path, body=None):
        self.connection.request(
            method, path, None if body is None else json.dumps(body),
            {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        value = json.loads(answer.read())["value"]
        if answer.status != 200:
            raise WebDriverError("%s: %s" % (value["error"],
                                             value["message"].split("\n")[0]))
        return value

    def ask(self, method, what, body=None):
        return self.call(method, "/session/%s%s" % (self.session, what), body)

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute",
                        {"cmd": command, "params": parameters})

    # -- what a person does --

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width,
                      height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name, motion="no-preference"):
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": motion}])

    def find(self, selector):
        return Element(self, self.ask("POST", "/element", {
            "using": "css selector", "value": selector})[ELEMENT])

    def find_all(self, selector):
        return [Element(self, e[ELEMENT]) for e in self.ask(
            "POST", "/elements", {"using": "css selector", "value": selector})]

    def focused(self):
        return Element(self, self.ask("GET", "/element/active")[ELEMENT])

    def press(self, *keys, holding=None):
        strokes = [stroke for key in keys
                   for stroke in ({"type": "keyDown", "value": key},
                                  {"type": "keyUp", "value": key})]
        if holding:
            strokes = [{"type": "keyDown", "value": holding}, *strokes,
                       {"type": "keyUp", "value": holding}]
        self.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": strokes}]})

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync", {
            "script": script,
            "args": [{ELEMENT: a.number} if isinstance(a, Element) else a
                     for a in arguments]})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])"
                        "?.textContent", selector)

    def wait(self, condition, what, timeout=20):
        """Until condition() gives something true, which is returned."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for %s; the page says:\n%s"
                                     % (what, self.text("body")))
            time.sleep(0.03)

    def wait_for_text(self, selector, pattern, timeout=20):
        return self.wait(
            lambda: re.search(pattern, self.text(selector) or ""),
            "%s: %s" % (selector, pattern), timeout)

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("GET", "/screenshot")))

    # -- what was going on --

    def collect(self):
        """Takes the logs: into self.requests and self.errors."""
        for entry in self.ask("POST", "/se/log", {"type": "browser"}):
            self.errors.append("%(level)s %(message)s" % entry)
        for entry in self.ask("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
