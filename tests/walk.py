#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A newcomer's walk: README's own commands, line by line, each on a Debian on
which nothing is installed but what the lines before have brought.

usage: walk.py --plan README.md          every command has a rule below, or it fails
       walk.py CLONE DEBIAN [DEBIAN...]  runs them (as root). CLONE: a clean clone
                                         of this repository. DEBIAN: fresh roots
                                         (debootstrap), one for each of WALKS

Commands are run as they stand. Stand-ins are only for what a machine in a rack
has not: the camera is a test picture, and the account is vod-emulator, which
answers, by https, for the host of the service. Speaks TAP."""

import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

# Of Tencent's documentation; the emulator's default.
SECRET_ID = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
SECRET_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"

RUN, UNTIL, BACKGROUND, ELSEWHERE = "run", "until", "background", "elsewhere"

# (pattern of the whole command, what is done, argument). The first that fits.
#   RUN         it must exit 0; argument: seconds it may take
#   UNTIL       when its output has this, one Ctrl-C; it must exit 0
#   BACKGROUND  goes on until the end; its output must have this
#   ELSEWHERE   not run here, because …
RULES = [
    (r"examples/quickstart\.sh", UNTIL, r"Ctrl-C ends the emulator"),
    (r"tests/run\.sh", ELSEWHERE,
     "tests/nightly.sh runs it, as .ci/run, on another fresh Debian"),
    (r"sudo apt-get update", RUN, 300),
    (r"sudo apt-get install -y .*", RUN, 1800),
    (r"meson setup build-release .*", RUN, 300),
    (r"ninja -C build-release", RUN, 1800),
    (r"sudo meson install -C build-release", RUN, 300),
    (r"gst-inspect-1\.0 vodsink", RUN, 120),
    (r"vod-emulator --port \d+ &", BACKGROUND, r"listening on http://"),
    (r"gst-launch-1\.0 -e videotestsrc num-buffers=\d+ .*", RUN, 120),
    (r"mkdir -p ~/\.config", RUN, 10),
    (r"\(umask 077 && printf .* > ~/\.config/vod-key\)", RUN, 10),
    (r"\(umask 077 && vod-sign .* > ~/\.config/vod-signature\)", RUN, 10),
    (r"gst-launch-1\.0 filesrc location=a\.mp4 ! vodsink .*", RUN, 120),
    (r"gst-launch-1\.0 -e v4l2src ! .*", UNTIL, r"The upload is open"),
]

# What a newcomer has that the machine has not.
STAND_INS = [
    (r"\bv4l2src\b", "videotestsrc is-live=true"),      # a camera
    (r'"AKID…" "SecretKey…"', '"%s" "%s"' % (SECRET_ID, SECRET_KEY)),
]

# Blocks that are to be read.
SHOWN = {"json"}

# A fresh Debian for each; from which section on.
WALKS = ["", "Install it"]
ACCOUNT_FROM = "Your first video in your own account"


# ---- README ----

class Command:
    def __init__(self, section, text):
        self.section, self.text = section, text
        found = [rule for rule in RULES if re.fullmatch(rule[0], text)]
        self.action, self.argument = found[0][1:] if found else (None, None)
        self.played = text
        for pattern, what in STAND_INS:
            self.played = re.sub(pattern, what, self.played)


def without_comment(line):
    return re.sub(r"(^|\s+)#.*$", "", line)


def commands_of(readme):
    """(commands in order, blocks of a language that is not known)."""
    with open(readme, encoding="utf-8") as f:
        lines = f.read().splitlines()
    commands, strange, section, fence, body = [], [], "", None, []
    for line in lines:
        mark = re.match(r"\s*(```+|~~~+)\s*(\S*)", line)
        if fence is None and mark:
            fence, language, body = mark[1], mark[2], []
        elif fence is not None and line.strip() == fence:
            fence = None
            if language == "sh":
                text = re.sub(r"\\\n\s*", "", "\n".join(
                    without_comment(each) for each in body))
                commands += [Command(section, each.strip())
                             for each in text.splitlines() if each.strip()]
            elif language not in SHOWN:
                strange.append("%s: a block of %r" % (section, language))
        elif fence is not None:
            body.append(line)
        elif line.startswith("## "):
            section = line[3:].strip()
    if fence is not None:
        strange.append("%s: a block without end" % section)
    return commands, strange


def plan(readme):
    commands, problems = commands_of(readme)
    problems += ["no rule for: " + c.text for c in commands if not c.action]
    problems += ["no command for the rule " + pattern
                 for pattern, _, _ in RULES
                 if not any(re.fullmatch(pattern, c.text) for c in commands)]
    sections = {c.section for c in commands}
    problems += ["no command in a section %r" % s
                 for s in (*WALKS[1:], ACCOUNT_FROM) if s not in sections]
    return commands, problems


# ---- a shell on that Debian ----

CLONE_NEWNET = 0x40000000
LOOP = r"""
while IFS= read -r -u 9 line; do
  if [ "${line:0:1}" = "&" ]; then eval "${line:1}" & else eval "$line"; fi
  printf '\n<<ended %d>>\n' $?
