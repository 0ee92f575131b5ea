#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each command of docs/examples.md, "Shell", runs as it stands there and uploads
what it says: from a camera, a screen, an RTMP server, a microphone, a web server,
all of which are on this machine. `examples_shell.py BUILD [WORD...]`; speaks
TAP."""

import fcntl
import functools
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import unittest

import harness
import vodwire
from examples_recorder import Camera
from harness import Client, Emulator

RATE = 25
# A picture and a sound for ffmpeg, as if they came from somewhere.
PICTURE = "-f lavfi -i testsrc=s=320x240:r=25"
SOUND = "-f lavfi -i sine"
H264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac"
NGINX = """load_module %(root)s/usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid nginx.pid; error_log stderr warn;
events {}
rtmp { access_log off; server {
    listen unix:%(where)s/none; listen 127.0.0.1:%(port)d;
    application live { live on; } } }
"""
# A microphone that hears what comes through a pipe.
ALSA = """</usr/share/alsa/alsa.conf>
pcm.microphone { type file slave.pcm "null" file "/dev/null" format raw
    infile "%s" }
"""


def commands():
    """Heading -> (names of the variables to fill in, command)."""
    found = {}
    for part in page().split("\n### ")[1:]:
        heading, text = part.split("\n", 1)
        block, = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
        first, rest = block.split("\n", 1)
        if re.fullmatch(r"([A-Z]+=\S+ ?)+", first):
            found[heading] = (re.findall(r"([A-Z]+)=", first), rest)
        else:
            found[heading] = ([], block)
    return found


def page():
    with open(os.path.join(harness.ROOT, "docs", "examples.md")) as f:
        return f.read().split("\n## Shell\n", 1)[1].split("\n## ", 1)[0]


def vod(home):
    """What the page's own line makes of $VOD, in the shell that knows least."""
    line, = re.findall(r"^export VOD=.*$", page(), re.M)
    return harness.run(["sh", "-c", line + '; printf %s "$VOD"'],
                       env={"HOME": home}).out


def free_port():
    with harness.socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Case(unittest.TestCase):
    def setUp(self):
        self.where = harness.folder()
        self.addCleanup(harness.remove, self.where)
        self.emulator = Emulator()
        self.addCleanup(lambda: self.emulator.__exit__(None, None, None))
        self.programs = []
        self.addCleanup(lambda: [p.kill() for p in self.programs])
        self.program = None

    def path(self, name):
        return os.path.join(self.where, name)

    def start(self, program):
        self.programs.append(program)
        return program

    def ffmpeg(self, text, **kwargs):
        return self.start(harness.Program(
            ["ffmpeg", "-v", "error", "-y", *text.split()], cwd=self.where,
            **kwargs))

    def made(self, text):
        """A file that ffmpeg makes."""
        result = self.ffmpeg(text).finish()
        self.assertEqual(result.code, 0, result.tail())

    # -- the command --

    def command(self, heading, silent=False, **variables):
        """Runs it, @silent: without its last line, which is the sound's;
        @variables: for those that are to be filled in."""
        names, text = commands()[heading]
        if silent:
            text = text.strip().rsplit("\\\n", 1)[0]
        env = {name: variables.pop(name) for name in names}
        # Where README has it.
        signature = self.path(".config/vod-signature")
        os.makedirs(os.path.dirname(signature))
        with open(signature, "w") as f:
            f.write(vodwire.upload_signature())
        os.chmod(signature, 0o600)
        env["VOD"] = "endpoint=http://127.0.0.1:%d %s" % (
            self.emulator.port, vod(self.where))
        self.program = self.start(harness.Program(
            ["bash", "-c", text], cwd=self.where, env={
                **env, **variables, "XDG_STATE_HOME": self.path("state")}))

    def spooled(self):
        folder = self.path("state/vodsink")
        return sum(os.path.getsize(os.path.join(folder, name))
                   for name in os.listdir(folder) if name.endswith(".media")
                   ) if os.path.isdir(folder) else 0

    def ctrl_c_after(self, size):
        """When it has recorded so many bytes."""
        self.program.wait_for(lambda: self.spooled() >= size, 60, "bytes")
        self.program.signal(signal.SIGINT)

    def media(self, name):
        """What was uploaded, in a file."""
        result = self.program.finish()
        self.assertEqual(result.code, 0, result.tail())
        return self.uploaded(name)

    def uploaded(self, name):
        self.assertEqual(self.spooled(), 0)
        media, = self.emulator.state()["media"]
        self.assertEqual(media["name"], name)
        self.assertEqual(self.emulator.state()["uploads"], [])
        path = self.path("media." + media["url"].rsplit(".", 1)[1])
        with open(path, "wb") as f:
            f.write(Client(self.emulator).request(
                "GET", "/" + media["url"].split("/", 3)[3]).body)
        return path

    def decode(self, path):
        """It decodes without an error; codec -> frames."""
        result = harness.run(["ffprobe", "-v", "error", "-count_frames",
                              "-show_streams", "-of", "json", path])
        self.assertEqual((result.code, result.err), (0, ""), result.tail())
        frames = {}
        for stream in json.loads(result.out)["streams"]:
            count = frames[stream["codec_name"]] = int(stream["nb_read_frames"])
            if stream["codec_type"] == "video":
                # What browsers can play.
                self.assertEqual(stream["pix_fmt"], "yuv420p")
            self.assertGreater(float(stream["duration"]), 0.3)
        return frames

    def check_loud(self, path):
        """There is something to be heard in it."""
        result = harness.run(["ffmpeg", "-i", path, "-af", "volumedetect",
                              "-f", "null", "-"])
        volume = re.search(r"mean_volume: (-?[\d.]+) dB", result.err)
        self.assertGreater(float(volume[1]), -40, result.err)

    def check_live(self, path):
        """Picture and sound are in it. How many frames a busy machine makes
        in a second is not the command's doing."""
        frames = self.decode(path)
        self.assertEqual(set(frames), {"h264", "aac"})
        self.assertGreaterEqual(min(frames.values()), 10)
        self.check_loud(path)


