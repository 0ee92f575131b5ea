#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the instructions of the hot path (callgrind) and compares them with the
committed figures: no clock, so that a slow machine does not matter. A busy one
lets threads wait for each other more often, which costs some: what is too much
is counted again, and the least counts.

usage: instructions.py BUILD [--update]

Figures hold for one machine architecture and for the libraries of Debian 12;
elsewhere there is nothing to compare with, and the test is skipped."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = os.path.join(HERE, "instructions.json")
SLACK = 1.10
TRIES = 3
BUFFER, BUFFERS = 4096, 16384
PARTS = 64


def skip(why):
    print("1..0 # SKIP " + why)
    sys.exit(0)


def where():
    with open("/etc/os-release") as f:
        release = dict(line.rstrip().split("=", 1) for line in f if "=" in line)
    return "%s, %s %s" % (platform.machine(), release.get("ID", "?"),
                          release.get("VERSION_ID", "?").strip('"'))


def count(args, functions, folder, env=None):
    """Instructions in each of @functions and all that it calls."""
    out = os.path.join(folder, "callgrind.out")
    environment = dict(os.environ, **(env or {}))
    # meson fills what is allocated, to find mistakes; that costs instructions.
    environment.pop("MALLOC_PERTURB_", None)
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out] + args,
        env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    text = subprocess.run(
        ["callgrind_annotate", "--inclusive=yes", "--auto=no",
         "--threshold=100", out],
        check=True, capture_output=True, text=True).stdout
    counts = []
    for function in functions:
        found = re.search(r"^\s*([\d,]+) \([^)]*\)\s+\S*:%s \[" % function,
                          text, re.M)
        if not found:
            raise RuntimeError("%s was not called" % function)
        counts.append(int(found[1].replace(",", "")))
    return counts


def measure(build):
    server = subprocess.Popen(
        [os.path.join(build, "tests", "bench", "bench-server")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    uri = server.stdout.readline().split()[2]
    client = os.path.join(build, "tests", "bench", "bench-client")
    sink = ("vodsink endpoint=%s signature-url=%s/signature resume=false "
            "async=false media-type=ts") % (uri, uri)
    push = [client, "--sink", sink, "--size", str(BUFFER), "--bytes",
            str(BUFFER * BUFFERS)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            env = {"GST_PLUGIN_PATH": os.path.join(build, "gst"),
                   "GST_REGISTRY": os.path.join(folder, "registry"),
                   "GST_REGISTRY_FORK": "no"}
            render, crc64 = count(
                push, ["gst_vod_sink_render", "vod_crc64"], folder, env)
            send, = count(
                [os.path.join(build, "tests", "bench", "hotpath"), uri,
                 str(PARTS)], ["vod_http_send"], folder)
    finally:
        server.terminate()
        server.wait()
    return {
        "instructions to render a buffer of 4096 bytes": render / BUFFERS,
        "instructions for the CRC64 of 4096 bytes": crc64 / BUFFERS,
        "instructions to send a part of 1 MiB": send / PARTS,
    }


def main():
    build = os.path.abspath(sys.argv[1])
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    here = where()
    if sys.argv[2:] == ["--update"]:
        figures = {name: round(value) for name, value in measure(build).items()}
        with open(FIGURES, "w") as f:
            json.dump(dict(figures, machine=here), f, indent=1)
            f.write("\n")
        return 0
    with open(FIGURES) as f:
        figures = json.load(f)
    if figures.pop("machine") != here:
        skip("the figures are for another system than " + here)
    measured = measure(build)
    for _ in range(TRIES - 1):
        if all(measured[name] <= figure * SLACK
               for name, figure in figures.items()):
            break
        again = measure(build)
        measured = {name: min(measured[name], again[name]) for name in again}
    print("1..%d" % len(figures))
    bad = 0
    for i, (name, figure) in enumerate(figures.items(), 1):
        good = measured[name] <= figure * SLACK
        bad += not good
        print("%sok %d - %s: %.0f, at most %.0f" % (
            "" if good else "not ", i, name, measured[name], figure * SLACK))
        if measured[name] < figure / SLACK:
            print("# much less than before: instructions.py --update")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
