#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares docs/reference.md, and the settings that README shows, with what
gst-inspect says and the sources post.

usage: check_readme.py SOURCE_DIR
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


# Types as GLib's macros name them.
G_TYPES = {"UINT64": "uint64", "UINT": "uint", "INT": "int",
           "DOUBLE": "double", "STRING": "string", "BOOLEAN": "boolean"}
# GstBaseSink's own fields of `stats`.
BASE_STATS = {"rendered": "uint64", "dropped": "uint64",
              "average-rate": "double"}


def section(text, heading):
    """What stands below a heading, up to the next of its level."""
    level = len(heading.split(" ", 1)[0])
    # A comment in a command is no heading.
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    rest = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.M)[0]


def table(text, heading):
    """Rows of the tables below a heading whose first cell is code."""
    rows = []
    for line in section(text, heading).splitlines():
        if line.startswith("| `"):
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
        return [f"{name}: the page does not tell the range {real}"]
    least, most = told[0]
    if least != real[0] or (most is None) != (real[1] in LARGEST) or \
            most not in (None, real[1]):
        return [f"{name}: range {real}, the page says {told[0]}"]
    return []


def check_properties(reference):
    """All of vodsink's own: type, default, range, when it may change."""
    problems = []
    real = inspect()
    documented = {name.strip("`"): (kind, meaning) for name, kind, meaning
                  in table(reference, "## Properties")}
    for name in sorted(set(real) ^ set(documented)):
        where = "the page" if name in documented else "gst-inspect"
        problems.append(f"{name} is only in {where}")
    for name in sorted(set(real) & set(documented)):
        kind, default, flags, limits = real[name]
        cells = [c.strip() for c in documented[name][0].split(",")]
        if cells[0] != kind:
            problems.append(f"{name}: type {kind}, the page says {cells[0]}")
        if len(cells) > 1 and cells[1] != default:
            problems.append(
                f"{name}: default {default}, the page says {cells[1]}")
        problems += check_range(name, limits, cells)
        letters = cells[-1].split() if len(cells) > 2 else []
        if ("W" in letters) != ("readable" not in flags):
            problems.append(f"{name}: flags are {flags}")
        if ("P" in letters) != ("PLAYING" in flags):
            problems.append(f"{name}: flags are {flags}")
        if ("L" in letters) != ("only in NULL or READY" in flags):
            problems.append(f"{name}: flags are {flags}")
        if documented[name][1].startswith("read-only") == ("writable" in flags):
            problems.append(f"{name}: flags are {flags}")
    return len(real), problems


def check_readme(readme):
    """The few settings that README shows: they exist, with this default."""
    real = inspect()
    rows = table(readme, "## Settings")
    problems = [] if len(rows) > 5 else ["README shows no settings"]
    for name, default, *_ in rows:
        name, default = name.strip("`"), default.strip("`")
        if name not in real:
            problems.append(f"README: there is no {name}")
        elif default.split(" ")[0] != real[name][1]:
            problems.append(f"README: {name} is {real[name][1]} by default")
    return problems


def check_signals(reference):
    """Every signal that is vodsink's own is there, with its handler."""
    out = subprocess.run(["gst-inspect-1.0", "vodsink"], check=True,
                         capture_output=True, text=True).stdout
    part = out.split("Element Signals:", 1)[1]
    real = {name: " ".join(handler.split()) for name, handler in re.findall(
        r'^  "([a-z-]+)" +: +([^;]*);', part, re.M)}
    told = {name.strip("`"): handler.strip("`")
            for name, handler, _ in table(reference, "## Signals")}
    problems = [f"signal {s}: {real.get(s)}, the page says {told.get(s)}"
                for s in sorted(set(real) | set(told))
                if real.get(s) != told.get(s)]
    return problems if real else ["no signal was found"]


def functions(source):
    """name -> text of each function of a C file in this project's style."""
    bodies = {}
    for match in re.finditer(r"^(\w+) \([^;{]*\)\n\{\n(.*?)^\}", source,
                             re.M | re.S):
        bodies[match.group(1)] = match.group(2)
    return bodies


def fields_of(name, bodies, seen=()):
    """Fields that this function, and those it calls, put into a structure."""
    text = bodies[name]
    fields = {field: G_TYPES[kind] for field, kind in
              re.findall(r'"([a-z-]+)",\s*G_TYPE_([A-Z0-9]+)', text)}
    fields.update((field, "string") for field in
                  re.findall(r'set_path \(structure, "([a-z-]+)"', text))
    for other in bodies:
        if other not in (name, *seen) and re.search(rf"\b{other} \(", text):
            fields.update(fields_of(other, bodies, (*seen, name)))
    return fields


def compare(what, posted, told):
    return [f"{what}: {f} is {posted.get(f)}, the page says {told.get(f)}"
            for f in sorted(set(posted) | set(told))
            if posted.get(f) != told.get(f)]


def check_messages(reference, source_dir):
    """Every message that the element posts, with its fields and their types,
    and those of the property stats."""
    with open(f"{source_dir}/gst/gstvodmessages.c", encoding="utf-8") as f:
        bodies = functions(f.read())
    posted = {}
    for function, text in bodies.items():
        for message in re.findall(r'"(vodsink-[a-z]+)"', text):
            posted.setdefault(message, {}).update(fields_of(function, bodies))
    told = {m: {f.strip("`"): kind for f, kind, _ in
                table(reference, f"### {m}")}
            for m in re.findall(r"^### (vodsink-[a-z]+)$", reference, re.M)}
    problems = [f"message {m} is only in one place"
                for m in sorted(set(posted) ^ set(told))]
    for message in sorted(set(posted) & set(told)):
        problems += compare(message, posted[message], told[message])
    stats = {f.strip("`"): kind for f, kind, _ in
             table(reference, "## Statistics")}
    problems += compare("stats", {
        **fields_of("gst_vod_stats_structure", bodies), **BASE_STATS}, stats)
    return problems if len(posted) > 4 else ["no message was found"]


def main():
    source_dir = sys.argv[1]
    with open(f"{source_dir}/README.md", encoding="utf-8") as f:
        readme = f.read()
    with open(f"{source_dir}/docs/reference.md", encoding="utf-8") as f:
        reference = f.read()
    count, problems = check_properties(reference)
    problems += check_readme(readme)
    problems += check_signals(reference)
    problems += check_messages(reference, source_dir)
    for problem in problems:
        print(problem)
    print(f"{count} properties compared, {len(problems)} differences")
    return 1 if problems or count < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
