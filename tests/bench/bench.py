#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures vodsink and its peers side by side; see run.sh.

usage: bench.py BUILD [--only PART,...] [--rounds N] [--gib N] [--quick]
                [--publish]

Parts: transfer, latency, memory, render, sinks. Prints a table, and writes
bench/results.json and bench/results.svg into BUILD; --publish also puts them
into docs/. Only ratios within one run
mean something: cases take turns, round by round, and medians are compared."""

import argparse
import atexit
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 30
MIB = 1 << 20

import plot  # noqa: E402


class Server:
    """bench-server, or vod-emulator where a slow line is needed."""

    def __init__(self, args):
        self.process = subprocess.Popen(
            args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError("%s does not listen" % args[0])
        self.uri = line.split()[2]
        atexit.register(self.stop)
        self.pid = self.process.pid

    def stats(self, reset=False):
        request = urllib.request.Request(
            self.uri + "/stats", method="DELETE" if reset else "GET")
        with urllib.request.urlopen(request, context=INSECURE) as answer:
            return json.load(answer)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def insecure():
    """Only for asking our own server for its counters."""
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


INSECURE = insecure()


def measure(args, limit=120):
    """Runs a shell line: seconds of wall and CPU, bytes of RSS, of all that it
    runs."""
    with tempfile.TemporaryFile() as errors:
        begun = time.monotonic()
        process = subprocess.Popen(
            ["timeout", "-k", "5", str(limit), "sh", "-c", args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if status != 0:
            errors.seek(0)
            raise RuntimeError("%s\nfailed (%d):\n%s" % (
                args, process.returncode,
                errors.read().decode(errors="replace")[-2000:]))
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss * 1024}


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = os.path.abspath(options.build)
        self.out = os.path.join(self.build, "bench")
        os.makedirs(self.out, exist_ok=True)
        self.shm = tempfile.mkdtemp(prefix="vodsink-bench-", dir="/dev/shm")
        os.environ["GST_PLUGIN_PATH"] = os.path.join(self.build, "gst")
        os.environ["GST_REGISTRY"] = os.path.join(self.out, "registry")
        os.environ["XDG_STATE_HOME"] = os.path.join(self.out, "state")
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name.startswith(
                    ("GST_DEBUG", "AWS_")):
                del os.environ[name]
        self.results = {"machine": machine(), "date": time.strftime("%Y-%m-%d"),
                        "quick": options.quick, "cases": {}, "goals": []}
        self.part = None

    def binary(self, *path):
        return os.path.join(self.build, *path)

    def file(self, gib):
        """A file of bytes that nothing compresses, in memory."""
        path = os.path.join(self.shm, "media-%s.mp4" % gib)
        if not os.path.exists(path):
            # Not by us: what we once held would be counted for each child.
            subprocess.run("head -c %d /dev/urandom > %s" % (gib * GIB, path),
                           shell=True, check=True)
        return path

    def certificate(self):
        cert = os.path.join(self.out, "cert.pem")
        key = os.path.join(self.out, "key.pem")
        if not os.path.exists(cert):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                 cert, "-days", "3650", "-subj", "/CN=bench", "-addext",
                 "subjectAltName=IP:127.0.0.1"], check=True,
                capture_output=True)
        return cert, key

    def goal(self, name, value, must, stretch=None, unit="x"):
        """Less is better."""
        self.results["goals"].append(
            {"part": self.part, "name": name, "value": value, "must": must,
             "stretch": stretch, "unit": unit, "met": value <= must})

    def take_up(self, path, parts):
        """Other parts, as they were measured here earlier the same day: what is
        compared is within one part."""
        if not os.path.exists(path):
            return
        with open(path) as f:
            before = json.load(f)
        if before["quick"] or (before["date"], before["machine"]) != (
                self.results["date"], self.results["machine"]):
            return
        self.results["cases"] = {k: v for k, v in before["cases"].items()
                                 if k not in parts}
        self.results["goals"] = [g for g in before["goals"]
                                 if g["part"] not in parts]

    def client(self, sink, **options):
        args = [self.binary("tests", "bench", "bench-client"), "--sink", sink]
        for name, value in options.items():
            args += ["--" + name, str(value)]
        done = subprocess.run(args, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        if result["failed"]:
            raise RuntimeError("%s failed: %s" % (sink, done.stderr[-1000:]))
        return result

    def close(self):
        shutil.rmtree(self.shm)


def machine():
    with open("/proc/cpuinfo") as f:
        models = [line.split(":")[1].strip() for line in f
                  if line.startswith("model name")]
    return "%s, %d cores, Linux %s" % (
        models[0] if models else platform.machine(), os.cpu_count(),
        platform.release())


def vodsink(server, **settings):
    """The element as gst-launch-1.0 has it, with its defaults."""
    text = "vodsink endpoint=%s signature-url=%s/signature" % (
        server.uri, server.uri)
    for name, value in settings.items():
        text += " %s=%s" % (name.replace("_", "-"), value)
    return text


# ---- transfer ----

def find_below(folder, name):
    for where, _, files in os.walk(folder):
        if name in files:
            return os.path.join(where, name)
    raise RuntimeError("no %s below %s" % (name, folder))


def cos_c_program(bench):
    """The official C SDK's uploader, if the user has built that SDK."""
    sdk = os.environ.get("COS_C_SDK")
    if not sdk:
        return None
    library = find_below(sdk, "libcos_c_sdk_static.a")
    header = find_below(sdk, "cos_api.h")
    program = os.path.join(bench.out, "cos-c-upload")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "apr-util-1", "apr-1"],
        check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(
        ["cc", "-O2", "-I", os.path.dirname(header),
         os.path.join(HERE, "cos-c-upload.c"), "-o", program, library,
         "-lmxml", "-lcurl", "-lpthread"] + flags, check=True)
    return program


