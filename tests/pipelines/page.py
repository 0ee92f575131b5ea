#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The emulator's page in headless Chromium, while gst-launch-1.0 uploads.
`page.py BUILD [WORD...]`; speaks TAP. With PAGE_SHOTS=FOLDER each test leaves
pictures there."""

import json
import os
import re
import sys

import browser
import harness
import pagecase
from browser import CONTROL, ENTER, SHIFT, SPACE, TAB
from harness import MIB, Emulator
from pagecase import CARD, CONTRAST, LIVE, PageCase
from vodwire import Upload

HOSTILE = "<script>hacked = 1</script><img src=x onerror='hacked = 1'>\u202ep4"


def setUpModule():
    pagecase.set_up()


def tearDownModule():
    pagecase.tear_down()


class TestUploads(PageCase):
    def test_an_upload_appears_progresses_and_plays(self):
        self.begin("--rate", str(2 * MIB))
        web = self.browser
        self.assertTrue(web.find("#empty").is_shown())
        self.assertIn("endpoint=" + self.url[:-1], web.text("#example"))
        program = self.upload_film("media-name=First film")
        web.wait_for_text(CARD + ".name", "^First film.mp4$")
        web.run("document.querySelector(arguments[0]).marked = true", CARD)
        self.assertFalse(web.find("#empty").is_shown())
        seen = self.watch(CARD)
        self.finish(program)
        self.check_progress(seen)
        self.assertTrue(web.run(
            "return marked && document.querySelector(arguments[0]).marked",
            CARD), "the card is the same, the page was not loaded again")
        media = self.emulator.state()["media"][0]
        self.assertEqual(web.text(CARD + ".file-id"), media["fileId"])
        self.assertEqual(web.text(CARD + ".url"), media["url"])
        self.assertIn("%d parts" % media["parts"], web.text(CARD + ".facts"))
        self.check_player()

    def watch(self, card):
        """What the card showed until it was ready."""
        seen = []

        def look():
            state = self.browser.run("""
              const card = document.querySelector(arguments[0]);
              return [card.querySelector('.badge').textContent,
                card.querySelector('progress').position,
                card.querySelector('.facts').textContent,
                card.querySelector('.grid').getAttribute('aria-label'),
                card.getBoundingClientRect().height,
                document.title]""", card)
            if not seen or seen[-1] != state:
                seen.append(state)
                if len(seen) == 6:
                    self.shoot("going")
            return state[0] == "Ready"

        self.browser.wait(look, "the end of the upload", 30)
        return seen

    def check_progress(self, seen):
        going = [s for s in seen if s[0] == "Uploading"]
        shares = [s[1] for s in going]
        self.assertGreater(len({s for s in shares if 0 < s < 1}), 3, seen)
        self.assertEqual(shares, sorted(shares))
        rates = [re.search(r" · ([\d.]+) ([KM]i)?B/s", s[2]) for s in going]
        self.assertTrue(any(r and float(r[1]) > 0 for r in rates), seen)
        counts = [int(m[1]) for m in
                  (re.search(r"(\d+) stored", s[3]) for s in going) if m]
        self.assertGreater(len(set(counts)), 2, "the grid fills: %s" % seen)
        self.assertTrue(any("coming in" in s[3] for s in going), seen)
        self.assertEqual({s[4] for s in seen}, {seen[0][4]}, "no jumps")
        self.assertIn("↑1 vod-emulator", {s[5] for s in going})

    def check_player(self):
        video = self.browser.find(CARD + "video")
        self.assertEqual(video.get("controls"), True)
        self.browser.wait(lambda: video.get("readyState") > 0, "its length")
        self.assertAlmostEqual(video.get("duration"), 8, delta=.5)
        self.browser.run("arguments[0].focus()", video)
        self.browser.press(SPACE)
        self.browser.wait(lambda: video.get("currentTime") > .3, "playing")
        # What comes later doesn't disturb it.
        self.finish(self.launch(LIVE % 30, "media-name=second"))
        self.browser.wait_for_text(CARD + ".name", "second")
        self.wait_until_ready()
        self.assertFalse(video.get("paused"))
        self.assertGreater(video.get("currentTime"), .8)

    def test_a_recording_whose_length_is_not_known(self):
        self.begin()
        program = self.launch(LIVE % 60)
        self.browser.wait_for_text(CARD + ".badge", "Uploading")
        self.assertEqual(
            self.browser.find(CARD + "progress").get("position"), -1)
        self.finish(program)
        self.wait_until_ready()
        self.assertEqual(
            self.browser.find(CARD + "progress").get("position"), 1)

    def test_an_upload_that_is_left_waits_and_a_deleted_one_goes(self):
        self.begin()
        upload = Upload(self.emulator, videoName="left", videoSize=3 * MIB)
        upload.initiate()
        upload.part(1, bytes(MIB))
        self.browser.wait_for_text(CARD + ".badge", "Waiting", 8)
        self.browser.wait_for_text(CARD + ".facts",
                                   r"1\.0 of 3\.0 MiB · silent for \d")
        upload.abort()
        self.browser.wait(lambda: self.browser.find("#empty").is_shown(),
                          "an empty list")
        self.assertEqual(self.browser.find_all("#list > li"), [])


class TestFaults(PageCase):
    def test_a_switch_makes_a_retry_visible(self):
        self.begin("--rate", str(3 * MIB))
        web = self.browser
        button = self.press_switch("Refuse 3 parts")
        self.wait_pressed(button, "true")
        (fault,) = self.emulator.get("/api/faults").json()
        self.assertEqual((fault["op"], fault["status"], fault["times"]),
                         ("UploadPart", 503, 3))
        program = self.upload_film()
        web.wait(lambda: web.find_all("#list > li"), "a card")
        labels = []

        def look():
            labels.append(self.label())
            return "Ready" == web.text(CARD + ".badge")

        web.wait(look, "the end", 30)
        self.shoot("retried")
        self.finish(program)
        self.assertTrue(any("failed, not there yet" in t or
                            "again after a failure" in t for t in labels))
        self.assertRegex(labels[-1], r"\d stored after a retry")
        self.assertNotIn("failed", labels[-1])
        self.assertIn("3 failed", web.text(CARD + ".facts"))
        # Used up, so it is off; and the next press is another three.
        self.wait_pressed(button, "false")
        self.assertIn("hit 3×", button.text())
        button.click()
        self.wait_pressed(button, "true")
        (fault,) = self.emulator.get("/api/faults").json()
        self.assertEqual(fault["hits"], 0)
        self.check_filters()

    def rows(self):
        return self.browser.run("""
          return [...document.querySelectorAll('#rows tr')].map(
            row => [...row.cells].map(cell => cell.textContent))""")

    def choose(self, select, text):
        for option in self.browser.find_all("#%s option" % select):
            if option.text() == text:
                option.click()
                return
        raise AssertionError(text)

    def check_filters(self):
        """The log of an upload with three parts refused."""
        web = self.browser
        everything = len(self.rows())
        self.assertGreater(everything, 12)
        self.choose("by-result", "Hit by a fault")
        rows = self.rows()
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertRegex(row[1], r"^UploadPart part \d$")
            self.assertEqual(row[2], "503 SlowDown fault: status")
        self.assertEqual(web.text("#shown"), "3 of %d requests" % everything)
        self.choose("by-result", "Succeeded")
        self.choose("by-op", "CommitUploadUGC")
        self.assertEqual([r[1:3] for r in self.rows()],
                         [["CommitUploadUGC", "200"]])
        self.choose("by-result", "All results")
        self.choose("by-op", "All operations")
        find = web.find("#find")
        find.type("slowdown part")
        self.assertEqual(len(self.rows()), 3)
        find.type(" nothing has this")
        self.assertEqual(self.rows(), [])
        self.assertIn("No request passes", web.text("#no-rows"))
        find.clear()
        web.run("document.getElementById('find')"
                ".dispatchEvent(new Event('input'))")
        self.assertEqual(len(self.rows()), everything)
        self.check_pause(everything)

    def check_pause(self, before):
        web = self.browser
        web.find("#pause").click()
        self.emulator.get("/signature")
        web.wait_for_text("#shown", "%d of %d" % (before, before + 1))
        self.assertEqual(len(self.rows()), before)
        web.find("#pause").click()
        self.assertEqual(len(self.rows()), before + 1)
        self.assertEqual(self.rows()[0][1], "signature")

    def test_on_and_off_here_and_there(self):
        self.begin()
        web = self.browser
        slow = self.press_switch("Slow service")
        self.wait_pressed(slow, "true")
        outage = self.press_switch("Outage")
        self.wait_pressed(outage, "true")
        slow.click()
        self.wait_pressed(slow, "false")
        (left,) = self.emulator.get("/api/faults").json()
        self.assertEqual((left["op"], left["drop"]), ("*", True))
        # What others do is seen, too.
        self.emulator.clear_faults()
        self.wait_pressed(outage, "false")
        self.emulator.faults({"delay": 1000, "op": "*"},
                             {"op": "report", "status": 404})
        self.wait_pressed(slow, "true")
        web.wait_for_text("#others code", '^{"op":"report","status":404}$')
        web.find("#others button").click()
        web.wait(lambda: not web.find_all("#others li"), "none of them")
        web.find("#clear").click()
        self.wait_pressed(slow, "false")
        self.assertEqual(self.emulator.get("/api/faults").json(), [])

    def test_a_fault_of_ones_own(self):
        self.begin()
        self.expected = "/api/faults .*status of 400"
        web = self.browser
        web.find("#faults summary").click()
        field = web.find("#json")
        field.clear()
        field.type('{"op": "UploadPart", "explode": true}')
        web.find("#own button").click()
        web.wait_for_text("#own-error", '"explode" is unknown')
        field.clear()
        field.type('{"op": "UploadPart", "part": 7, "stall": true}')
        web.find("#own button").click()
        web.wait_for_text("#others code", '"part":7')
        self.assertEqual(web.text("#own-error"), "")


class TestSafety(PageCase):
    def test_what_clients_say_stays_text(self):
        """a title of <script> stays text, and so does all else that is said"""
        root = os.path.join(self.where, "hostile")
        with Emulator("--root", root) as emulator:
            # The service refuses such a title: it gets in by the journal.
            upload = Upload(emulator, videoName="TITLE")
            upload.complete(upload.send(b"x"))
            upload.commit()
            Upload(emulator, videoName="TITLE").initiate()
        path = os.path.join(root, "journal")
        with open(path) as f:
            text = f.read()
        self.assertEqual(text.count('"TITLE"'), 2)
        with open(path, "w") as f:
            f.write(text.replace('"TITLE"', json.dumps(HOSTILE)))
        self.begin("--root", root)
        web = self.browser
        self.emulator.faults({"op": "HeadBucket", "status": 404,
                              "code": HOSTILE, "message": HOSTILE})
        for method, target, host in (("GET", "/%3Cscript%3Ehacked%3D1%3C/", "x"),
                                     ("HEAD", "/", "<script>x<b>")):
            harness.Client(self.emulator).request(
                method, target, [("Host", host), ("Vod-Forward-Cos", "x"),
                                 ("Authorization", "<b>")])
        web.wait_for_text("#rows .request", "HeadBucket")
        names = web.run("return [...document.querySelectorAll('.name')]"
                        ".map(e => e.textContent)")
        self.assertEqual(names, [HOSTILE + ".mp4"] * 2)
        self.assertIn("<script>", web.text("#others code"))
        self.assertEqual(web.text("#rows .code"), HOSTILE)
        titles = web.run("return [...document.querySelectorAll('#rows tr')]"
                         ".map(e => e.title).join()")
        self.assertIn("host <script>x<b>", titles)
        self.assertIn("key /<script>hacked=1</", titles)
        self.assertEqual(web.run(
            "return [document.scripts.length, typeof hacked,"
            "document.querySelectorAll('img[src=x], [onerror]').length]"),
            [1, "undefined", 0])
        # Without scripts it is the same.
        page = self.emulator.get("/").text()
        self.assertNotIn("<script>hacked", page)
        self.assertIn("&lt;script&gt;hacked", page)


class TestUse(PageCase):
    def test_the_cover_and_copying_its_url(self):
        """the cover is the poster; file id and URLs are copied and pasted"""
        path = os.path.join(self.where, "cover.png")
        self.assertEqual(harness.run(harness.launch(
            "videotestsrc num-buffers=1 ! pngenc ! filesink location=" +
            path)).code, 0)
        self.begin()
        self.finish(self.upload_film("cover-location=" + path))
        self.wait_until_ready()
        web = self.browser
        media = self.emulator.state()["media"][0]
        cover = media["cover"]["url"]
        self.assertEqual(web.find(CARD + "video").get("poster"), cover)
        web.wait(lambda: web.collect() or cover in web.requests, "the cover")
        for name, text in (("copy-id", media["fileId"]),
                           ("copy-url", media["url"]),
                           ("copy-cover", cover)):
            button = web.find(CARD + "." + name)
            width = button.get("offsetWidth")
            button.click()
            web.wait(lambda b=button: b.text() == "Copied", "Copied")
            self.assertEqual(button.get("offsetWidth"), width)
            find = web.find("#find")
            find.clear()
            find.click()
            web.press("v", holding=CONTROL)
            self.assertEqual(find.get("value"), text)
        self.assertEqual(web.text("#say"), "Cover URL copied")
        web.wait(lambda: button.text() == "Copy", "Copy")

    def test_keys_reach_everything(self):
        self.begin()
        self.finish(self.upload_film())
        self.wait_until_ready()
        web = self.browser
        self.emulator.faults({"op": "report", "drop": True})
        web.wait_for_text("#others", "report")
        wanted = web.run("""
          const all = 'a[href], button:not(:disabled), input, select, summary,'
            + 'video, #scroll';
          return [...document.querySelectorAll(all)]
            .filter(e => e.checkVisibility()).length""")
        reached, unseen = set(), []
        for _ in range(wanted + 12):
            web.press(TAB)
            number, outline = web.run("""
              const e = document.activeElement;
              window.known ??= [];
              if (!known.includes(e)) known.push(e);
              const style = getComputedStyle(e);
              return [known.indexOf(e),
                e === document.body || e.tagName === 'VIDEO' ||
                  style.outlineStyle !== 'none' &&
                  parseFloat(style.outlineWidth) >= 2]""")
            reached.add(number)
            if not outline:
                unseen.append(number)
        self.shoot("focus")
        missed = web.run("""
          const all = 'a[href], button:not(:disabled), input, select, summary,'
            + 'video, #scroll';
          return [...document.querySelectorAll(all)]
            .filter(e => e.checkVisibility() && !known.includes(e))
            .map(e => e.outerHTML.slice(0, 200))""")
        self.assertEqual(missed, [])
        self.assertEqual(unseen, [], "focus that can't be seen")
        self.check_skip_link()
        button = self.switch("Slow service")
        web.run("arguments[0].focus()", button)
        web.press(SPACE)
        self.wait_pressed(button, "true")
        web.press(ENTER)
        self.wait_pressed(button, "false")
        self.assertTrue(web.focused() == button)
        web.press(TAB, holding=SHIFT)
        self.assertFalse(web.focused() == button)

    def check_skip_link(self):
        web = self.browser
        web.run("document.activeElement.blur(); scrollTo(0, 0);"
                "getSelection().removeAllRanges()")
        link = web.find(".skip[href='#requests']")
        web.run("arguments[0].focus()", link)
        self.assertGreaterEqual(
            web.run("return arguments[0].getBoundingClientRect().x", link), 0)
        web.press(ENTER)
        self.assertEqual(web.focused().get("id"), "requests")

    def test_every_control_has_a_name(self):
        """for those who listen: names, roles, levels of headings, no id twice"""
        self.begin()
        self.finish(self.upload_film("media-name=said"))
        self.wait_until_ready()
        Upload(self.emulator, videoName="half").send(b"x")
        web = self.browser
        web.wait_for_text(CARD + ".name", "half")
        web.find("#faults summary").click()
        nodes = web.devtools("Accessibility.getFullAXTree")["nodes"]
        found = {}
        for node in nodes:
            role = node.get("role", {}).get("value")
            name = node.get("name", {}).get("value", "")
            if not node.get("ignored"):
                found.setdefault(role, []).append(name)
        for role in ("button", "link", "searchbox", "combobox", "textbox",
                     "image", "progressbar", "heading", "article", "region",
                     "table"):
            names = found.get(role, []) or found.get(
                {"image": "img", "table": "grid"}.get(role), [])
            if role != "table":
                self.assertNotIn("", names, role)
            self.assertTrue(names, (role, sorted(found)))
        for name in ("Copy file id of said.mp4", "Copy URL of said.mp4"):
            self.assertIn(name, found["button"])
        self.assertIn("Upload of half.mp4", found["progressbar"])
        self.assertIn("1 part: 1 stored",
                      found.get("image", []) + found.get("img", []))
        self.assertIn("said.mp4", found["article"])
        self.assertEqual(web.run("""
          const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
          const levels = [...document.querySelectorAll('h1, h2, h3')]
            .filter(e => e.checkVisibility()).map(e => +e.tagName[1]);
          return [ids.length - new Set(ids).size, document.documentElement.lang,
            levels[0], levels.every((l, i) => !i || l <= levels[i - 1] + 1),
            document.querySelectorAll('[role=alert], [role=status]').length]
          """), [0, "en", 1, True, 3])
        self.assertIn("Upload of half has begun", web.text("#say"))


class TestLooks(PageCase):
    def fill(self):
        """Much of everything, with names that don't break."""
        self.finish(self.upload_film("media-name=" + "long" * 40))
        Upload(self.emulator, videoName="x" * 199).send(b"x")
        self.emulator.faults(
            {"op": "UploadPart", "status": 503, "code": "y" * 90},
            {"op": "HeadObject", "status": 503, "code": "z" * 90})
        upload = Upload(self.emulator)
        upload.initiate()
        upload.part(1, b"x")
        self.browser.wait_for_text("#rows", "yyyy")
        self.browser.wait(
            lambda: len(self.browser.find_all("#list > li")) == 3, "cards")
        return upload

    def too_wide(self):
        return self.browser.run("""
          const width = document.documentElement.clientWidth;
          return [...document.querySelectorAll('body *')].filter(e => {
              const box = e.getBoundingClientRect();
              return e.checkVisibility() && !e.closest('.unseen, .skip, pre') &&
                box.width > 0 && (box.right > width + .5 || box.left < -.5);
            }).map(e => e.outerHTML.slice(0, 100))
            .concat(document.documentElement.scrollWidth > width ?
              ['scrolls'] : [])""")

    def test_a_phone_is_wide_enough(self):
        """360 and 320 px: nothing is cut off or has to be scrolled sideways"""
        self.begin()
        for width in (360, 320):
            self.browser.size(width, 740)
            self.assertEqual(self.too_wide(), [])
        self.shoot("empty")
        self.fill()
        for width in (320, 360, 700, 1100, 1920):
            self.browser.size(width, 740)
            self.assertEqual(self.too_wide(), [], width)
        self.browser.size(360, 740)
        # Fingers are thick.
        small = self.browser.run("""
          return [...document.querySelectorAll('button, select, input')]
            .filter(e => e.checkVisibility() && e.offsetHeight < 28)
            .map(e => e.outerHTML)""")
        self.assertEqual(small, [])
        self.assertRegex(self.browser.find("#rows").text(),
                         r"UploadPart part 1\s+503 y+ fault: status")

    def test_light_and_dark(self):
        """both schemes, each with enough contrast; less motion if that is wanted"""
        self.begin()
        upload = self.fill()
        backs = []
        for scheme in ("light", "dark"):
            self.browser.scheme(scheme)
            backs.append(self.browser.run(
                "return getComputedStyle(document.body).backgroundColor"))
            self.assertEqual(self.browser.run(CONTRAST), [], scheme)
            self.shoot(scheme)
        self.assertNotEqual(*backs)
        moving = "return document.getAnimations().length"
        self.browser.wait(lambda: upload.part(1, b"x") and
                          self.browser.run(moving) > 0, "stripes that move")
        self.browser.scheme("dark", motion="reduce")
        self.assertEqual(self.browser.run(moving), 0)


