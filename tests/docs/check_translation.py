#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/README.zh-CN.md has the commands, links, tables and sections of README,
in the same order; only comments in commands, and the text, are in Chinese.

usage: check_translation.py SOURCE_DIR
"""
import os
import re
import sys

ENGLISH, CHINESE = "README.md", "docs/README.zh-CN.md"


def code_blocks(text):
    """Without comments and blank ends of lines."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
    return [(kind, [line for line in
                    (re.sub(r"(^|\s+)#.*$", "", line).strip()
                     for line in body.splitlines()) if line])
            for _, kind, body in blocks]


def links(text, page):
    """Where they lead, seen from the root; not those to the translation."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            link = "#"
        elif not re.match(r"https?:", link):
            link = os.path.normpath(os.path.join(os.path.dirname(page), link))
        if link not in (ENGLISH, CHINESE):
            found.append(link)
    return found


def rows(text):
    """The code in each row of a table, whatever its order in a sentence."""
    return [sorted(re.findall(r"`([^`]+)`", line))
            for line in text.splitlines() if line.startswith("| ")]


def settings(text):
    """Name and default of each setting."""
    return re.findall(r"^\| `([a-z-]+)` \| (\S+) \|", text, re.M)


def items(text):
    """Numbered and starred lists, by their marks; headings by their level."""
    return re.findall(r"^(?:\d+\.|\*|#+)(?= )", text, re.M)


def main():
    texts = {}
    for page in (ENGLISH, CHINESE):
        with open(os.path.join(sys.argv[1], page), encoding="utf-8") as f:
            texts[page] = f.read()
    more = texts[ENGLISH].split("\n## More\n", 1)[1]
    for link in links(more, ENGLISH):
        if link not in links(texts[CHINESE], CHINESE):
            print(f"to be added to {CHINESE}, in the same place: {link}")
    compared, differences = 0, 0
    for what, of in {
            "command": lambda t, _: code_blocks(t),
            "link": links,
            "row": lambda t, _: rows(t),
            "setting": lambda t, _: settings(t),
            "item": lambda t, _: items(re.sub(r"^ *```.*?^ *```$", "", t,
                                              flags=re.M | re.S)),
    }.items():
        english = of(texts[ENGLISH], ENGLISH)
        chinese = of(texts[CHINESE], CHINESE)
        compared += len(english)
        for i in range(max(len(english), len(chinese))):
            a = english[i] if i < len(english) else None
            b = chinese[i] if i < len(chinese) else None
            if a != b:
                differences += 1
                print(f"{what} {i + 1}: {a} here, {b} in {CHINESE}")
                break
    if CHINESE not in texts[ENGLISH] or "../README.md" not in texts[CHINESE]:
        differences += 1
        print("one does not lead to the other")
    print(f"{compared} things compared, {differences} differences")
    return 1 if differences or compared < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