def transfer_cases(bench, http, https, path):
    """name -> (server, command)."""
    launch = "exec gst-launch-1.0 -q filesrc location=%s blocksize=1048576 ! " \
        % path
    cert = bench.certificate()[0]
    copy = os.path.join(bench.shm, "copy")
    cases = {
        "curl -T": (http, "exec curl -sf -T %s %s/x" % (path, http.uri)),
        "curl -T, https": (https, "exec curl -sf --cacert %s -T %s %s/x" % (
            cert, path, https.uri)),
        "record, then curl -T": (http, "%sfilesink location=%s && curl -sf -T "
                                 "%s %s/x; s=$?; rm %s; exit $s" % (
                                     launch[5:], copy, copy, http.uri, copy)),
        "vodsink": (http, launch + vodsink(http, parallel_uploads=4)),
        "vodsink, https": (https, launch + vodsink(
            https, parallel_uploads=4, tls_ca_file=cert)),
        "vodsink, content-md5": (http, launch + vodsink(
            http, parallel_uploads=4, content_md5="true")),
        "souphttpclientsink": (
            http, launch + "souphttpclientsink location=%s/x" % http.uri),
        "curlhttpsink": (http, launch + "curlhttpsink location=%s/x" % http.uri),
    }
    program = cos_c_program(bench)
    if program:
        line = "exec %s %s %s 4 8388608 " % (
            program, http.uri.split("//")[1], path)
        cases["cos-c-sdk"] = (http, line + "1")
        cases["cos-c-sdk, crc only"] = (http, line + "0")
    if shutil.which("rclone"):
        cases["rclone"] = (http, (
            "exec rclone --config /dev/null --s3-provider Other "
            "--s3-access-key-id id --s3-secret-access-key key "
            "--s3-endpoint %s --s3-no-check-bucket --s3-no-head "
            "--s3-chunk-size 8M --s3-upload-concurrency 4 "
            "--s3-disable-checksum copyto %s :s3:bench/x") % (http.uri, path))
    return cases


