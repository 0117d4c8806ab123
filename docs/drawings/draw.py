# SPDX-License-Identifier: MIT
"""Makes the drawings of docs/design.md from what they show: the table of layers, the transitions in slab.h, the golden
of the hot path.

    bazel run //docs/drawings:draw            writes docs/drawings/*.svg

Each function draws one picture; drawings_test holds the files against them. A transition without a place, a layer
without a row or a missing figure is an error, so that no picture says less than its source."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from docs.drawings.canvas import Canvas, lines_of

LAYERS = "hakmem/README.md"
SLAB = "hakmem/slab/slab.h"
GOLDEN = "bench/golden/hot_path.json"

_ROW = re.compile(r"^\| ((?:`[\w/]+/`[ ,]*)+)\|(.*)\|$")
_TRANSITION = re.compile(r"^ \* +((?:[A-Z]+ or )*[A-Z]+) +-> ([A-Z]+) +(.*)$", re.MULTILINE)
_PLAIN = re.compile(r"`|\]\([^)]*\)|\[")


def _tables(text: str) -> list[list[tuple[str, str]]]:
    """The tables of folders, each a list of names and of what is said of them."""
    tables: list[list[tuple[str, str]]] = []
    inside = False
    for line in text.splitlines():
        found = _ROW.match(line)
        if found is not None:
            if not inside:
                tables.append([])
            names = " ".join(name.strip("/") for name in re.findall(r"`([^`]+)`", found[1]))
            tables[-1].append((names, _PLAIN.sub("", found[2]).strip()))
        inside = line.startswith("|") and (found is not None or inside)
    return tables


def layers(root: Path) -> str:
    tables = _tables((root / LAYERS).read_text(encoding="utf-8"))
    if not tables or len(tables[0]) < 8:
        raise ValueError(f"{LAYERS} has no table of folders")
    width, name_width = 900, 150
    canvas = Canvas("The folders of hakmem/, in the order of a call", width)
    y = 20.0
    for number, table in enumerate(tables):
        if number:
            canvas.text(60, y + 22, "Beside them:", bold=True)
            y += 34
        top = y
        for names, meaning in table:
            room = width - 60 - name_width - 40
            height = 17 * max(lines_of(meaning, room), lines_of(names, name_width - 10)) + 12
            canvas.box(60, y, name_width, height, names)
            canvas.text(60 + name_width + 14, y + 20, meaning, wrap=room)
            y += height + 6
        if not number:
            canvas.arrow((30, top), (30, y - 6))
    canvas.text(60, y + 20, "A folder includes only folders below it.")
    return canvas.svg(y + 40)


_PLACES = {"EMPTY": (60, 90), "OWNED": (620, 90), "FULL": (620, 420), "PARTIAL": (60, 420)}
_BOX = (130, 50)
_FILLS = {"EMPTY": "#ffffff", "OWNED": "#dcecd9", "FULL": "#f6e0dc", "PARTIAL": "#f8f0d2"}

# Where the arrow of a transition begins and ends, and where its text stands and how wide.
_ARROWS: dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float], tuple[float, float, float]]] = {
    ("EMPTY", "OWNED"): ((190, 105), (620, 105), (330, 95, 280)),
    ("OWNED", "FULL"): ((700, 140), (700, 420), (710, 250, 170)),
    ("FULL", "PARTIAL"): ((620, 455), (190, 455), (270, 475, 280)),
    ("PARTIAL", "OWNED"): ((190, 430), (620, 135), (490, 268, 190)),
    ("PARTIAL", "EMPTY"): ((110, 420), (110, 140), (120, 250, 170)),
    ("FULL", "EMPTY"): ((620, 430), (190, 135), (0, 0, 0)),
}


def slab(root: Path) -> str:
    transitions = _TRANSITION.findall((root / SLAB).read_text(encoding="utf-8"))
    if len(transitions) < 5:
        raise ValueError(f"{SLAB} does not list the transitions of a slab")
    canvas = Canvas("The life of a slab", 900)
    canvas.text(60, 30, "The life of a slab", bold=True)
    canvas.text(60, 50, "Each transition is one atomic operation on the slab's control word.")
    for state, (left, top) in _PLACES.items():
        canvas.box(left, top, *_BOX, state, _FILLS[state])
    for sources, target, cause in transitions:
        for source in sources.split(" or "):
            begin, end, (x, y, wrap) = _ARROWS[source, target]
            canvas.arrow(begin, end, dashed=(source, target) == ("FULL", "EMPTY"))
            if wrap:
                words = cause if sources == source else f"{sources}: {cause}"
                canvas.text(x, y, words, wrap=wrap)
    notes = (
        "OWNED: one thread takes and frees blocks without atomic operations; others set bits of remote frees, then count.",
        "FULL: nobody owns it, less than an eighth of the blocks is free. PARTIAL: listed, any thread may claim it.",
        "EMPTY: by the count alone, so no thread still has an access pending when its chunks are used again.",
    )
    for number, note in enumerate(notes):
        canvas.text(60, 540 + 20 * number, note)
    return canvas.svg(600)


def _cost(golden: dict[str, dict[str, int]], call: str) -> str:
    one = golden[call]
    branches = "1 branch" if one["conditional_branches"] == 1 else f"{one['conditional_branches']} branches"
    return f"{call}: {one['instructions']} instructions, {branches}"


def malloc_free(root: Path) -> str:
    golden = json.loads((root / GOLDEN).read_text(encoding="utf-8"))["combinations"]["p0+p1+p2+p3"]
    canvas = Canvas("One malloc, one free", 900)
    columns = (
        (
            30,
            "malloc",
            ("size, clamped to 1,025", "class = table[size]", "block = the pointer below the loaded top"),
            "is block NULL?",
            ("lower the top", "return block"),
            "larger than tiny, magazine empty, thread or process not begun: swap the two magazines, or take a full one "
            "from the stash, or refill from an owned slab, or claim a slab, or make one",
        ),
        (
            470,
            "free",
            ("pointer p", "class = map[p >> 16 & mask]", "top of the returned magazine of that class"),
            "is it full?",
            ("store p at the top", "raise the top"),
            "NULL, huge, sampled, foreign, thread not begun, or really full: put the magazine into the stash, or the "
            "blocks into their slabs; or report the pointer",
        ),
    )
    for x, call, steps, question, ends, slow in columns:
        canvas.text(x, 30, _cost(golden, call), bold=True)
        y = 50.0
        for step in (*steps, question):
            canvas.box(x, y, 180, 46, step, "#f8f0d2" if step == question else "#dcecd9")
            canvas.arrow((x + 90, y + 46), (x + 90, y + 70))
            y += 70
        canvas.text(x + 96, y - 8, "no")
        for number, end in enumerate(ends):
            canvas.box(x, y, 180, 40, end, "#dcecd9")
            if number + 1 < len(ends):
                canvas.arrow((x + 90, y + 40), (x + 90, y + 62))
            y += 62
        canvas.arrow((x + 180, 283), (x + 216, 283))
        canvas.text(x + 184, 276, "yes")
        canvas.box(x + 216, 190, 184, 190, slow, "#f6e0dc")
        canvas.text(x + 308, 400, "slow path: an exchange,", "middle")
        canvas.text(x + 308, 417, "counted here only", "middle")
    return canvas.svg(470)


DRAWINGS: dict[str, Callable[[Path], str]] = {"layers": layers, "slab": slab, "malloc-free": malloc_free}


def main() -> None:
    root = Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    for name, drawing in DRAWINGS.items():
        (root / "docs/drawings" / f"{name}.svg").write_text(drawing(root), encoding="utf-8")


if __name__ == "__main__":
    main()
