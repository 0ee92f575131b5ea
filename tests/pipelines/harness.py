# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end-to-end tests have in common: TAP, programs that must end and
leave nothing behind, gst-launch-1.0 and its messages, the content to upload.

A process that a program under test leaves running becomes our child (we are
a subreaper), so that "nothing is left running" can be checked for certain."""

import ctypes
import fcntl
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "emulator"))

import vodwire  # noqa: E402
from vodwire import Client, Emulator  # noqa: E402,F401

MIB = 1 << 20
PR_SET_CHILD_SUBREAPER = 36

# Set by configure().
BUILD = None
REPLAY = None
APP = None
FRAGMENTS = None
RESUME = None


def configure(build):
    """@build: the folder of meson; anything else ends the program, before
    something is written there."""
    global BUILD, REPLAY, APP, FRAGMENTS, RESUME
    if not os.path.isfile(os.path.join(build, "build.ninja")):
        refuse("%s is no build folder: it has no build.ninja" % ascii(build))
    BUILD = os.path.abspath(build)
    REPLAY = os.path.join(BUILD, "tests", "pipelines", "replay")
    APP = os.path.join(BUILD, "tests", "pipelines", "app")
    FRAGMENTS = os.path.join(BUILD, "tests", "pipelines", "fragments")
    RESUME = os.path.join(BUILD, "gst", "tools", "vod-resume")
    vodwire.Emulator.binary = os.path.join(
        BUILD, "examples", "vod-emulator", "vod-emulator")
    os.environ["GST_PLUGIN_PATH"] = os.path.join(BUILD, "gst")
    os.environ.setdefault("GST_REGISTRY", os.path.join(
        BUILD, "tests", "pipelines", "registry"))
    # The machine's own proxies and languages are no part of these tests.
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("LC_") or \
                name in ("LANGUAGE", "GST_DEBUG", "GST_TRACERS"):
            del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
    os.environ["XDG_STATE_HOME"] = os.path.join(
        BUILD, "tests", "pipelines", "state")
    become_subreaper()


def refuse(problem):
    """Ends the program as one that was called wrongly."""
    print("%s\nusage: %s BUILD-FOLDER [WORD...]\n"
          "Runs the tests whose names contain one of the words, or all."
          % (problem, sys.argv[0]), file=sys.stderr)
    sys.exit(2)


# ---- processes ----

# Started in the background by a shell, we ignore Ctrl-C; a shell script that we
# start would then have to ignore it as well.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def children():
    """Process ids of our children now, with their names."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                stat = f.read()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
        fields = rest.split()
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found[int(entry)] = name
    return found


class Result:
    """How a program ended."""

    def __init__(self, code, out, err, seconds, usage):
        self.code, self.out, self.err = code, out, err
        self.seconds = seconds
        self.max_rss = usage.ru_maxrss * 1024  # bytes
        self.cpu = usage.ru_utime + usage.ru_stime

    def tail(self):
        lines = [line for line in (self.out + self.err).splitlines()
                 if "(state-changed)" not in line
                 and "(stream-status)" not in line]
        return "exit code %s after %.1f s\n%s" % (
            self.code, self.seconds, "\n".join(lines[-40:]))


