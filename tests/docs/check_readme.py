#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares README's tables with what gst-inspect says and the sources post.

usage: check_readme.py README.md SOURCE_DIR
"""
import re
import subprocess
import sys

# Of GstObject and GstBaseSink: documented by GStreamer.
INHERITED = {
    "async", "blocksize", "enable-last-sample", "last-sample", "max-bitrate",
    "max-lateness", "name", "parent", "processing-deadline", "qos",
    "render-delay", "sync", "throttle-time", "ts-offset",
}
TYPES = {
    "String": "string", "Unsigned Integer64": "uint64",
    "Unsigned Integer": "uint", "Integer": "int", "Boolean": "boolean",
    'Boxed pointer of type "GstStructure"': "GstStructure",
    'Boxed pointer of type "GstSample"': "GstSample",
}


# Where only the type is the limit.
LARGEST = {2**31 - 1, 2**32 - 1, 2**64 - 1}


def table(text, heading):
    """Rows of the tables below a heading, cells without back-ticks."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = []
    for line in part.splitlines():
        if line.startswith("| `") or line.startswith("| PROGRESS"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            rows.append([c.strip() for c in cells])
    return rows


def inspect():
    """name -> (type, default, flags, range) of vodsink's own properties."""
    out = subprocess.run(["gst-inspect-1.0", "vodsink"], check=True,
                         capture_output=True, text=True).stdout
    props = {}
    part = out.split("Element Properties:", 1)[1]
    part = part.split("Element Signals:", 1)[0]
    blocks = re.split(r"\n  (?=[a-z][a-z0-9-]* +: )", part)
    for block in blocks[1:]:
        name = block.split(" ", 1)[0]
        flags = re.search(r"flags: (.*)", block).group(1)
        line = block.split("flags:", 1)[1].splitlines()[1].strip()
        kind = next((TYPES[t] for t in TYPES if line.startswith(t)), line)
        default = re.search(r"Default: (\"[^\"]*\"|\S+)", line)
        default = default.group(1) if default else "NULL"
        limits = re.search(r"Range: (-?\d+) - (-?\d+)", line)
        props[name] = (kind, "NULL" if default == "null" else default, flags,
                       limits and tuple(int(n) for n in limits.groups()))
    return {n: p for n, p in props.items() if n not in INHERITED}


def read_range(text):
    """(least, most) of "1 MiB…1 GiB"; most is None where nothing follows."""
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    ends = []
    for end in text.split("…"):
        words = end.split()
        ends.append(int(words[0]) * units.get(words[-1], 1) if words else None)
    return tuple(ends)


def check_range(name, real, cells):
    """What a number may be is told, and is so."""
    told = [read_range(c) for c in cells if "…" in c]
    if not real:
        return [f"{name}: has no range"] if told else []
    if len(told) != 1:
        return [f"{name}: README does not tell the range {real}"]
    least, most = told[0]
    if least != real[0] or (most is None) != (real[1] in LARGEST) or \
            most not in (None, real[1]):
        return [f"{name}: range {real}, README says {told[0]}"]
    return []


def check_properties(readme):
    problems = []
    real = inspect()
    documented = {}
    for name, kind, meaning in table(readme, "Properties"):
        if "user_function" in kind:
            continue
        documented[name.strip("`")] = (kind, meaning)
    for name in sorted(set(real) ^ set(documented)):
        where = "README" if name in documented else "gst-inspect"
        problems.append(f"{name} is only in {where}")
    for name in sorted(set(real) & set(documented)):
        kind, default, flags, limits = real[name]
        cells = [c.strip() for c in documented[name][0].split(",")]
        if cells[0] != kind:
            problems.append(f"{name}: type {kind}, README says {cells[0]}")
        if len(cells) > 1 and cells[1] != default:
            problems.append(f"{name}: default {default}, README says {cells[1]}")
        problems += check_range(name, limits, cells)
        letters = cells[-1].split() if len(cells) > 2 else []
        if ("W" in letters) != ("readable" not in flags):
            problems.append(f"{name}: flags are {flags}")
        if ("P" in letters) != ("PLAYING" in flags):
            problems.append(f"{name}: flags are {flags}")
        if ("L" in letters) != ("only in NULL or READY" in flags):
            problems.append(f"{name}: flags are {flags}")
        if "read-only" in documented[name][1] and "writable" in flags:
            problems.append(f"{name} is writable")
    return len(real), problems


def check_signals(readme):
    """Every signal that is vodsink's own is there, with its handler."""
    out = subprocess.run(["gst-inspect-1.0", "vodsink"], check=True,
                         capture_output=True, text=True).stdout
    part = out.split("Element Signals:", 1)[1]
    real = {name: " ".join(handler.split()) for name, handler in re.findall(
        r'^  "([a-z-]+)" +: +([^;]*);', part, re.M)}
    told = {name.strip("`"): handler.strip("`")
            for name, handler, _ in table(readme, "Properties")
            if "user_function" in handler}
    problems = [f"signal {s}: {real.get(s)}, README says {told.get(s)}"
                for s in sorted(set(real) | set(told))
                if real.get(s) != told.get(s)]
    return problems if real else ["no signal was found"]


def check_messages(readme, source_dir):
    """Every message that the element posts is in the table, with its fields."""
    with open(f"{source_dir}/gst/gstvodmessages.c", encoding="utf-8") as f:
        source = f.read().split("/* --- statistics", 1)[0]
    posted = set(re.findall(r'"(vodsink-[a-z]+)"', source))
    rows = {r[0].strip("`"): r[1] for r in table(readme, "Messages")}
    documented = {n for n in rows if n.startswith("vodsink-")}
    problems = [f"message {n} is only in one place"
                for n in sorted(posted ^ documented)]
    fields = set(re.findall(r'"([a-z-]+)",\s*G_TYPE_', source))
    fields |= set(re.findall(r'set_path \(structure, "([a-z-]+)"', source))
    named = set(re.findall(r"`([a-z-]+)`", " ".join(rows.values())))
    problems += [f"message field {f} is only in one place"
                 for f in sorted(fields ^ named)]
    return problems


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        readme = f.read()
    count, problems = check_properties(readme)
    problems += check_signals(readme)
    problems += check_messages(readme, sys.argv[2])
    for problem in problems:
        print(problem)
    print(f"{count} properties compared, {len(problems)} differences")
    return 1 if problems or count < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