def transfer(bench):
    cert, key = bench.certificate()
    program = bench.binary("tests", "bench", "bench-server")
    gib = bench.options.gib
    path = bench.file(gib)
    http = Server([program, "--file", path])
    https = Server([program, "--tls", cert, key])
    cases = transfer_cases(bench, http, https, path)
    runs = {name: [] for name in cases}
    skipped = set()
    for number in range(bench.options.rounds + 1):
        for name, (server, command) in cases.items():
            if name in skipped:
                continue
            before = server.stats(reset=True)
            if bench.options.verbose:
                print(name, flush=True)
            try:
                result = measure(command)
            except RuntimeError as error:
                if name.startswith(("vodsink", "curl -T")):
                    raise
                print("left out: %s: %s" % (name, str(error)[-300:]))
                skipped.add(name)
                continue
            counted = server.stats()
            result["server cpu"] = counted["cpu"] - before["cpu"]
            # Less this one: `before` was not counted any more.
            result["connections"] = counted["connections"] - 1
            result["requests"] = counted["requests"] - 1
            if number > 0:  # the first warms up
                runs[name].append(result)
    http.stop()
    https.stop()
    note_transfer(bench, {n: r for n, r in runs.items() if r}, gib)


def ratio(runs, name, base, key):
    """Of the medians' rounds: they were measured side by side."""
    return statistics.median(
        a[key] / b[key] for a, b in zip(runs[name], runs[base]))


def note_transfer(bench, runs, gib):
    table = {}
    for name, results in runs.items():
        table[name] = {
            "wall": statistics.median(r["wall"] for r in results),
            "cpu per GiB": statistics.median(r["cpu"] for r in results) / gib,
            "server's": statistics.median(
                r["server cpu"] for r in results) / gib,
            "rss": max(r["rss"] for r in results),
            "connections": statistics.median(
                r["connections"] for r in results),
            "requests": statistics.median(r["requests"] for r in results),
            "wall x": ratio(runs, name, "curl -T", "wall"),
            "cpu x": ratio(runs, name, "curl -T", "cpu"),
        }
    bench.results["cases"]["transfer"] = table

    def goal(text, name, base, key, must, stretch=None):
        if name in runs and base in runs:
            bench.goal(text, ratio(runs, name, base, key), must, stretch)

    goal("CPU, vodsink : curl -T", "vodsink", "curl -T", "cpu", 1.15, 1.0)
    goal("CPU, vodsink : cos-c-sdk", "vodsink", "cos-c-sdk", "cpu", 0.25, 0.18)
    goal("CPU, vodsink : cos-c-sdk with CRC only", "vodsink",
         "cos-c-sdk, crc only", "cpu", 0.6, 0.5)
    goal("wall, vodsink : curl -T", "vodsink", "curl -T", "wall", 0.85, 0.7)
    goal("wall, vodsink : curl -T, both https", "vodsink, https",
         "curl -T, https", "wall", 1.0, 0.8)
    goal("wall, vodsink : cos-c-sdk", "vodsink", "cos-c-sdk", "wall", 0.35)
    goal("wall, content-md5 : cos-c-sdk", "vodsink, content-md5", "cos-c-sdk",
         "wall", 0.8, 0.65)
    goal("CPU, content-md5 : cos-c-sdk", "vodsink, content-md5", "cos-c-sdk",
         "cpu", 0.8, 0.65)
    # API, storage and signature are one host here.
    bench.goal("connections of vodsink, 4 workers, one host",
               table["vodsink"]["connections"], 4, unit="")


# ---- latency ----

MUXERS = {
    "mp4mux": "mp4mux",
    "mpegtsmux": "mpegtsmux",
    "matroskamux streamable": "matroskamux streamable=true",
}
STREAM = 1_000_000   # bytes/s: 8 Mbit/s
LINE = 2_500_000     # bytes/s: 20 Mbit/s
LATENCY = 25         # ms each way


def slow_server(bench):
    return Server([bench.binary("examples", "vod-emulator", "vod-emulator"),
                   "--rate", str(LINE), "--latency", str(LATENCY)])


