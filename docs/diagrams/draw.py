#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws the pictures of docs/how-it-works.md.

usage: draw.py           writes the SVG files beside this one
       draw.py --check   says which of them are not what would be written
"""
import os
import sys

# Beside the sources nothing is to be left.
sys.dont_write_bytecode = True

from picture import Picture  # noqa: E402


def life_of_a_byte():
    p = Picture(860, 330, "The life of a byte")
    p.room(150, 20, 400, 290, "vodsink")
    p.box(75, 95, 110, 50, "*muxer\n-or filesrc")
    p.box(235, 95, 130, 50, "*slice\n-being filled")
    p.box(455, 95, 140, 50, "*ready\n-waits for a worker")
    p.box(235, 245, 130, 64, "*memory\n-max-size-bytes\n-or the spool")
    p.box(455, 245, 140, 64, "*confirmed\n-kept while there\n-is room")
    p.box(735, 95, 170, 50, "*storage\n-parts of the object")
    p.box(735, 245, 170, 64, "*VOD\n-the media, when\n-all is right", "good")
    p.arrow([(130, 95), (170, 95)], "copy", (150, 78))
    p.arrow([(300, 95), (385, 95)], "cut", (342, 83))
    p.arrow([(235, 120), (235, 213)], "bytes", (262, 166))
    p.arrow([(525, 88), (650, 88)], "PUT part", (592, 75))
    p.arrow([(650, 104), (600, 104), (600, 235), (525, 235)],
            "CRC64\nagrees", (628, 180))
    p.arrow([(440, 213), (440, 120)], "rewritten:\ngoes again", (400, 168))
    p.arrow([(470, 120), (470, 150), (512, 150), (512, 120)],
            "differs, fails", (491, 166))
    p.arrow([(735, 120), (735, 213)], "at EOS:\nComplete, Commit", (795, 166))
    return p


def slice_states():
    p = Picture(860, 330, "The states of a slice")
    p.box(95, 90, 130, 50, "*filling\n-the last slice")
    p.box(330, 90, 130, 50, "*ready")
    p.box(565, 90, 130, 50, "*in flight\n-a worker reads it")
    p.box(565, 250, 130, 50, "*confirmed\n-the service has it", "good")
    p.box(780, 250, 130, 50, "*dropped\n-only its receipt")
    p.arrow([(160, 90), (265, 90)], "full, or 1 MiB\nand a worker idle", (212, 60))
    p.arrow([(395, 82), (500, 82)], "taken", (447, 70))
    p.arrow([(500, 100), (395, 100)], "failed, or the\nCRC64 differs", (447, 124))
    p.arrow([(565, 115), (565, 225)], "CRC64 agrees", (612, 170))
    p.arrow([(500, 250), (330, 250), (330, 115)],
            "rewritten (dirty): goes again, with its number", (350, 268))
    p.arrow([(630, 250), (715, 250)], "memory is\nneeded", (672, 222))
    p.arrow([(75, 65), (75, 35), (115, 35), (115, 65)], "rewritten in place",
            (180, 32))
    p.arrow([(310, 65), (310, 35), (350, 35), (350, 65)],
            "rewritten in place", (415, 32))
    p.arrow([(545, 65), (545, 35), (585, 35), (585, 65)],
            "rewritten: into a shadow,\nsent again after", (672, 40))
    p.lines(95, 165, "a rewrite of what was dropped\nis an error (SEEK);\n"
            "with a spool nothing\nis ever dropped", "small")
    return p


def threads():
    p = Picture(860, 350, "Threads")
    p.room(20, 20, 250, 310, "the application and its pipeline")
    p.room(290, 20, 550, 310, "one upload")
    p.box(145, 95, 200, 60, "*streaming thread\n-render(), wait_event(), EOS")
    p.box(145, 190, 200, 46, "*any thread\n-properties, cancel")
    p.box(145, 280, 200, 50, "*the application\n-bus, get-signature")
    p.box(430, 95, 190, 60, "*the table of slices\n-state, statistics: one lock")
    p.box(700, 75, 210, 44, "*worker 1\n-a connection of its own")
    p.box(700, 130, 210, 44, "*worker 2, 3 …\n-up to parallel-uploads")
    p.box(700, 205, 210, 44, "*reports\n-only with report-id")
    p.box(700, 275, 210, 44, "*race of regions, 8 s\n-only with auto")
    p.box(430, 245, 190, 60, "*memory, spool, session\n-bytes: pinned or in flight,\n"
          "-read without the lock")
    p.arrow([(245, 95), (335, 95)], "write, wait", (290, 83))
    p.arrow([(595, 85), (525, 85)], "take, settle", (560, 66))
    p.arrow([(595, 130), (560, 130), (560, 105), (525, 105)])
    p.arrow([(245, 190), (380, 190), (380, 125)], "set, get, stop", (310, 178))
    p.arrow([(430, 125), (430, 215)])
    p.arrow([(595, 145), (540, 145), (540, 245), (525, 245)],
            "send", (560, 200), soft=True)
    p.arrow([(335, 280), (245, 280)], "messages,\nsignals", (290, 258))
    return p


def wire():
    p = Picture(860, 580, "The requests of one upload")
    p.sequence(
        [("your server", 95), ("vodsink", 300), ("VOD API", 545),
         ("storage (COS)", 765)],
        [("vodsink", "your server", "signature? (or the signal, a file)"),
         ("your server", "vodsink", "upload signature", "back"),
         ("vodsink", "VOD API", "ApplyUploadUGC: signature, name, type"),
         ("VOD API", "vodsink", "session key, bucket, key, credentials", "back"),
         ("vodsink", "storage (COS)", "POST ?uploads (Initiate)"),
         ("storage (COS)", "vodsink", "upload id", "back"),
         ("vodsink", "storage (COS)",
          "PUT ?partNumber=1, 2, 3 … several at a time, while media comes"),
         ("storage (COS)", "vodsink", "ETag, CRC64 of each part", "back"),
         ("vodsink", "VOD API",
          "Apply with the session key, when credentials are 90 % old"),
         ("vodsink", "storage (COS)", "PUT the last part, and those rewritten"),
         ("vodsink", "storage (COS)", "POST ?uploadId (Complete): all parts"),
         ("storage (COS)", "vodsink", "CRC64 of the whole", "back"),
         ("vodsink", "VOD API", "CommitUploadUGC: signature, session key"),
         ("VOD API", "vodsink", "file id, URL", "back"),
         ("note", 300, "vodsink-finish, then EOS")],
        step=34)
    return p


def outage():
    p = Picture(860, 400, "What happens in an outage or a crash")
    p.box(110, 60, 180, 50, "*the network is away")
    p.box(370, 60, 200, 64, "*tried again\n-0.25 s … 15 s, backup host\n-in turn; media goes on")
    p.box(700, 60, 240, 50, "*it comes back\n-what waits goes at once", "good")
    p.arrow([(200, 60), (270, 60)])
    p.arrow([(470, 60), (580, 60)])
    p.box(110, 165, 180, 64, "*memory is full\n-WARNING: upstream waits\n-(not with a spool)")
    p.arrow([(320, 92), (320, 165), (200, 165)], "", None)
    p.box(450, 165, 230, 64, "*retry-duration is over\n-ERROR, or WARNING with\n-fatal-errors=false", "bad")
    p.arrow([(400, 92), (400, 133)])
    p.box(110, 300, 180, 50, "*crash, kill, power loss", "bad")
    p.box(340, 300, 180, 64, "*on the disk\n-session: parts, receipts\n-spool: the bytes")
    p.box(700, 225, 260, 50, "*a file: the same command again\n-only what is missing is sent", "good")
    p.box(700, 300, 260, 50, "*spool=true: vod-resume\n-finishes it as far as it goes", "good")
    p.box(700, 370, 260, 44, "*neither: it is lost\n-never a truncated media there", "bad")
    p.arrow([(200, 300), (250, 300)])
    p.arrow([(400, 197), (400, 268)])
    p.arrow([(430, 285), (480, 285), (480, 225), (570, 225)])
    p.arrow([(430, 300), (570, 300)])
    p.arrow([(430, 315), (480, 315), (480, 370), (570, 370)])
    return p


PICTURES = {f.__name__.replace("_", "-"): f for f in
            (life_of_a_byte, slice_states, threads, wire, outage)}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    stale = []
    for name, draw in PICTURES.items():
        path = os.path.join(here, f"{name}.svg")
        svg = draw().svg()
        if sys.argv[1:] != ["--check"]:
            with open(path, "w", encoding="utf-8") as f:
                f.write(svg)
        elif not os.path.exists(path) or \
                open(path, encoding="utf-8").read() != svg:
            stale.append(name)
    for name in stale:
        print(f"{name}.svg is not what draw.py draws: run it")
    print(f"{len(PICTURES)} pictures, {len(stale)} stale")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
