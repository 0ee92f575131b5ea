#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units of examples/systemd: systemd understands them, and what their lines
run does what docs/operations.md says. `operations.py BUILD [WORD...]`; TAP."""

import glob
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import harness
import units
from harness import Emulator

UNITS = os.path.join(harness.ROOT, "examples", "systemd")
SERVICES = ("vodsink-record@.service", "vod-resume.service",
            "vodsink-signature.service")
MOST_EXPOSED = 20  # tenths, as systemd-analyze security has it
CAMERA = ("videotestsrc is-live=true ! video/x-raw,width=320,height=240,"
          "framerate=15/1 ! watchdog timeout=15000 ! x264enc tune=zerolatency "
          "speed-preset=ultrafast key-int-max=15 ! h264parse")
TOKEN = "Authorization: Bearer not-for-everybody"

# What of the units' confinement needs no systemd: nothing can be written but in
# the folders that are theirs, no capability, nothing to be gained by exec.
CONFINE = """
mount --make-rprivate / || exit 99
for dir in $OWN; do mount --bind "$dir" "$dir" || exit 99; done
mount -o remount,bind,ro / || exit 99
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def can_confine():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && "
         "mount --bind /usr /usr && mount -o remount,bind,ro / && "
         "setpriv --no-new-privs --bounding-set=-all true"],
        stderr=subprocess.DEVNULL).returncode == 0


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


