# SPDX-License-Identifier: MIT
"""Resident memory over time, a small plot a service, all allocators in each: docs/services.svg.

It is an SVG that stands by itself and has colours for paper and for the dark.
"""

from __future__ import annotations

import html
from typing import Any

from bench.services import tables
from tools.measure.table import MIB

Row = dict[str, Any]

_COLUMNS = 3
_WIDTH, _HEIGHT = 300, 190
"""Of a plot with its title and numbers."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 26
_LEGEND = 34

_COLOURS = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#ff9248"),
    ("#007a55", "#3ddbb0"),
    ("#a04a80", "#e59cc9"),
    ("#666", "#aaa"),
)
"""On paper, in the dark: hakmem's first, and then those of its peers in their order, told apart by the colour-blind too."""

_STYLE = """text { font: 12px system-ui, sans-serif; fill: #1a1a1a; } .faint { fill: #666; } .axis { stroke: #bbb; fill: none; }
.idle { fill: #eee; } .line { fill: none; stroke-width: 1.3; } .c0 { stroke-width: 2.4; }"""
_DARK = "text { fill: #e4e4e4; } .faint { fill: #a0a0a0; } .axis { stroke: #555; } .idle { fill: #26292e; }"


def _style(count: int) -> str:
    used = [_COLOURS[number % len(_COLOURS)] for number in range(count)]
    light = "".join(f" .c{number} {{ stroke: {paper}; }}" for number, (paper, _) in enumerate(used))
    dark = "".join(f" .c{number} {{ stroke: {night}; }}" for number, (_, night) in enumerate(used))
    return f"{_STYLE}{light}\n@media (prefers-color-scheme: dark) {{ {_DARK}{dark} }}"


def rounded(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, .. that is not smaller: the end of an axis."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if factor * step >= value:
                return factor * step
        step *= 10


def _plot(service: Row, names: list[str], left: float, top: float) -> list[str]:
    """One service; its plot's corner is at `left` and `top`."""
    rows = [row for row in service["contenders"] if row["line"]]
    end = max((row["line"][-1][0] for row in rows), default=0) or 1
    most = rounded(max((row["peak_bytes"] for row in rows), default=MIB) / MIB)
    x0, x1, y0, y1 = left + _LEFT, left + _WIDTH - _RIGHT, top + _HEIGHT - _BOTTOM, top + _TOP

    def place(when: float, size: float) -> str:
        return f"{x0 + when / end * (x1 - x0):.1f} {y0 - min(1, size / MIB / most) * (y0 - y1):.1f}"

    idle = [row["idle_from"] for row in rows if row["idle_from"] is not None]
    parts = [f'<text x="{x0}" y="{top + 18}">{html.escape(service["service"])}</text>']
    if idle:
        from_x = x0 + min(1, min(idle) / end) * (x1 - x0)
        parts.append(f'<rect class="idle" x="{from_x:.1f}" y="{y1}" width="{x1 - from_x:.1f}" height="{y0 - y1}"/>')
    parts.append(f'<path class="axis" d="M{x0} {y1}V{y0}H{x1}"/>')
    parts.append(f'<text class="faint" x="{x0 - 6}" y="{y1 + 5}" text-anchor="end">{most:,.0f}</text>')
    parts.append(f'<text class="faint" x="{x0 - 6}" y="{y0 + 4}" text-anchor="end">0</text>')
    parts.append(f'<text class="faint" x="{x1}" y="{y0 + 16}" text-anchor="end">{end:.0f} s</text>')
    # hakmem's line comes last, above the others.
    for row in reversed(rows):
        points = "L".join(place(when, size) for when, size in row["line"])
        parts.append(f'<path class="line c{names.index(row["name"])}" d="M{points}"/>')
    return parts


def draw(whole: Row) -> str:
    """The file's text."""
    names, services = tables.names(whole), whole["services"]
    lines = -(-len(services) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH, _LEGEND + lines * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="resident memory over time of all services under each allocator"><style>{_style(len(names))}</style>'
    ]
    for number, name in enumerate(names):
        x = 16 + number * 110
        parts.append(f'<path class="line c{number}" d="M{x} 18h24"/>')
        parts.append(f'<text x="{x + 30}" y="22">{html.escape(name)}</text>')
    parts.append(
        f'<text class="faint" x="{width - 12}" y="22" text-anchor="end">MiB over seconds; grey: idle, from the first on</text>'
    )
    for number, service in enumerate(services):
        parts += _plot(service, names, number % _COLUMNS * _WIDTH, _LEGEND + number // _COLUMNS * _HEIGHT)
    return "\n".join([*parts, "</svg>"]) + "\n"
