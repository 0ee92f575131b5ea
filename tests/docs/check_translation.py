#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each page in Chinese has the commands, links, tables and sections of the English
one, in the same order; only comments in commands, and the text, are in Chinese.

usage: check_translation.py SOURCE_DIR
"""
import os
import re
import sys

ENGLISH, CHINESE = "README.md", "docs/README.zh-CN.md"
PAGES = [
    (ENGLISH, CHINESE),
    ("docs/migrating-from-vod-wx-sdk.md",
     "docs/migrating-from-vod-wx-sdk.zh-CN.md"),
]
IN_ENGLISH = {chinese: english for english, chinese in PAGES}


def code_blocks(text):
    """Without comments and blank ends of lines."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
    return [(kind, [line for line in
                    (re.sub(r"(^|\s+)(#.*|/\*.*\*/)$", "", line).strip()
                     for line in body.splitlines()) if line])
            for _, kind, body in blocks]


def links(text, page):
    """Where they lead, seen from the root and in English; not those between a page
    and its translation."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            link = "#"
        elif not re.match(r"https?:", link):
            link = os.path.normpath(os.path.join(os.path.dirname(page), link))
            link = IN_ENGLISH.get(link, link)
        if link != IN_ENGLISH.get(page, page):
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


def missing(english, chinese):
    """Links of README's "More" that the translation lacks: what to add."""
    more = english.split("\n## More\n", 1)[1]
    there = links(chinese, CHINESE)
    return [link for link in links(more, ENGLISH) if link not in there]


def compare(english_page, chinese_page, texts):
    """(things compared, differences)"""
    english_text, chinese_text = texts
    compared, differences = 0, 0
    for what, of in {
            "command": lambda t, _: code_blocks(t),
            "link": links,
            "row": lambda t, _: rows(t),
            "setting": lambda t, _: settings(t),
            "item": lambda t, _: items(re.sub(r"^ *```.*?^ *```$", "", t,
                                              flags=re.M | re.S)),
    }.items():
        english = of(english_text, english_page)
        chinese = of(chinese_text, chinese_page)
        compared += len(english)
        for i in range(max(len(english), len(chinese))):
            a = english[i] if i < len(english) else None
            b = chinese[i] if i < len(chinese) else None
            if a != b:
                differences += 1
                print(f"{what} {i + 1}: {a} in {english_page}, "
                      f"{b} in {chinese_page}")
                break
    for page, text, other in ((english_page, english_text, chinese_page),
                              (chinese_page, chinese_text, english_page)):
        way = os.path.relpath(other, os.path.dirname(page))
        if f"]({way})" not in text:
            differences += 1
            print(f"{page} does not lead to {other}")
    return compared, differences


def main():
    texts = {}
    for page in (p for pair in PAGES for p in pair):
        with open(os.path.join(sys.argv[1], page), encoding="utf-8") as f:
            texts[page] = f.read()
    for link in missing(texts[ENGLISH], texts[CHINESE]):
        print(f"to be added to {CHINESE}, in the same place: {link}")
    failed = False
    for pair in PAGES:
        compared, differences = compare(*pair, [texts[page] for page in pair])
        print(f"{pair[1]}: {compared} things compared, "
              f"{differences} differences")
        failed |= differences > 0 or compared < 40
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