class OperationsCase(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.emulator = Emulator()
        self.addCleanup(lambda: self.emulator.__exit__(None, None, None))
        self.base = "http://127.0.0.1:%d" % self.emulator.port
        for name in ("etc", "run", "state", "cache", "credentials"):
            os.mkdir(self.path(name), 0o700)
        self.programs = []
        self.addCleanup(lambda: [p.kill() for p in self.programs])

    def path(self, *names):
        return os.path.join(self.where, *names)

    def write(self, name, text):
        with open(self.path(*name.split("/")), "w", encoding="utf-8") as f:
            f.write(text)

    def unit(self, name):
        """With all that it names below a folder of this test."""
        for folder in ("run/vodsink", "run/vodsink-record-lobby",
                       "state/vodsink", "cache/vodsink"):
            os.makedirs(self.path(*folder.split("/")), 0o700, exist_ok=True)
        runtime = "vodsink-record-lobby" if "@" in name else "vodsink"
        return units.Unit(
            os.path.join(UNITS, name),
            {"i": "lobby", "t": self.path("run"), "S": self.path("state"),
             "C": self.path("cache")},
            {"RUNTIME_DIRECTORY": self.path("run", runtime),
             "CREDENTIALS_DIRECTORY": self.path("credentials")},
            {"/etc/vodsink/": self.path("etc") + "/",
             "/usr/bin/vod-resume": harness.RESUME})

    def start(self, words, variables):
        words = ["sh", "-c", "umask 0077; exec \"$@\"", "sh", *words]
        if CONFINED:
            own = " ".join(self.path(n) for n in ("run", "state", "cache"))
            words = ["unshare", "--mount", "sh", "-c",
                     CONFINE.replace("$OWN", own), "sh", *words]
        program = harness.Program(
            words, env=dict(variables, GST_PLUGIN_PATH=os.environ[
                "GST_PLUGIN_PATH"]), cwd="/")
        self.programs.append(program)
        return program

    def run_line(self, line):
        return self.start(*line).finish()

    # -- what the machine's owner writes --

    def set_up_camera(self, sign=True, **more):
        lines = {"SOURCE": CAMERA, "FRAGMENT_NS": "1000000000",
                 "VODSINK_PROPERTIES":
                 "retry-duration=300,endpoint=" + self.base}
        lines.update(more)
        self.write("etc/lobby.env", "".join(
            '%s="%s"\n' % item for item in lines.items()))
        if sign:
            self.fetch_signature()

    def fetch_signature(self):
        self.write("etc/signature.env", "SIGNING_URL=%s/signature\n"
                   % self.base)
        self.write("credentials/token", TOKEN + "\n")
        return self.run_signature()

    def run_signature(self):
        """Line by line until one fails; returns that."""
        for line in self.unit("vodsink-signature.service").commands(
                "ExecStart"):
            result = self.run_line(line)
            if result.code != 0:
                break
        return result

    def record(self):
        unit = self.unit("vodsink-record@.service")
        for line in unit.commands("ExecStartPre"):
            self.assertEqual(self.run_line(line).code, 0)
        return self.start(*next(unit.commands("ExecStart")))

    def record_media(self, fragments):
        """The recording, once so many fragments are committed."""
        program = self.record()
        program.wait_for(lambda: len(self.media()) >= fragments,
                         what="%d media" % fragments)
        return program

    def record_spool(self):
        """(the recording, its spool) once there is a good piece of it."""
        before = self.spools()
        program = self.record()

        def grown():
            return [path for path in self.spools() if path not in before
                    and os.path.getsize(path) > 10000]
        return program, program.wait_for(grown, what="a spool")[0]

    def stop(self, program):
        """As systemd does, with the unit's own signal."""
        unit = self.unit("vodsink-record@.service")
        program.signal(getattr(signal, unit.get("KillSignal")))
        return program.finish(int(unit.get("TimeoutStopSec")))

    def resume(self):
        result = self.run_line(next(
            self.unit("vod-resume.service").commands("ExecStart")))
        return result

    # -- what there is then --

    def media(self):
        return sorted(m["name"] for m in self.emulator.state()["media"])

    def spools(self):
        return glob.glob(self.path("state", "vodsink", "*.media"))

    def assert_all_there(self, latest):
        """Fragment after fragment, and nothing is left here."""
        names = self.media()
        self.assertGreater(len(names), latest)
        for number, name in enumerate(names):
            self.assertRegex(name, r"^lobby-\d{8}T\d{6}Z-%05d$" % number)
        self.assertEqual(self.spools(), [])


class TestUnits(OperationsCase):
    """As systemd reads them."""

    def copies(self):
        folder = self.path("units")
        os.mkdir(folder)
        for path in glob.glob(os.path.join(UNITS, "*.service")) + \
                glob.glob(os.path.join(UNITS, "*.timer")):
            name = os.path.basename(path).replace("@.", "@lobby.")
            with open(os.path.join(folder, name), "w") as f:
                f.write(read(path).replace("/usr/bin/vod-resume",
                                           harness.RESUME))
        return sorted(glob.glob(os.path.join(folder, "*")))

    def test_systemd_has_nothing_to_say_of_them(self):
        result = harness.run(["systemd-analyze", "verify", "--man=no",
                              *self.copies()])
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(result.out + result.err, "")

    def test_an_unknown_setting_would_be_noticed(self):
        paths = self.copies()
        with open(paths[0], "a") as f:
            f.write("[Service]\nProtectSystm=strict\n")
        result = harness.run(["systemd-analyze", "verify", "--man=no",
                              *paths])
        self.assertIn("ProtectSystm", result.err)

    def test_they_are_confined(self):
        for path in self.copies():
            if path.endswith(".timer"):
                continue
            with self.subTest(os.path.basename(path)):
                result = harness.run([
                    "systemd-analyze", "security", "--offline=yes",
                    "--no-pager", "--threshold=%d" % MOST_EXPOSED, path])
                self.assertEqual(result.code, 0, result.tail())
                self.assertRegex(result.out, r"Overall exposure level .*: \d")

    def test_the_page_tells_the_figures(self):
        page = read(os.path.join(harness.ROOT, "docs", "operations.md"))
        for path in self.copies():
            if path.endswith(".timer"):
                continue
            result = harness.run(["systemd-analyze", "security",
                                  "--offline=yes", "--no-pager", path])
            figure = re.search(r"level for .*: (\d\.\d)", result.out)[1]
            name = os.path.basename(path).replace("@lobby", "@")
            self.assertIn("| `%s` | %s |" % (name, figure), page)

    def test_all_three_share_user_and_folder(self):
        for name in SERVICES:
            self.assertEqual(self.unit(name).get("User"), "vodsink")
            self.assertEqual(self.unit(name).get("UMask"), "0077")
        for name in SERVICES[:2]:
            self.assertEqual(self.unit(name).get("StateDirectory"), "vodsink")
            self.assertEqual(self.unit(name).get("StateDirectoryMode"), "0700")


# Debian's systemd brings this folder, and none for sysusers below /etc.
FRESH = "etc/systemd/system"
# What needs root or a running systemd is left out.
AS_ROOT = """
set -eu
sudo() { case $1 in systemctl|systemd-sysusers) ;; *) "$@" ;; esac; }
"""


class TestInstall(unittest.TestCase):
    def test_by_hand(self):
        """the page's lines put units, user and settings where they belong, on a
        Debian that has nothing of it"""
        where = harness.folder()
        self.addCleanup(harness.remove, where)
        os.makedirs(os.path.join(where, FRESH))
        page = read(os.path.join(harness.ROOT, "docs", "operations.md"))
        lines = [line for block in re.findall(
            r"^```sh\n(.*?)^```", page.split("**Why it is")[0], re.M | re.S)
                 for line in block.splitlines() if "/etc/" in line]
        self.assertGreater(len(lines), 4)
        result = harness.run(["bash", "-c", AS_ROOT + "\n".join(
            lines).replace("/etc/", where + "/etc/")], cwd=harness.ROOT)
        self.assertEqual(result.code, 0, result.tail())
        for path in glob.glob(os.path.join(UNITS, "*.service")) + \
                glob.glob(os.path.join(UNITS, "*.timer")):
            self.assertEqual(read(path), read(os.path.join(
                where, FRESH, os.path.basename(path))))
        for name in ("sysusers.d/vodsink.conf", "vodsink/lobby.env",
                     "vodsink/signature.env", "vodsink/token"):
            self.assertTrue(read(os.path.join(where, "etc", name)), name)
        self.assertEqual(os.stat(os.path.join(
            where, "etc/vodsink/token")).st_mode & 0o777, 0o600)


    def test_vod_resume_of_a_user(self):
        """the units of vod-resume.md are there after the next start too, and
        systemd understands them"""
        where = harness.folder()
        self.addCleanup(harness.remove, where)
        page = read(os.path.join(harness.ROOT, "docs", "vod-resume.md"))
        block, = re.findall(r"^```sh\n(.*?)^```",
                            page.split("## By a timer")[1], re.M | re.S)
        result = harness.run(
            ["bash", "-euc", "systemctl() { echo $* >>~/asked; }\n"
             "loginctl() { echo $* >>~/asked; }\n" + block],
            cwd=where, env={"HOME": where})
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(read(os.path.join(where, "asked")).splitlines(), [
            "--user enable --now vod-resume.timer", "enable-linger"])
        paths = [os.path.join(where, ".config/systemd/user", name)
                 for name in ("vod-resume.service", "vod-resume.timer")]
        with open(paths[0], "r+", encoding="utf-8") as f:
            text = f.read().replace("=vod-resume", "=" + harness.RESUME)
            f.seek(0)
            f.write(text)
        result = harness.run(["systemd-analyze", "verify", "--man=no", *paths])
        self.assertEqual((result.code, result.out + result.err), (0, ""))


class TestSignature(OperationsCase):
    def test_the_examples_sign_for_longer_than_the_timer_waits(self):
        """the examples' signatures last until the timer has fetched another,
        also if it fails once"""
        timer = dict(units.settings(os.path.join(
            UNITS, "vodsink-signature.timer"), "[Timer]"))
        longest = sum(60 * int(re.fullmatch(r"(\d+)min", timer[name])[1])
                      for name in ("OnUnitInactiveSec", "RandomizedDelaySec"))
        self.assertGreaterEqual(longest, 60)
        for name, pattern in (("sign-service.py", r"^LIFETIME = (\d+)$"),
                              ("sign-service.c", r"^#define LIFETIME (\d+)$")):
            text = read(os.path.join(harness.ROOT, "examples", name))
            lifetime, = re.findall(pattern, text, re.M)
            self.assertGreater(int(lifetime), 2 * longest, name)

    def test_it_is_fetched_with_the_token_and_is_private(self):
        with harness.Wire(self.emulator.port) as wire:
            self.base = wire.url
            self.assertEqual(self.fetch_signature().code, 0)
            self.assertIn(TOKEN.encode(), bytes(wire.sent[0]))
        path = self.path("run", "vodsink", "signature")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.path("run", "vodsink")),
                         ["signature"])

    def test_what_is_no_signature_does_not_replace_one(self):
        self.fetch_signature()
        before = read(self.path("run", "vodsink", "signature"))
        self.write("etc/signature.env", "SIGNING_URL=%s/api/state\n"
                   % self.base)
        self.assertEqual(self.run_signature().code, 2)
        self.write("etc/signature.env", "SIGNING_URL=%s/none\n" % self.base)
        self.assertEqual(self.run_signature().code, 22)
        self.assertEqual(read(self.path("run", "vodsink", "signature")),
                         before)