class Program:
    """A program that runs, with its output in files."""

    def __init__(self, args, env=None, cwd=None):
        self.args = args
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.begun = time.monotonic()
        self.before = set(children())
        self.process = subprocess.Popen(
            args, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
            env=dict(os.environ, **(env or {})), cwd=cwd)
        self.pid = self.process.pid

    @staticmethod
    def read(file):
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0).decode(errors="replace")

    def output(self):
        """What it has written to standard output so far."""
        return self.read(self.out)

    def errors(self):
        return self.read(self.err)

    def signal(self, number):
        os.kill(self.pid, number)

    def running(self):
        return self.process.returncode is None and \
            os.waitid(os.P_PID, self.pid,
                      os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait_for(self, condition, timeout=20, what="something"):
        """Waits until condition() gives something true, and returns it."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline or not self.running():
                raise AssertionError("waited in vain for %s\n%s%s" % (
                    what, self.output()[-3000:], self.errors()[-3000:]))
            time.sleep(0.01)

    def wait_for_output(self, pattern, timeout=20):
        return self.wait_for(lambda: re.search(pattern, self.output()),
                             timeout, pattern)

    def finish(self, timeout=60, grace=0):
        """Waits for the end. Too late, or something left: an error. @grace:
        for so many seconds what it has started may go on."""
        deadline = time.monotonic() + timeout
        status = usage = None
        while status is None:
            pid, code, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                status = os.waitstatus_to_exitcode(code)
            elif time.monotonic() > deadline:
                self.kill()
                raise AssertionError("%s hangs\n%s%s" % (
                    self.args[0], self.output()[-3000:],
                    self.errors()[-3000:]))
            else:
                time.sleep(0.005)
        self.process.returncode = status
        result = Result(status, self.output(), self.errors(),
                        time.monotonic() - self.begun, usage)
        self.out.close()
        self.err.close()
        deadline = time.monotonic() + grace
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = self.left()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if left:
            raise AssertionError("left running: %s" % list(left.values()))
        return result

    def left(self):
        return {pid: name for pid, name in children().items()
                if pid not in self.before}

    def kill(self):
        if self.process.returncode is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.process.returncode = -9


def peak_memory(pid):
    """The most resident memory a running process has had, in bytes."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return int(re.search(r"VmHWM:\s*(\d+) kB", f.read())[1]) * 1024
    except (OSError, TypeError):
        return 0


def run(args, timeout=60, **kwargs):
    return Program(args, **kwargs).finish(timeout)


# ---- gst-launch-1.0 ----

def unescape(text):
    """A string as GstStructure writes it."""
    data = re.sub(rb"\\([0-7]{3}|.)",
                  lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1],
                  text.encode())
    return data.decode(errors="replace")


class Message:
    def __init__(self, name, rest):
        self.name = name
        self.fields = {}
        for key, kind, quoted, plain in re.findall(
                r'([a-z0-9-]+)=\(([A-Za-z0-9]+)\)(?:"((?:[^"\\]|\\.)*)"|'
                r'([^,;]*))', rest):
            value = unescape(quoted or plain)
            if kind in ("int", "uint", "guint64", "gint64"):
                value = int(value)
            elif kind == "double":
                value = float(value)
            elif kind == "boolean":
                value = value == "true"
            self.fields[key] = value

    def __getitem__(self, key):
        return self.fields[key]

    def get(self, key, default=None):
        return self.fields.get(key, default)


def messages(output, name=None):
    """The element messages in what gst-launch-1.0 -m wrote."""
    found = []
    for line in output.splitlines():
        match = re.match(r"Got message #\d+ from .* \(element\): "
                         r"([a-z0-9-]+)(.*)", line)
        if match and name in (None, match[1]):
            found.append(Message(match[1], match[2]))
    return found


def lines(output, key, name=None):
    """The structures that app and replay printed as "KEY NAME, …"."""
    found = re.findall(r"^%s ([a-zA-Z0-9/-]+)(.*);$" % key, output, re.M)
    return [Message(what, rest) for what, rest in found
            if name in (None, what)]


def failure(result):
    """The one error of a pipeline that has failed, as vodsink-error. When it
    comes while gst-launch-1.0 still starts, that drops all but the ERROR."""
    errors = messages(result.out, "vodsink-error")
    found = re.findall(r"^ERROR: from element \S*GstVodSink:\S+: (.*)\n"
                       r"Additional debug info:\n\S.*\n"
                       r"phase (\S+), code (-?\d+), (?:storage code (\S+)|"
                       r"no storage code), request id (\S+)", result.err,
                       re.M)
    if result.code != 1 or len(errors) > 1 or len(found) != 1 or \
            "Got EOS" in result.out:
        raise AssertionError("not one error, then the end: " + result.tail())
    text, phase, code, storage, request = found[0]
    error = Message("vodsink-error", "")
    error.fields = {"message": text, "phase": phase, "code": int(code),
                    "error-code": storage or None,
                    "request-id": "" if request == "unknown" else request}
    for message in errors:
        for key, value in error.fields.items():
            if message.get(key) != value:
                raise AssertionError("vodsink-error and ERROR differ: %s %s"
                                     % (message.fields, error.fields))
    return error


