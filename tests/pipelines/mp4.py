# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an mp4 file holds: whether it is whole, how many samples its tracks
have, and what differs from run to run."""

import struct

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
# They begin with version, flags, creation time, modification time.
DATED = (b"mvhd", b"tkhd", b"mdhd")


def boxes(data, begin=0, end=None):
    """(path, begin, end) of each box's content, nested ones too."""
    end = len(data) if end is None else end
    while begin < end:
        size, kind = struct.unpack_from(">I4s", data, begin)
        header = 8
        if size == 1:
            size, = struct.unpack_from(">Q", data, begin + 8)
            header = 16
        if size < header or begin + size > end:
            raise ValueError("a box of %d bytes at %d of %d" % (
                size, begin, end))
        yield (kind,), begin + header, begin + size
        if kind in CONTAINERS:
            for path, first, last in boxes(data, begin + header, begin + size):
                yield (kind, *path), first, last
        begin += size


def samples(data, handler):
    """How many samples the tracks of this kind ("vide", "soun") have.
    ValueError: it is no whole file."""
    top = [path[0] for path, _, _ in boxes(data) if len(path) == 1]
    if top[0] != b"ftyp" or not {b"moov", b"mdat"} <= set(top):
        raise ValueError("boxes %s" % top)
    count, wanted = 0, False
    for path, begin, _ in boxes(data):
        if path[-1] == b"hdlr":
            wanted = data[begin + 8:begin + 12] == handler.encode()
        elif path[-1] == b"stsz" and wanted:
            count += struct.unpack_from(">I", data, begin + 8)[0]
    return count


def without_dates(data):
    """The same file, whenever it was made."""
    data = bytearray(data)
    for path, begin, _ in boxes(bytes(data)):
        if path[-1] in DATED:
            size = 16 if data[begin] == 1 else 8
            data[begin + 4:begin + 4 + size] = bytes(size)
    return bytes(data)
