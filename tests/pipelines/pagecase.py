# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the emulator's page have in common: one browser for all, a
film to upload, an emulator for each test; after each, what the browser asked
for and what its console said."""

import os
import re
import unittest

import harness
from browser import Browser
from harness import MIB, Emulator

LIVE = ("videotestsrc is-live=true num-buffers=%d ! video/x-raw,width=320,"
        "height=180,framerate=30/1 ! x264enc tune=zerolatency bitrate=1500 "
        "speed-preset=ultrafast key-int-max=15 ! h264parse ! mp4mux ! ")
CARD = "#list > li:first-child "


def make_film(path):
    """Eight seconds as mp4, about 5 MiB."""
    result = harness.run(harness.launch(
        "videotestsrc pattern=snow num-buffers=240 ! video/x-raw,width=320,"
        "height=180,framerate=30/1 ! x264enc speed-preset=ultrafast "
        "bitrate=5000 key-int-max=30 ! h264parse ! mp4mux ! "
        "filesink location=" + path))
    if result.code != 0 or not 4 * MIB < os.path.getsize(path) < 9 * MIB:
        raise RuntimeError(result.tail())


def set_up():
    PageCase.where = harness.folder()
    PageCase.film = os.path.join(PageCase.where, "film.mp4")
    make_film(PageCase.film)
    PageCase.browser = Browser()


def tear_down():
    PageCase.browser.close()
    harness.remove(PageCase.where)


class PageCase(unittest.TestCase):
    where = None    # a folder
    film = None     # a file in it
    browser = None  # one for all

    def setUp(self):
        self.emulator = None
        self.programs = []
        # What the console may say of requests that this test lets fail.
        self.expected = None
        self.browser.size(1280, 900)
        self.browser.scheme("light")

    def tearDown(self):
        if self.emulator is None:
            return
        self.shoot("end")
        self.browser.open("about:blank")
        self.browser.collect()
        for program in self.programs:
            program.kill()
        self.emulator.__exit__(None, None, None)
        errors = [e for e in self.browser.errors
                  if not (self.expected and re.search(self.expected, e))]
        elsewhere = [url for url in self.browser.requests
                     if re.match("(http|ws)s?:", url)
                     and not url.startswith(self.url)]
        asked = len(self.browser.requests)
        self.browser.errors, self.browser.requests = [], []
        self.assertEqual(errors, [])
        self.assertEqual(elsewhere, [])
        self.assertGreater(asked, 8)

    def begin(self, *options):
        """An emulator and its page, at rest."""
        self.emulator = Emulator(*options)
        self.url = "http://127.0.0.1:%d/" % self.emulator.port
        self.browser.open(self.url)
        self.browser.wait_for_text("#link", "Live")
        self.browser.run("window.marked = true")

    def shoot(self, name):
        folder = os.environ.get("PAGE_SHOTS")
        if folder:
            os.makedirs(folder, exist_ok=True)
            self.browser.screenshot(os.path.join(folder, "%s-%s.png" % (
                self.id().rsplit(".test_", 1)[1], name)))

    def launch(self, pipeline, *settings):
        program = harness.Program(harness.launch(
            pipeline.split() + harness.sink(self.emulator, *settings)))
        self.programs.append(program)
        return program

    def upload_film(self, *settings):
        return self.launch("filesrc location=%s !" % self.film,
                           "slice-size=1048576", *settings)

    def finish(self, program):
        result = program.finish()
        self.assertEqual(result.code, 0, result.tail())

    def wait_until_ready(self):
        self.browser.wait_for_text(CARD + ".badge", "^Ready$")

    def label(self):
        return self.browser.find(CARD + ".grid").attribute("aria-label")

    def press_switch(self, name):
        button = self.switch(name)
        button.click()
        return button

    def switch(self, name):
        for button in self.browser.find_all(".switch"):
            if name in button.text():
                return button
        raise AssertionError(name)

    def wait_pressed(self, button, value):
        self.browser.wait(lambda: button.attribute("aria-pressed") == value,
                          "aria-pressed=" + value)


# Texts with less than 4.5:1 against what is behind them.
CONTRAST = """
  const canvas = document.createElement('canvas').getContext('2d',
    {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgba(colour).slice(0, 3).map((c) => (c /= 255) <= .04045 ?
      c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return 'white';
  };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest(':disabled, noscript, .unseen'))
      continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.outerHTML.slice(0, 80) + ' ' + ratio);
  }
  return bad;
"""