class TestEndurance(PageCase):
    def test_the_emulator_is_started_anew(self):
        root = os.path.join(self.where, "again")
        self.begin("--root", root)
        self.expected = "net::ERR_|Failed to fetch"
        port = str(self.emulator.port)
        web = self.browser
        self.finish(self.upload_film("media-name=kept"))
        self.wait_until_ready()
        web.run("document.querySelector(arguments[0]).marked = true", CARD)
        self.assertFalse(web.find("#lost").is_shown())
        self.emulator.stop()
        web.wait_for_text("#link", "Not connected")
        self.assertTrue(web.find("#lost").is_shown())
        self.shoot("lost")
        self.assertEqual(web.text(CARD + ".name"), "kept.mp4")
        self.emulator = Emulator("--root", root, "--port", port)
        web.wait_for_text("#link", "Live")
        self.assertFalse(web.find("#lost").is_shown())
        self.assertEqual(web.text("#say"), "Connected again")
        web.wait(lambda: "Commit" not in web.text("#rows"), "another log")
        self.emulator.get("/signature")
        web.wait_for_text("#rows", "signature")
        self.assertTrue(web.run(
            "return marked && document.querySelector(arguments[0]).marked",
            CARD))

    def test_one_that_hangs_is_noticed(self):
        self.begin()
        self.emulator.process.send_signal(19)
        try:
            self.browser.wait_for_text("#link", "Not connected", 12)
        finally:
            self.emulator.process.send_signal(18)
        self.browser.wait_for_text("#link", "Live")

    def test_nobody_looks(self):
        """no question is asked while the page is hidden"""
        self.begin()
        web = self.browser
        web.ask("POST", "/window/minimize", {})
        self.assertEqual(web.run("return document.visibilityState"), "hidden")
        web.wait(lambda: not web.run(
            "return performance.getEntriesByType('resource').some(e => "
            "e.name.includes('/api/live') && e.startTime > "
            "performance.now() - 1500)"), "silence")
        self.emulator.get("/signature")
        web.ask("POST", "/window/rect", {"width": 1280, "height": 900})
        web.wait_for_text("#rows", "signature")

    def test_thousands_of_parts_and_requests(self):
        self.begin("--discard")
        self.expected = "willReadFrequently"  # says that of this test
        web = self.browser
        height = web.run("return document.querySelector('#scroll').offsetHeight")
        upload = Upload(self.emulator, videoName="many")
        upload.initiate()
        for number in [*range(1, 700), 10000]:
            upload.part(number, b"x")
        web.wait_for_text("#n-requests", "^70\\d$")
        web.wait_for_text(CARD + ".legend", "700 stored")
        self.assertRegex(
            self.label(), "^10,000 parts: 9300 not seen yet, 700 stored$")
        self.assertIn("a square is", web.text(CARD + ".legend"))
        self.assertEqual(len(web.find_all("#rows tr")), 200)
        self.assertRegex(web.text("#shown"), "^200 of [567]\\d\\d requests$")
        self.assertEqual(web.run(
            "return [document.querySelector('.grid').offsetHeight,"
            "document.querySelector('#scroll').offsetHeight,"
            "document.querySelectorAll('*').length < 2500]"),
            [44, height, True])
        # Counted, drawn and said.
        took = web.run("""
          const { grid } = document.querySelector('.grid');
          return [...Array(11).keys()].map((i) => {
            const begun = performance.now();
            grid.show('o'.repeat(9999) + i);
            grid.canvas.getContext('2d').getImageData(0, 0, 1, 1);
            return performance.now() - begun;
          }).sort((a, b) => a - b)[5]""")
        self.assertLess(took, 100, "ms for a grid of ten thousand")

    def test_more_media_than_are_shown_at_first(self):
        self.begin()
        web = self.browser
        for i in range(15):
            upload = Upload(self.emulator, videoName="n%d" % i)
            upload.complete(upload.send(b"x"))
            upload.commit()
        web.wait_for_text("#more", "Show 3 more of 3")
        self.assertEqual(len(web.find_all("#list > li")), 12)
        self.assertEqual(web.text(CARD + ".name"), "n14.mp4")
        web.find("#more").click()
        web.wait(lambda: len(web.find_all("#list > li")) == 15, "all")
        self.assertFalse(web.find("#more").is_shown())
        web.wait_for_text(CARD, "could not play it")
        web.find(CARD + ".note button").click()
        web.wait_for_text(CARD, "could not play it")


if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    # CI installs them.
    if browser.is_there() or os.environ.get("CI") == "true":
        harness.main()
    else:
        print("1..0 # SKIP chromium and chromedriver are not installed")