done
"""


def loopback_up():
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


class Shell:
    """Namespaces of its own: no mount and no process outlives it."""

    def __init__(self, debian, network):
        self.log = open(os.path.join(debian, "var/tmp/walk.log"), "ab+")
        self.seen = self.log.seek(0, os.SEEK_END)
        receiver, self.line = os.pipe()
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash",
             "-c", 'mount -t proc proc "$0/proc" && '
             'mount --rbind /dev "$0/dev" && exec chroot "$0" env -i '
             'HOME=/root TERM=dumb LANG=C.UTF-8 '
             'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
             ' bash -c "cd /root/vodsink; $1"', debian, LOOP],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            close_fds=False,
            preexec_fn=lambda: self.enter(receiver, network))
        os.close(receiver)

    @staticmethod
    def enter(receiver, network):
        os.dup2(receiver, 9)
        # Whoever runs this in the background has it ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not network:
            if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
                os._exit(98)
            loopback_up()

    def begin(self, command):
        self.seen = os.fstat(self.log.fileno()).st_size
        os.write(self.line, command.encode() + b"\n")

    def output(self):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size - self.seen,
                        self.seen).decode(errors="replace")

    def wait(self, pattern, seconds):
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.output())
            if found:
                return found
            if self.process.poll() is not None or \
                    time.monotonic() > deadline:
                raise AssertionError("waited in vain for " + pattern)
            time.sleep(0.05)

    def end(self, seconds):
        return int(self.wait(r"<<ended (\d+)>>", seconds)[1])

    def run(self, command, seconds=60):
        self.begin(command)
        code = self.end(seconds)
        if code != 0:
            raise AssertionError("exit code %d" % code)
        return self.output()

    def foreground(self):
        """The process that the shell waits for: the latest that it began."""
        children = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % entry) as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
        shell = children[self.process.pid][0]
        return max(children[shell])

    def close(self):
        os.close(self.line)
        self.process.kill()
        self.process.wait()
        self.log.close()


# ---- the walk ----

class Walk:
    def __init__(self, clone, debian):
        self.debian = debian
        shutil.copytree(clone, os.path.join(debian, "root/vodsink"),
                        symlinks=True)
        # Who is root needs none, and a container has none.
        self.write("usr/local/bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
        shutil.copy("/etc/resolv.conf", os.path.join(debian, "etc"))
        self.shell = Shell(debian, network=True)
        self.has_account = False

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.debian, path)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    def open_account(self):
        """From here on this machine's only network is itself, and its
        vod2.qcloud.com is an emulator that a known authority vouches for."""
        if not os.path.exists(os.path.join(
                self.debian, "etc/ssl/certs/ca-certificates.crt")):
            raise AssertionError("what README installs brings no authorities: "
                                 "no https to the service")
        self.shell.close()
        self.shell = Shell(self.debian, network=False)
        self.write("etc/hosts", "127.0.0.1 localhost vod2.qcloud.com "
                   "vod2.dnsv1.com\n")
        self.shell.begin("&vod-emulator --tls --port 443 --root "
                         "/var/tmp/account --secret-id %s --secret-key %s"
                         % (SECRET_ID, SECRET_KEY))
        self.shell.wait(r"ca\.pem", 20)
        self.shell.run("cat /var/tmp/account/ca.pem >> "
                       "/etc/ssl/certs/ca-certificates.crt")
        self.shell.run("gst-launch-1.0 -q videotestsrc num-buffers=60 ! "
                       "x264enc ! h264parse ! mp4mux ! filesink "
                       "location=a.mp4")  # a file of one's own
        self.has_account = True

    def step(self, command):
        shell = self.shell
        if command.action == RUN:
            shell.run(command.played, command.argument)
        elif command.action == BACKGROUND:
            shell.begin(command.played)
            shell.wait(command.argument, 20)
        else:
            shell.begin(command.played)
            shell.wait(command.argument, 2400)
            time.sleep(2)  # a person looks at it
            os.kill(shell.foreground(), signal.SIGINT)
            code = shell.end(60)
            if code != 0:
                raise AssertionError("exit code %d after Ctrl-C" % code)

    def check_account(self):
        output = self.shell.run(
            "python3 -c 'import json, ssl, urllib.request as u; "
            "print(sorted(m[\"name\"] for m in json.load(u.urlopen("
            "\"https://127.0.0.1/api/state?log=0\", context="
            "ssl.create_default_context()))[\"media\"]))'")
        if "['Lecture 12', 'a']" not in output:
            raise AssertionError("not what was uploaded")


class Tap:
    number = bad = 0

    def tell(self, what, function, output=lambda: ""):
        self.number += 1
        begun = time.monotonic()
        try:
            function()
            word, problem = "ok", None
        except (AssertionError, OSError) as e:
            word, problem = "not ok", e
            self.bad += 1
        print("%s %d - %s (%d s)" % (word, self.number, what.replace(
            "#", ""), time.monotonic() - begun), flush=True)
        if problem:
            for line in [*output().splitlines()[-40:], str(problem)]:
                print("# " + line, flush=True)
        return problem is None

    def fail(self, what):
        self.number += 1
        self.bad += 1
        print("not ok %d - %s" % (self.number, what), flush=True)

    def skip(self, what, why):
        self.number += 1
        print("ok %d - %s # SKIP %s" % (self.number, what, why), flush=True)


def walk(tap, clone, debian, commands):
    """Ends with the first step that fails: the next ones stand on it."""
    steps = Walk(clone, debian)
    try:
        for command in commands:
            if command.action == ELSEWHERE:
                tap.skip(command.text, command.argument)
                continue
            if command.section == ACCOUNT_FROM and not steps.has_account and \
                    not tap.tell("an account", steps.open_account,
                                 lambda: steps.shell.output()):
                return
            if not tap.tell(command.text, lambda: steps.step(command),
                            lambda: steps.shell.output()):
                return
        if steps.has_account:
            tap.tell("both videos are in the account", steps.check_account,
                     lambda: steps.shell.output())
    finally:
        steps.shell.close()


def main():
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[1] == "--plan":
        commands, problems = plan(sys.argv[2])
        for problem in problems:
            print(problem)
        print("%d commands, %d problems" % (len(commands), len(problems)))
        return 1 if problems or not commands else 0
    clone, debians = sys.argv[1], sys.argv[2:]
    commands, problems = plan(os.path.join(clone, "README.md"))
    tap = Tap()
    for problem in problems:
        tap.fail(problem)
    if len(debians) != len(WALKS):
        tap.fail("%d roots for %d walks" % (len(debians), len(WALKS)))
    if tap.bad:
        return 1
    turns = [0, *(next(i for i, c in enumerate(commands) if c.section == name)
                  for name in WALKS[1:]), len(commands)]
    for debian, begin, end in zip(debians, turns, turns[1:]):
        walk(tap, clone, debian, commands[begin:end])
    print("1..%d" % tap.number)
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