class TestRecording(OperationsCase):
    def test_one_signal_ends_it_with_everything_committed(self):
        self.set_up_camera()
        program = self.record_media(2)
        result = self.stop(program)
        self.assertEqual(result.code, 0, result.tail())
        self.assert_all_there(2)
        for number in range(len(self.media())):
            self.assertRegex(result.err, r"media 'lobby-\w+-%05d'" % number)
        self.assertEqual(len(re.findall(r"file id \d+", result.err)),
                         len(self.media()))
        self.assertTrue(glob.glob(self.path("cache", "vodsink", "*.bin")))

    def test_vod_resume_leaves_it_alone_and_finishes_the_dead(self):
        self.set_up_camera(
            FRAGMENT_NS="60000000000",
            MUXER_PROPERTIES="properties,fragment-duration=200")
        program, dead = self.record_spool()
        program.kill()
        time.sleep(1)  # the names have the second in them
        program, alive = self.record_spool()
        result = self.resume()
        self.assertEqual(result.code, 0, result.tail())
        self.assertIn("in use now, left alone", result.out)
        self.assertEqual(self.spools(), [alive])
        self.assertEqual(len(self.media()), 1)
        self.assertTrue(program.running())
        self.assertEqual(self.stop(program).code, 0)
        self.assertEqual(self.spools(), [])
        self.assertEqual(len(set(self.media())), 2)
        self.assertFalse(os.path.exists(dead))

    def test_without_a_signature_it_is_kept_until_there_is_one(self):
        self.set_up_camera(sign=False)
        program = self.record()
        program.wait_for(lambda: len(self.spools()) > 2, what="spools")
        self.assertIn("signature-url: the file cannot be read",
                      program.errors())
        result = self.stop(program)
        self.assertEqual(result.code, 0, result.tail())
        self.assertEqual(self.media(), [])
        self.fetch_signature()
        result = self.resume()
        self.assertEqual(result.code, 0, result.tail())
        self.assert_all_there(2)

    def test_a_camera_that_says_nothing_any_more_ends_it(self):
        self.set_up_camera(SOURCE=CAMERA.replace(
            "15000", "300").replace("is-live=true", "is-live=true ! "
            "identity sleep-time=1000000", 1))
        result = self.record().finish()
        self.assertEqual(result.code, 1, result.tail())
        self.assertIn("Watchdog triggered", result.err)