def live_upload(bench, muxer, seconds):
    """Begins one over a slow line; returns what tells how it ended."""
    server = slow_server(bench)
    frames = int(seconds * 25)
    # As many bytes a second as the stream is to have, whatever the picture.
    pipeline = (
        "videotestsrc pattern=snow num-buffers=%d ! video/x-raw,width=320,"
        "height=180,framerate=25/1 ! x264enc speed-preset=ultrafast "
        "pass=cbr bitrate=8000 key-int-max=50 ! %s ! recorder" % (
            frames, MUXERS[muxer]))
    process = subprocess.Popen(
        [bench.binary("tests", "pipelines", "replay"), "--rate", str(STREAM),
         "--sink", vodsink(server), pipeline],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return server, process


def finish_upload(upload, seconds):
    server, process = upload
    out, err = process.communicate()
    server.stop()
    if process.returncode != 0:
        raise RuntimeError(err[-1000:] + out[-1000:])
    values = dict(line.split(" ", 1) for line in out.splitlines()
                  if " " in line)
    recorded = int(values["recorded-bytes"])
    if not 0.8 < recorded / (seconds * STREAM) < 1.2:
        raise RuntimeError("%d bytes are no stream of %d s" % (
            recorded, seconds))
    return float(values["end-seconds"]), recorded


def upload_recorded(bench, size):
    """Seconds that it takes when all is there already, over the same line."""
    path = os.path.join(bench.shm, "recorded.mp4")
    subprocess.run("head -c %d /dev/urandom > %s" % (size, path), shell=True,
                   check=True)
    server = slow_server(bench)
    result = measure("exec gst-launch-1.0 -q filesrc location=%s "
                     "blocksize=1048576 ! %s" % (path, vodsink(server)))
    server.stop()
    os.unlink(path)
    return result["wall"]


def latency(bench):
    lengths = [20, 26, 31, 37, 43, 48, 54, 60]
    longer = 180
    if bench.options.quick:
        lengths, longer = [6, 8], 12
    table = {}
    for muxer in MUXERS:
        head = muxer == "mp4mux"
        # Of the one that has most to do at the end.
        all_lengths = lengths + [longer] if head else lengths
        uploads = [live_upload(bench, muxer, s) for s in all_lengths]
        ends = [finish_upload(u, s) for u, s in zip(uploads, all_lengths)]
        long_end = ends.pop()[0] if head else None
        times = [end for end, _ in ends]
        table[muxer] = {
            "median": statistics.median(times), "max": max(times),
            "longest": times[-1],
            "record first": upload_recorded(
                bench, int(statistics.median(size for _, size in ends)))}
        bench.goal("EOS to finish, " + muxer, table[muxer]["median"],
                   1.1 if head else 0.7, 0.95 if head else 0.5, "s")
        bench.goal("the same : record, then upload, " + muxer,
                   table[muxer]["median"] / table[muxer]["record first"], 0.12)
        if head:
            table[muxer]["of %d s" % longer] = long_end
            bench.goal("the same of %d s : the longest of those" % longer,
                       long_end / max(times), 1.2)
    bench.results["cases"]["latency"] = table


# ---- memory, render, many sinks ----

def slow_emulator(bench, rate, *options):
    return Server([bench.binary("examples", "vod-emulator", "vod-emulator"),
                   "--discard", "--rate", str(rate), "--latency", "25"] +
                  list(options))


def memory(bench):
    """The buffer is filled by a line that is slower than the source."""
    http = Server([bench.binary("tests", "bench", "bench-server")])
    root = os.path.join(bench.shm, "root")
    slow = slow_emulator(bench, 15_000_000)
    slow_tls = slow_emulator(bench, 15_000_000, "--tls", "--root", root)
    line = slow_emulator(bench, 625_000)
    quick = bench.options.quick
    small, large = (1, 2) if quick else (1, 10)

    def sink(server, **settings):
        return vodsink(server, name="measured", media_type="mp4",
                       **settings) + " async=false"

    full = 200 * MIB if quick else 400 * MIB
    table = {
        "%d GiB" % small: bench.client(sink(http), size=MIB,
                                       bytes=small * GIB),
        "%d GiB" % large: bench.client(sink(http), size=MIB,
                                       bytes=large * GIB),
        "slow line": bench.client(sink(slow), size=MIB, bytes=full),
        "slow line, https": bench.client(
            sink(slow_tls, tls_ca_file=os.path.join(root, "ca.pem")),
            size=MIB, bytes=full),
        "4 Mbit/s live over 5 Mbit/s": bench.client(
            sink(line), size=4096, rate=500_000, seconds=5 if quick else 60),
    }
    for server in (http, slow, slow_tls, line):
        server.stop()
    first, last = table["%d GiB" % small], table["%d GiB" % large]
    bench.goal("peak RSS, %d GiB : %d GiB" % (large, small),
               last["rss"] / first["rss"], 1.05)
    for name, most in (("slow line", 40), ("slow line, https", 60)):
        if table[name]["unconfirmed"] < 60 * MIB:
            raise RuntimeError("max-size-bytes was never used up")
        bench.goal("media held, %s" % name, table[name]["unconfirmed"] / MIB,
                   64, unit="MiB")
        bench.goal("process over max-size-bytes, %s" % name,
                   (table[name]["rss"] - 64 * MIB) / MIB, most, unit="MiB")
    live = table["4 Mbit/s live over 5 Mbit/s"]
    bench.goal("unconfirmed media, 4 Mbit/s live over 5 Mbit/s",
               live["unconfirmed"] / MIB, 16, unit="MiB")
    bench.results["cases"]["memory"] = table


def render(bench):
    server = Server([bench.binary("tests", "bench", "bench-server")])
    ours = vodsink(server, media_type="ts", name="measured") + " async=false"
    theirs = "filesink async=false location=%s/out%%u" % bench.shm
    seconds = 3 if bench.options.quick else 20
    rounds = 1 if bench.options.quick else 3
    table, slow, small, blocked = {}, [], [], 0
    for _ in range(rounds):
        for name, sink in (("vodsink", ours), ("filesink", theirs)):
            table[name + ", 4 Mbit/s"] = bench.client(
                sink, size=4096, rate=500_000, seconds=seconds)
            table[name + ", 188 bytes"] = bench.client(
                sink, size=188, rate=18_800_000, seconds=seconds / 2)
        slow.append(table["vodsink, 4 Mbit/s"]["p999"] /
                    table["filesink, 4 Mbit/s"]["p999"])
        small.append(table["vodsink, 188 bytes"]["cpu"] /
                     table["filesink, 188 bytes"]["cpu"])
        blocked += table["vodsink, 4 Mbit/s"]["blocked"]
    server.stop()
    # All of it fits, though the parts take long.
    line = slow_emulator(bench, 15_000_000)
    table["60 MiB at once"] = bench.client(
        vodsink(line, media_type="ts", name="measured") + " async=false",
        size=MIB, bytes=60 * MIB)
    line.stop()
    bench.goal("99.9th percentile of a push, vodsink : filesink",
               statistics.median(slow), 3)
    bench.goal("seconds held back at 4 Mbit/s", blocked, 0, unit="s")
    bench.goal("seconds held back by 60 MiB at once over 120 Mbit/s",
               table["60 MiB at once"]["blocked"], 0, unit="s")
    bench.goal("CPU, 100 000 buffers of 188 bytes a second, vodsink : filesink",
               statistics.median(small), 2)
    bench.results["cases"]["render"] = table


def sinks(bench):
    """The cost of a second more, so that starting does not count; and 64 on a
    line that is hardly wider than what they make."""
    server = Server([bench.binary("tests", "bench", "bench-server")])
    sink = vodsink(server, media_type="ts", name="measured") + " async=false"
    seconds = 3 if bench.options.quick else 15
    number = 8 if bench.options.quick else 64

    def cost(n):
        short, long = (bench.client(sink, size=4096, rate=250_000, sinks=n,
                                    seconds=s) for s in (seconds, 3 * seconds))
        return (long["cpu"] - short["cpu"]) / (2 * seconds), long

    one, alone = cost(1)
    many, together = cost(number)
    server.stop()
    line = slow_emulator(bench, int(number * 250_000 * 1.1))
    narrow = bench.client(
        vodsink(line, media_type="ts", name="measured") + " async=false",
        size=4096, rate=250_000, seconds=2 * seconds, sinks=number)
    line.stop()
    bench.goal("CPU a second, %d sinks : %d x one" % (number, number),
               many / (number * one), 1.2)
    bench.goal("threads of %d sinks beside those that push" % number,
               together["threads"] - number, number + 8, unit="")
    bench.goal("most unconfirmed of one of %d on a line of 1.1 x their sum" %
               number, narrow["unconfirmed"] / MIB, 4, unit="MiB")
    bench.goal("seconds that any of them is held back", narrow["blocked"], 0,
               unit="s")
    bench.results["cases"]["sinks"] = {
        "one": alone, "%d" % number: together, "narrow line": narrow}


# ---- the table ----

def number(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def markdown(results):
    lines = ["%s, %s" % (results["machine"], results["date"]), ""]
    if "transfer" in results["cases"]:
        lines += ["| client | wall s | wall x | CPU s/GiB | CPU x | "
                  "the server's | RSS MiB | connections / requests |",
                  "|---|---|---|---|---|---|---|---|"]
        for name, row in results["cases"]["transfer"].items():
            lines.append("| %s | %s | %s | %s | %s | %s | %s | %d / %d |" % (
                name, number(row["wall"]), number(row["wall x"]),
                number(row["cpu per GiB"]), number(row["cpu x"]),
                number(row["server's"]),
                number(row["rss"] / MIB), row["connections"],
                row["requests"]))
        lines.append("")
    lines += ["| goal | measured | at most | hoped for | |",
              "|---|---|---|---|---|"]
    for goal in results["goals"]:
        unit = "" if goal["unit"] in ("", "x") else " " + goal["unit"]
        lines.append("| %s | %s%s | %s | %s | %s |" % (
            goal["name"], number(goal["value"]), unit, number(goal["must"]),
            number(goal["stretch"]) if goal["stretch"] else "",
            "met" if goal["met"] else "**not met**"))
    return "\n".join(lines) + "\n"


def publish(text, picture):
    """Puts the table between its marks in docs/performance.md, and the picture
    beside it."""
    docs = os.path.join(HERE, "..", "..", "docs")
    page = os.path.join(docs, "performance.md")
    with open(page) as f:
        before, rest = f.read().split("<!-- results -->\n")[:2]
        after = rest.split("<!-- end of results -->\n")[1]
    with open(page, "w") as f:
        f.write("%s<!-- results -->\n%s<!-- end of results -->\n%s" % (
            before, text, after))
    shutil.copy(picture, os.path.join(docs, "performance.svg"))


PARTS = {"transfer": transfer, "latency": latency, "memory": memory,
         "render": render, "sinks": sinks}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--quick", action="store_true",
                        help="short forms, to see that it works")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.gib = 1, 0.25
    bench = Bench(options)
    parts = options.only.split(",")
    path = os.path.join(bench.out, "results.json")
    if not options.quick:
        bench.take_up(path, parts)
    try:
        for name in parts:
            bench.part = name
            PARTS[name](bench)
    finally:
        bench.close()
    bench.results["goals"].sort(key=lambda goal: list(PARTS).index(
        goal["part"]))
    with open(path, "w") as f:
        json.dump(bench.results, f, indent=1)
    picture = os.path.join(bench.out, "results.svg")
    plot.draw(bench.results, picture)
    text = markdown(bench.results)
    with open(os.path.join(bench.out, "results.md"), "w") as f:
        f.write(text)
    print(text)
    if options.publish:
        publish(text, picture)
    # How fast it is says the table; that it could be measured, the exit code.
    return 0


if __name__ == "__main__":
    sys.exit(main())
