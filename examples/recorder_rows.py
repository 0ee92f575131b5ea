# SPDX-License-Identifier: LGPL-2.1-or-later
"""What recorder.py keeps of its fragments: a table of SQLite, and what becomes of
the fragments that were left in the spool.

Each statement is a transaction of its own, so that whatever happens to the program
all rows are there, each as it was last. Who reads the database meanwhile holds up
nothing; who keeps others from writing, or a full disk, only what is written."""

import datetime
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading

# recording -> uploading -> done
# left: in the spool, until vod-resume has sent it (done). lost: nowhere.
# unknown: no longer in the spool. The program was killed before it had kept a
# byte, or before it could note the file id; the service knows by the name.
TABLE = """CREATE TABLE IF NOT EXISTS fragments (
    name TEXT PRIMARY KEY, begun TEXT NOT NULL, ended TEXT, size INTEGER,
    state TEXT NOT NULL, file_id TEXT, url TEXT, error TEXT)"""


def utc():
    return datetime.datetime.now(datetime.timezone.utc)


class Rows:
    def __init__(self, path):
        self.lock = threading.Lock()  # fragments begin in threads of GStreamer's
        self.unwritten = []  # statements that the database did not take yet
        self.database = sqlite3.connect(path, timeout=30, isolation_level=None,
                                        check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute(TABLE)
        self.database.execute("PRAGMA busy_timeout = 1000")
        self.leave(None, "cut off")
        self.earlier = self.left()  # by programs that are no more

    def run(self, statement, *values):
        """Now, or as soon as it can be written."""
        with self.lock:
            self.unwritten.append((statement, values))
        self.flush()

    def flush(self):
        """Whether all is written."""
        with self.lock:
            try:
                while self.unwritten:
                    self.database.execute(*self.unwritten[0])
                    del self.unwritten[0]
            except sqlite3.OperationalError as error:
                print("the database is behind:", error, file=sys.stderr)
            return not self.unwritten

    def begin(self, prefix):
        """A new row; returns its name, which is the name of the media."""
        now = utc()
        name = prefix + now.strftime("-%Y%m%d-%H%M%S-%f")
        self.run("INSERT INTO fragments (name, begun, state) "
                 "VALUES (?, ?, 'recording')", name, now.isoformat())
        return name

    def end(self, name):
        """Its recording has ended, if that is new."""
        self.run("""UPDATE fragments SET ended = ?, state =
            CASE state WHEN 'recording' THEN 'uploading' ELSE state END
            WHERE name = ? AND ended IS NULL""", utc().isoformat(), name)

    def leave(self, name, why):
        """It, or each if name is None, will not be done, unless it is."""
        self.run("""UPDATE fragments SET state = 'left', error = ? WHERE
            ? IN (name, '') AND state IN ('recording', 'uploading')""",
                 why, name or "")

    def set(self, name, state, **values):
        values["state"] = state
        print(name, state, values.get("file_id") or values.get("error"),
              flush=True)
        self.run("UPDATE fragments SET %s WHERE name = ?" % ", ".join(
            key + " = ?" for key in values), *values.values(), name)

    def left(self):
        with self.lock:
            return {name for name, in self.database.execute(
                "SELECT name FROM fragments WHERE state = 'left'")}


class Resumer:
    """vod-resume, for the fragments whose row is "left". What it says is kept in
    a file, so that it is not lost if this program is."""

    def __init__(self, rows, path, state_dir, settings):
        """@settings: of vodsink, by name; they may be secret."""
        self.rows, self.path, self.state_dir = rows, path, state_dir
        self.settings = settings
        self.process = None
        self.asked = set()  # the rows that were left when it was started
        self.note(None)

    def start(self):
        """Call it in the main thread, which vod-resume does not outlive."""
        names = self.rows.left()
        if names and self.process is None:
            self.asked = names
            try:
                self.process = self.spawn()
            except OSError as error:  # such as a full disk
                print("vod-resume cannot be started:", error, file=sys.stderr)
        return True  # for GLib: again

    def spawn(self):
        # Everybody sees command lines; a file without a name nobody.
        with open(self.path, "w", encoding="utf-8") as output, \
                tempfile.TemporaryFile("w", encoding="utf-8") as options:
            for item in self.settings.items():
                print("%s=%s" % item, file=options, flush=True)
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "vod-resume",
                 "--state-dir", self.state_dir, "--options-file",
                 "/proc/self/fd/%d" % options.fileno()],
                stdin=subprocess.DEVNULL, stdout=output,
                pass_fds=[options.fileno()])

    def look(self):
        """Call it now and then: has it ended?"""
        if self.rows.flush() and self.process and \
                self.process.poll() is not None:
            self.note(self.process.returncode)
            self.process = None

    def note(self, code):
        text = ""
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8", errors="replace") as output:
                text = output.read()
        for name, file_id, url in re.findall(
                r"^(.+)\.mp4: done, .*\n  file id (\S+)\n  (\S+)$", text, re.M):
            if name in self.rows.left():
                self.rows.set(name, "done", file_id=file_id, url=url,
                              error=None)
        for name in re.findall(r"^(.+)\.mp4: was cut off and may", text, re.M):
            if name in self.rows.left():
                self.rows.set(name, "left", error="cut off before it plays: "
                              "vod-resume --incomplete, or --discard")
        # 0 and 3: it has looked at all there are, and nothing failed.
        for name in self.asked & self.rows.earlier if code in (0, 3) else ():
            if name + ".mp4: " not in text:
                self.rows.set(name, "unknown", error="not in the spool")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.look()