def launch(pipeline, eos=True):
    """The arguments of gst-launch-1.0 for a pipeline, which is a list or a
    text without quotes."""
    if isinstance(pipeline, str):
        pipeline = pipeline.split()
    return ["gst-launch-1.0", "-m", *(["-e"] if eos else []), *pipeline]


def has_property(name):
    """Whether vodsink has a property of this name."""
    return bool(re.search(r"^  %s +: " % re.escape(name),
                          run(["gst-inspect-1.0", "vodsink"]).out, re.M))


def sink(emulator, *settings):
    """vodsink for an emulator."""
    base = "%s://127.0.0.1:%d" % (emulator.scheme, emulator.port)
    return ["vodsink", "endpoint=" + base,
            "signature-url=%s/signature" % base, *settings]


def settled(emulator):
    """The state when the emulator has noticed that the client is gone: a
    request that it let hang is in the log only then."""
    deadline = time.monotonic() + 10
    while True:
        state = emulator.state()
        if state["open-connections"] <= 1 or time.monotonic() > deadline:
            return state
        time.sleep(0.02)


# ---- scenarios beside each other ----

class Aside:
    """A function in a process of its own, which has a network namespace of its
    own if it wants one; result() gives what it returned."""

    def __init__(self, function, *args):
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self.process = context.Process(
            target=self.run, args=(sender, function, args))
        self.process.start()
        sender.close()

    @staticmethod
    def run(sender, function, args):
        become_subreaper()
        try:
            sender.send((True, function(*args)))
        except BaseException:  # pylint: disable=broad-except
            sender.send((False, traceback.format_exc()))

    def result(self):
        try:
            good, what = self.receiver.recv()
        except EOFError:
            good, what = False, "the process of the scenario crashed"
        self.process.join()
        if not good:
            raise AssertionError(what)
        return what


def run_one(case, name):
    """One test; what it says if it fails, else None."""
    result = unittest.TestResult()
    case(name).run(result)
    return next((text for _, text in result.failures + result.errors), None)


def beside(case):
    """Decorates a test case whose tests may all run at the same time, because
    they mostly wait: each in a process of its own."""

    class Beside(unittest.TestCase):
        @classmethod
        def setUpClass(cls):
            words = [a for a in sys.argv[1:] if not a.startswith("-")]
            cls.running = {
                name: Aside(run_one, case, name) for name in tests
                if not words or any(w in case.__name__ + "." + name
                                    for w in words)}

        def wait(self, name):
            problem = self.running[name].result()
            if problem:
                self.fail(problem)

    def add(name):
        def method(self):
            self.wait(name)
        method.__doc__ = getattr(case, name).__doc__
        setattr(Beside, name, method)

    tests = unittest.TestLoader().getTestCaseNames(case)
    for each in tests:
        add(each)
    Beside.__name__ = Beside.__qualname__ = case.__name__
    return Beside


# ---- between client and service ----

class Listener(threading.Thread):
    """A server on a free port; handle(socket) runs in a thread for each
    connection."""

    def __init__(self, handle, address="127.0.0.1"):
        super().__init__(daemon=True)
        self.handle = handle
        self.connections = []
        self.socket = socket.create_server((address, 0))
        self.port = self.socket.getsockname()[1]
        self.url = "http://%s:%d" % (address, self.port)
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                self.handle(connection)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        # close() alone wakes neither accept() nor recv().
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Wire(Listener):
    """Passes connections on to a port and keeps what went over them."""

    def __init__(self, port, address="127.0.0.1"):
        self.target = port
        self.sent = []      # by the client, for each connection
        self.received = []
        super().__init__(self.relay, address)

    def relay(self, client):
        sent, received = bytearray(), bytearray()
        self.sent.append(sent)
        self.received.append(received)
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            self.connections.append(server)
            back = threading.Thread(target=self.pump,
                                    args=(server, client, received),
                                    daemon=True)
            back.start()
            self.pump(client, server, sent)
            back.join()

    @staticmethod
    def pump(source, sink, copy):
        try:
            while True:
                data = source.recv(1 << 18)
                if not data:
                    break
                copy += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