class TestLogs(OperationsCase):
    """What docs/operations.md says of files that grow."""

    CONF = os.path.join(UNITS, "logrotate.conf")

    def rotate(self, log):
        conf = self.path("logrotate.conf")
        text = read(self.CONF)
        self.assertIn("/var/log/vodsink/*.log", text)
        self.write("logrotate.conf", text.replace(
            "/var/log/vodsink/*.log", log))
        os.chmod(conf, 0o644)
        result = harness.run(["/usr/sbin/logrotate", "--force", "--state",
                              self.path("status"), conf])
        self.assertEqual(result.code, 0, result.tail())

    def grow(self, log, how):
        """Something that writes to @log, rotated under its hands; returns the
        file then."""
        environment = dict(os.environ, GST_DEBUG="videotestsrc:6")
        command = ["gst-launch-1.0", "-q", "videotestsrc", "is-live=true", "!",
                   "fakesink"]
        if how == "file":
            environment["GST_DEBUG_FILE"] = log
            program = subprocess.Popen(command, env=environment)
        else:
            with open(log, "ab") as file:
                program = subprocess.Popen(command, env=environment,
                                           stderr=file)

        def size():
            return os.path.getsize(log) if os.path.exists(log) else 0
        try:
            self.wait(lambda: size() > 20000)
            self.rotate(log)
            self.wait(lambda: size() > 4096)
        finally:
            program.kill()
            program.wait()
        with open(log, "rb") as file:
            return file.read()

    def wait(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_appended_output_can_be_rotated(self):
        os.mkdir(self.path("log"))
        log = self.path("log", "lobby.log")
        content = self.grow(log, "append")
        self.assertNotIn(b"\0", content)
        self.assertTrue(glob.glob(log + "*.gz") or glob.glob(log + ".1"))

    def test_gst_debug_file_cannot(self):
        os.mkdir(self.path("log"))
        content = self.grow(self.path("log", "lobby.log"), "file")
        self.assertTrue(content.startswith(b"\0" * 4096))


CONFINED = can_confine()

if __name__ == "__main__":
    harness.configure(sys.argv.pop(1))
    harness.main()
