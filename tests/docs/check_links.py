#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every relative link of every page leads somewhere: the file is there, and so
is the heading that it names; and every page of docs/ is linked from README, in
English or in Chinese.

usage: check_links.py SOURCE_DIR
"""
import glob
import os
import re
import sys
import urllib.parse

FENCE = re.compile(r"^[ ]*```.*?^[ ]*```[ ]*$", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")


def read(path):
    with open(path, encoding="utf-8") as f:
        return FENCE.sub("", f.read())


def anchor(heading):
    """As GitHub and GitLab make it of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip())
    text = text.replace("`", "").lower()
    text = "".join(c for c in text if c.isalnum() or c in " -_")
    return text.replace(" ", "-")


def anchors(path):
    seen, result = {}, set()
    for heading in re.findall(r"^#{1,6} (.*)$", read(path), re.M):
        name = anchor(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.add(f"{name}-{count}" if count else name)
    return result


def check(page, root):
    """(links followed, problems, pages that are linked)"""
    problems, linked, count = [], set(), 0
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", read(page))):
        if link.startswith(OUTSIDE):
            continue
        count += 1
        path, _, name = urllib.parse.unquote(link).partition("#")
        target = os.path.normpath(
            os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(target):
            problems.append(f"{page}: no such file: {link}")
        elif os.path.relpath(target, root).startswith(".."):
            problems.append(f"{page}: leads out of the repository: {link}")
        elif name and name not in anchors(target):
            problems.append(f"{page}: no such heading: {link}")
        linked.add(target)
    return count, problems, linked


def main():
    root = os.path.abspath(sys.argv[1])
    pages = [os.path.join(root, "README.md")]
    pages += sorted(glob.glob(f"{root}/docs/**/*.md", recursive=True))
    for folder in ("examples", "tests"):
        pages += sorted(glob.glob(f"{root}/{folder}/**/*.md", recursive=True))
    pages = [p for p in pages if "node_modules" not in p]
    readmes = (pages[0], f"{root}/docs/README.zh-CN.md")
    total, problems, led_to = 0, [], set()
    for page in pages:
        count, wrong, linked = check(page, root)
        total += count
        problems += wrong
        if page in readmes:
            led_to |= linked
    problems += [f"README does not lead to {p}" for p in pages
                 if p.startswith(f"{root}/docs/") and p not in led_to]
    for problem in problems:
        print(problem)
    print(f"{total} links of {len(pages)} pages followed, "
          f"{len(problems)} problems")
    return 1 if problems or total < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