# ---- content ----

def content():
    """The folder of the streams that are uploaded; made once per build."""
    folder = os.path.join(BUILD, "tests", "pipelines", "content")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "done")):
            make_content(folder)
            open(os.path.join(folder, "done"), "w").close()
    return folder


def encode(folder, name, seconds, video, audio, mux):
    path = os.path.join(folder, name)
    size = "width=640,height=360"
    result = run(["gst-launch-1.0", "-q", *(
        "videotestsrc pattern=snow num-buffers=%d ! "
        "video/x-raw,format=I420,%s,framerate=30/1 ! %s ! queue ! %s name=m "
        "! filesink location=%s "
        "audiotestsrc wave=pink-noise samplesperbuffer=960 num-buffers=%d ! "
        "audio/x-raw,rate=48000,channels=2 ! audioconvert ! %s ! queue ! m."
        % (seconds * 30, size, video, mux, path, seconds * 50, audio)
    ).split()], timeout=300)
    if result.code != 0 or os.path.getsize(path) < MIB:
        raise RuntimeError("no content: " + result.tail())


def make_content(folder):
    h264 = ("x264enc speed-preset=ultrafast key-int-max=%d bitrate=%d "
            "vbv-buf-capacity=1000 ! h264parse")
    aac = "avenc_aac bitrate=128000 ! aacparse"
    # 30 s at 6 Mbit/s with ten seconds between key frames, and 9 s of more.
    encode(folder, "long.mkv", 30, h264 % (300, 6000), aac, "matroskamux")
    encode(folder, "short.mkv", 9, h264 % (90, 12000), aac, "matroskamux")
    encode(folder, "vp8.webm", 12, "vp8enc deadline=1 cpu-used=16 threads=2 "
           "target-bitrate=12000 keyframe-max-dist=120", "vorbisenc",
           "webmmux")


# ---- TAP ----

class TapResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.number = 0
        self.bad = 0

    def line(self, word, test, note=""):
        self.number += 1
        case = getattr(test, "test_case", test)
        doc = test.shortDescription() or \
            case.id().rsplit(".", 1)[1][5:].replace("_", " ")
        if case is not test:
            doc += " " + ascii(test._subDescription())
        print("%s %d - %s%s" % (word, self.number, doc.replace("#", "no."),
                                note), file=self.out, flush=True)

    def fail(self, test, err):
        self.bad += 1
        self.line("not ok", test)
        text = "".join(traceback.format_exception(*err, limit=-4))
        # Where meson shows it; without control characters, which would spoil
        # its XML.
        for line in text.splitlines():
            print("# " + "".join(c if c.isprintable() else "?" for c in line),
                  file=sys.stderr, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def addSuccess(self, test):
        seconds = time.monotonic() - self.begun
        self.line("ok", test)
        print("# %.1f s" % seconds, file=self.out, flush=True)

    def addFailure(self, test, err):
        self.fail(test, err)

    def addError(self, test, err):
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail(subtest, err)

    def addSkip(self, test, reason):
        self.line("ok", test, " # SKIP " + reason)


def main(module="__main__"):
    """Runs the test cases of a module; arguments: words that their names
    must contain."""
    words = [a for a in sys.argv[1:] if not a.startswith("-")]
    suite = unittest.TestSuite()

    def walk(tests):
        for test in tests:
            if isinstance(test, unittest.TestSuite):
                walk(test)
            elif not words or any(w in test.id() for w in words):
                suite.addTest(test)

    walk(unittest.TestLoader().loadTestsFromModule(sys.modules[module]))
    if suite.countTestCases() == 0:
        refuse("no test has a name with %s" % (
            " or ".join(map(ascii, words)) or "anything at all"))
    print("TAP version 13", flush=True)
    result = TapResult(sys.stdout)
    suite.run(result)
    print("1..%d" % result.number, flush=True)
    sys.exit(1 if result.bad else 0)


def folder():
    """A temporary folder; remove it with shutil.rmtree."""
    return tempfile.mkdtemp(prefix="vodsink-test-")


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
