#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every text that vodsink can post is in docs/troubleshooting.md, every text that
vod-resume can print in docs/vod-resume.md, and every text of these pages is
still in the sources.

usage: check_messages.py SOURCE_DIR

A text is any string literal of the sources that looks like one (words with
blanks), but for those that only logs have: given to the macros and functions of
NOT_MESSAGES, or in the files and functions of LOGS; and those of NOT_POSTED.
"""
import glob
import re
import sys

# Arguments of these are not messages: logs, descriptions of properties.
NOT_MESSAGES = re.compile(
    r"\b(GST_(TRACE|LOG|DEBUG|INFO|WARNING|ERROR)(_OBJECT)?|g_debug|g_info"
    r"|GST_CAT_LEVEL_LOG|vod_log|vod_\w*note\w*|log_\w+|vod_http_set_purpose"
    r"|g_message|g_warning|g_critical|g_log|sscanf|g_return_if_fail"
    r"|GST_DEBUG_CATEGORY_INIT"
    r"|g_param_spec_\w+|gst_element_class_set_static_metadata"
    r"|g_option_context_\w+|GST_PLUGIN_DEFINE|strstr|g_str_has_prefix) \($")

PAGES = {
    "docs/troubleshooting.md": ("gst/*.c", "gst/upload/*.c", "gst/cloud/*.c"),
    "docs/vod-resume.md": ("gst/tools/*.c",),
}

# Files, and functions, that only logs get their texts from.
LOGS = ("vodnotes.c", "vodhttplog.c", "vodlog.c", "gstvoduploads.c:describe",
        "gstvodreport.c:next_of", "vodfailure.c:way_on")

# Texts that look like messages and are none, each with the reason.
NOT_POSTED = {
    "phase %s, code %d, %s%s, request id %s%s%s": "debug text",
    "no storage code": "debug text",
    "storage code ": "debug text",
    "bad answer": "a report's text, see docs/reports.md",
    "no signature": "a report's text",
    "local storage": "a report's text",
    "%s: cancelled": "a stop's own doing: never posted",
    "too deep, too long, too many, or more than one document": "replaced",
    "Opening the upload": "PROGRESS",
    "The upload is open": "PROGRESS",
    "Uploading what is left": "PROGRESS",
    "Uploading what is left: %d %%%s%s": "PROGRESS",
    "Opening the upload, trying again: %s": "PROGRESS",
    ", trying again: ": "PROGRESS",
    "The media is committed": "PROGRESS",
    "vodsink-session 1 %08x%08x": "a session file's first line",
    "media %s %s %s %s %s": "a line of a session file",
    ", by the ordinary host": "a log's",
    "vod-resume: %s\nTry vod-resume --help.\n": "before it stands the reason",
    ", request id ": "a part of others",
}

# What README quotes of others.
OF_OTHERS = ("libsoup2 symbols detected", 'no element "vodsink')

STRING = r'"(?:[^"\\\n]|\\.)*"'
COMMENT = re.compile(rf"({STRING})|/\*.*?\*/", re.S)
MARKS = " ,;:.()\"%"
CONVERSION = re.compile(r"%[-+ #0-9.*]*(?:hh|h|ll|l|z)?[a-zA-Z%]|%$")


def without_comments(source):
    return COMMENT.sub(lambda m: m[1] or " ", source)


def callee(source, position):
    """The name before the innermost parenthesis that is open here."""
    depth = 0
    for i in range(position - 1, max(0, position - 2000), -1):
        if source[i] == ")":
            depth += 1
        elif source[i] == "(":
            if depth == 0:
                return source[max(0, i - 60):i + 1]
            depth -= 1
        elif source[i] in ";{}" and depth == 0:
            return ""
    return ""


def literals(source):
    """(text, what it is given to, in which function) of each literal; adjacent
    ones are one."""
    # A literal of a single character never hides quotes from what follows.
    source = re.sub(r"'(?:[^'\\\n]|\\.)'", "' '", source)
    masked = re.sub(STRING, lambda m: "\"" + " " * (len(m[0]) - 2) + "\"",
                    source)
    for match in re.finditer(rf"{STRING}(?:\s*{STRING})*", source):
        pieces = re.findall(r'"((?:[^"\\\n]|\\.)*)"', match[0])
        text = re.sub(r"\\(.)", r"\1", "".join(pieces).replace(r"\n", "\n"))
        heads = re.findall(r"^(\w+) \(", masked[:match.start()], re.M)
        yield text, callee(masked, match.start()), heads[-1] if heads else ""


def words(text):
    """Normalised: no mark-up, single blanks, lower case."""
    return " ".join(text.replace("`", "").replace("\\|", "|").split()).lower()


def longest_piece(text):
    """What of a format stays the same in every message."""
    text = text.removeprefix("vod-resume: ")
    return max((words(p).strip(MARKS) for p in CONVERSION.split(text)),
               key=len)


def posted_texts(source_dir, patterns):
    """(text -> file of everything that looks like a message, all literals)"""
    texts, everything = {}, []
    for path in sorted(p for pattern in patterns
                       for p in glob.glob(f"{source_dir}/{pattern}")):
        with open(path, encoding="utf-8") as f:
            source = without_comments(f.read())
        source = re.sub(r"^#\s*include.*$", "", source, flags=re.M)
        source = re.sub(r"GOptionEntry \w+\[\] = \{.*?\};", "", source,
                        flags=re.M | re.S)
        name = path.rsplit("/", 1)[1]
        for text, given_to, function in literals(source):
            everything.append(text)
            if name in LOGS or f"{name}:{function}" in LOGS:
                continue
            piece = longest_piece(text)
            if re.search(r"\w[,;:.]? \w", text) and len(piece) >= 10 and \
                    not NOT_MESSAGES.search(given_to):
                texts[text] = path
    return texts, everything


def rows(page):
    """The messages of the page's tables."""
    for part in page.split("\n| message |")[1:]:
        for line in part.splitlines()[2:]:
            if not line.startswith("| "):
                break
            yield re.split(r"(?<!\\)\|", line)[1]


def compare(source_dir, name, patterns):
    """(texts, problems, literals) of a page."""
    with open(f"{source_dir}/{name}", encoding="utf-8") as f:
        page = f.read()
    posted, everything = posted_texts(source_dir, patterns)
    known = words(page)
    problems = [f"{path}: not in {name}: {text!r}"
                for text, path in posted.items()
                if text not in NOT_POSTED and longest_piece(text) not in known]
    return len(posted), problems + stale(page, name, everything), everything


def stale(page, name, everything):
    """Problems: texts of the page's tables that nothing says any more."""
    source = " ".join(words(p) for t in everything for p in
                      CONVERSION.split(t))
    pieces = [words(piece).strip(MARKS) for row in rows(page)
              for piece in re.split("…|`, `", row)]
    return [f"{name}: nothing says {piece!r} any more" for piece in pieces
            if len(piece) >= 12 and piece not in source and
            piece not in OF_OTHERS]


def main():
    total, problems, everything = 0, [], []
    for name, patterns in PAGES.items():
        count, wrong, found = compare(sys.argv[1], name, patterns)
        total += count
        problems += wrong
        everything += found
    with open(f"{sys.argv[1]}/README.md", encoding="utf-8") as f:
        problems += stale(f.read(), "README.md", everything)
    problems += [f"NOT_POSTED: is not in the sources any more: {text!r}"
                 for text in NOT_POSTED if text not in everything]
    for problem in problems:
        print(problem)
    print(f"{total} texts compared, {len(problems)} differences")
    return 1 if problems or total < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
