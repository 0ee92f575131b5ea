# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bar chart as SVG: CPU and wall time of each client, curl -T being 1."""

import html

ROW = 26
LEFT = 190
WIDTH = 560


def bars(rows, key, x, title, unit):
    """@rows: (name, value); the longest bar fills the width."""
    largest = max(value for _, value in rows)
    out = ['<text x="%d" y="24" class="t">%s</text>' % (x, title)]
    for i, (name, value) in enumerate(rows):
        y = 40 + i * ROW
        length = max(value / largest * (WIDTH / 2 - 80), 1)
        kind = "ours" if name.startswith("vodsink") else "theirs"
        out.append('<rect x="%d" y="%d" width="%.1f" height="%d" class="%s"/>'
                   % (x, y, length, ROW - 8, kind))
        out.append('<text x="%.1f" y="%d">%.2f%s</text>' % (
            x + length + 6, y + 13, value, unit))
    return out


def draw(results, path):
    table = results["cases"].get("transfer")
    if not table:
        return
    names = list(table)
    height = 60 + len(names) * ROW
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'font-family="sans-serif" font-size="12">' % (
               LEFT + WIDTH, height),
           "<style>.ours{fill:#0a6ebd}.theirs{fill:#9aa5b1}"
           ".t{font-weight:bold}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, name in enumerate(names):
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (
            LEFT - 10, 53 + i * ROW, html.escape(name)))
    out += bars([(n, table[n]["cpu per GiB"]) for n in names], "cpu", LEFT,
                "CPU seconds a GiB", "")
    out += bars([(n, table[n]["wall x"]) for n in names], "wall",
                LEFT + WIDTH // 2, "wall time, curl -T = 1", "")
    out.append("</svg>")
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")