@harness.beside
class TestShell(Case):
    def test_all_are_run(self):
        """each command of the page is run by a test here"""
        with open(__file__) as f:
            text = f.read()
        for heading in commands():
            self.assertIn('self.command("%s"' % heading, text)

    def test_camera(self):
        """a camera by RTSP"""
        camera = self.start(Camera())
        self.command("A camera by RTSP", CAMERA=camera.url)
        self.ctrl_c_after(60000)
        self.check_live(self.media("Front door"))

    def test_live_ones_survive_a_crash(self):
        """what is kept on the disk is such that it plays without its end"""
        kept = [text for _, text in commands().values()
                if "spool=true" in text]
        self.assertGreaterEqual(len(kept), 5)
        for text in kept:
            self.assertIn("mp4mux fragment-duration=", text)

    def test_camera_and_a_crash(self):
        """a camera by RTSP, kill -9, vod-resume: what was recorded plays"""
        camera = self.start(Camera())
        self.command("A camera by RTSP", CAMERA=camera.url)
        self.program.wait_for(lambda: self.spooled() >= 60000, 60, "bytes")
        self.program.signal(signal.SIGKILL)
        self.program.finish()
        self.assertGreater(self.spooled(), 0)
        result = harness.run([
            harness.RESUME, "--state-dir", self.path("state/vodsink"),
            "--signature-file", self.path(".config/vod-signature")])
        self.assertEqual(result.code, 0, result.tail())
        self.check_live(self.uploaded("Front door"))

    def test_tee(self):
        """a copy in a local file: the bytes are equal"""
        camera = self.start(Camera())
        copy = self.path("here.mp4")
        self.command("A copy in a local file", CAMERA=camera.url, COPY=copy)
        self.ctrl_c_after(30000)
        path = self.media("Front door")
        self.assertGreaterEqual(self.decode(path)["h264"], 10)
        with open(path, "rb") as one, open(copy, "rb") as other:
            self.assertEqual(one.read(), other.read())

    def test_screen(self):
        """the screen"""
        reader, writer = os.pipe()
        # pylint: disable=consider-using-with
        screen = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", "320x240x24",
             "-nolisten", "tcp"], pass_fds=[writer],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(screen.wait)
        self.addCleanup(screen.terminate)
        os.close(writer)
        with os.fdopen(reader) as f:
            display = ":" + f.readline().strip()
        # Something that moves, so that there are bytes.
        self.start(harness.Program(
            "gst-launch-1.0 videotestsrc is-live=true pattern=snow ! "
            "ximagesink".split(), env={"DISPLAY": display}))
        self.command("The screen", DISPLAY=display)
        self.ctrl_c_after(300000)
        self.assertGreater(self.decode(self.media("Screen"))["h264"], 5)

    def rtmp(self):
        """The address of an RTMP server's stream."""
        into = os.path.join(harness.BUILD, "tests", "pipelines", "nginx")
        with open(into + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unpacked = harness.run(
                ["bash", "-c", '. "$0" && unpack_missing "$@"',
                 os.path.join(harness.ROOT, "tests", "lib-setup.sh"), into,
                 "nginx", "libnginx-mod-rtmp"], timeout=100)
        self.assertEqual(unpacked.code, 0, unpacked.tail())
        port = free_port()
        with open(self.path("nginx.conf"), "w") as f:
            f.write(NGINX % {"root": into + "/root", "where": self.where,
                             "port": port})
        server = self.start(harness.Program(
            [into + "/root/usr/sbin/nginx", "-p", self.where, "-c",
             self.path("nginx.conf")]))
        server.wait_for(lambda: self.listens(port), what="nginx")
        return "rtmp://127.0.0.1:%d/live/show" % port

    @staticmethod
    def listens(port):
        try:
            harness.socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            return False

    def test_rtmp(self):
        """relay an RTMP stream, until Ctrl-C"""
        stream = self.rtmp()
        self.ffmpeg("-re %s -re %s %s -f flv %s" % (
            PICTURE, SOUND, H264, stream))
        self.command("Relay an RTMP stream", STREAM=stream)
        self.ctrl_c_after(200000)
        self.check_live(self.media("Show"))

    def test_rtmp_that_ends(self):
        """relay an RTMP stream, until it is over"""
        stream = self.rtmp()
        show = self.ffmpeg("-re %s -re %s %s -f flv %s" % (
            PICTURE, SOUND, H264, stream))
        self.command("Relay an RTMP stream", STREAM=stream)
        self.program.wait_for(lambda: self.spooled() > 200000, 60, "bytes")
        show.signal(signal.SIGINT)
        self.check_live(self.media("Show"))

    def test_sound(self):
        """sound only"""
        os.mkfifo(self.path("sound"))
        with open(self.path("asound.conf"), "w") as f:
            f.write(ALSA % self.path("sound"))
        self.ffmpeg("-re %s -ar 44100 -ac 2 -f s16le sound" % SOUND)
        self.command("Sound only", MICROPHONE="microphone",
                     ALSA_CONFIG_PATH=self.path("asound.conf"))
        self.ctrl_c_after(30000)
        path = self.media("Memo")
        self.assertTrue(path.endswith(".m4a"))
        frames = self.decode(path)
        self.assertEqual(set(frames), {"aac"})
        self.assertGreater(frames["aac"], 40)
        self.check_loud(path)

    def test_transcode(self):
        """transcode a file: all frames of it"""
        self.made("%s %s -t 8 -c:v mpeg4 -c:a flac film.mkv" % (
            PICTURE, SOUND))
        self.command("Transcode a file", FILE="film.mkv")
        path = self.media("Film")
        frames = self.decode(path)
        self.assertEqual(set(frames), {"h264", "aac"})
        self.assertEqual(frames["h264"], 8 * RATE)
        self.assertAlmostEqual(frames["aac"], 8 * 44100 / 1024, delta=5)
        self.check_loud(path)

    def test_transcode_silent(self):
        """transcode a file without sound"""
        self.made("%s -t 4 -c:v mpeg4 film.mkv" % PICTURE)
        self.command("Transcode a file", silent=True, FILE="film.mkv")
        self.assertEqual(self.decode(self.media("Film")), {"h264": 4 * RATE})

    def test_hls(self):
        """from HLS to one mp4: all frames of all segments"""
        self.made("%s %s -t 8 %s -f hls -hls_time 2 -hls_list_size 0 "
                  "show.m3u8" % (PICTURE, SOUND, H264))
        self.assertGreaterEqual(
            len([n for n in os.listdir(self.where) if n.endswith(".ts")]), 4)
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=self.where))
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.command("From HLS to one mp4",
                     PLAYLIST="http://127.0.0.1:%d/show.m3u8"
                     % server.server_port)
        path = self.media("Show")
        frames = self.decode(path)
        self.assertEqual(frames["h264"], 8 * RATE)
        self.assertAlmostEqual(frames["aac"], 8 * 44100 / 1024, delta=5)
        self.check_loud(path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):  # pylint: disable=arguments-differ
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    harness.configure(sys.argv.pop(1))
    harness.main()
