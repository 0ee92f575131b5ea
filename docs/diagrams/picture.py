# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boxes, arrows and sequences as SVG that is readable in light and in dark.

Coordinates are pixels; text is 13 px high. Nothing here knows what is drawn.
"""
from xml.sax.saxutils import escape

STYLE = """
  text { font: 13px sans-serif; fill: #1f2328; }
  .small { font-size: 11.5px; fill: #57606a; }
  .label { font-size: 11.5px; fill: #57606a; stroke: #ffffff;
    stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
  .title { font-weight: bold; }
  .box { fill: #eef4fb; stroke: #3b6ea5; }
  .good { fill: #e9f6ec; stroke: #2f8f46; }
  .bad { fill: #fdeeee; stroke: #c0392b; }
  .room { fill: none; stroke: #8c959f; stroke-dasharray: 5 4; }
  .line { fill: none; stroke: #3d444d; stroke-width: 1.3; }
  .soft { stroke-dasharray: 4 4; }
  .life { stroke: #8c959f; stroke-dasharray: 2 4; }
  .head { fill: #3d444d; }
  .paper { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9aa4ae; }
    .label { fill: #9aa4ae; stroke: #0d1117; }
    .box { fill: #16263a; stroke: #6ea3dc; }
    .good { fill: #12291a; stroke: #56c271; }
    .bad { fill: #331718; stroke: #f08379; }
    .line { stroke: #c4ccd4; }
    .head { fill: #c4ccd4; }
    .paper { fill: #0d1117; }
  }
"""
LINE = 17


class Picture:
    def __init__(self, width, height, title):
        self.size = (width, height)
        self.title = title
        self.parts = []

    def add(self, text):
        self.parts.append(text)

    def text(self, x, y, text, kind="", anchor="middle"):
        style = f' class="{kind}"' if kind else ""
        self.add(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style}>'
                 f"{escape(text)}</text>")

    def lines(self, x, y, text, kind="", anchor="middle"):
        """Lines of text, the middle of them at y."""
        rows = text.split("\n")
        top = y - (len(rows) - 1) * LINE / 2 + 4.5
        for i, row in enumerate(rows):
            style = kind
            if row.startswith("*"):
                row, style = row[1:], f"{kind} title".strip()
            elif row.startswith("-"):
                row, style = row[1:], f"{kind} small".strip()
            self.text(x, top + i * LINE, row, style, anchor)

    def box(self, x, y, width, height, text, kind="box"):
        """A box around (x, y)."""
        self.add(f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" '
                 f'width="{width}" height="{height}" rx="6" '
                 f'class="{kind}"/>')
        self.lines(x, y, text)

    def room(self, left, top, width, height, name):
        self.add(f'<rect x="{left}" y="{top}" width="{width}" '
                 f'height="{height}" rx="8" class="room"/>')
        self.text(left + 10, top + 18, name, "small", "start")

    def arrow(self, points, label="", at=None, soft=False, anchor="middle"):
        """A line through the points with a head at its end."""
        path = " ".join(f"{x},{y}" for x, y in points)
        self.add(f'<polyline points="{path}" class="line'
                 f'{" soft" if soft else ""}"/>')
        self.head(points[-2], points[-1])
        if label:
            if at is None:
                (x1, y1), (x2, y2) = points[:2]
                at = ((x1 + x2) / 2, (y1 + y2) / 2 - 10)
            self.lines(at[0], at[1], label, "label", anchor)

    def head(self, before, tip):
        (x1, y1), (x2, y2) = before, tip
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        dx, dy = (x2 - x1) / length * 8, (y2 - y1) / length * 8
        corners = [(x2, y2), (x2 - dx + dy / 2, y2 - dy - dx / 2),
                   (x2 - dx - dy / 2, y2 - dy + dx / 2)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self.add(f'<polygon points="{path}" class="head"/>')

    def sequence(self, actors, steps, top=30, step=34):
        """Who says what to whom: actors are (name, x), steps are
        (from, to, text), (from, to, text, "back") or ("note", x, text)."""
        places = dict(actors)
        bottom = top + 34 + step * len(steps)
        for name, x in actors:
            self.add(f'<line x1="{x}" y1="{top}" x2="{x}" y2="{bottom}" '
                     'class="life"/>')
        for name, x in actors:
            self.box(x, top, 150, 30, f"*{name}")
        y = top + 50
        for entry in steps:
            if entry[0] == "note":
                self.lines(entry[1], y, entry[2], "label")
            else:
                x1, x2 = places[entry[0]], places[entry[1]]
                self.arrow([(x1, y), (x2, y)], soft="back" in entry[3:])
                self.text((x1 + x2) / 2, y - 6, entry[2], "label")
            y += step

    def svg(self):
        width, height = self.size
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                f'height="{height}" viewBox="0 0 {width} {height}" role="img">'
                f"\n<title>{escape(self.title)}</title>\n"
                f"<style>{STYLE}</style>\n"
                f'<rect width="{width}" height="{height}" class="paper"/>\n'
                f"{body}\n</svg>\n")
