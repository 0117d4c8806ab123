# SPDX-License-Identifier: MIT
"""All libraries in one drawing, for a page that shows files: time against memory, each by hakmem's.

It is an SVG that stands by itself and has colours for paper and for the dark.
"""

from __future__ import annotations

import html
import math
from typing import Any

from bench.lab import contenders, views
from tools.measure import paired

Row = dict[str, Any]

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 20, 52

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1a1a1a; } .faint { fill: #666; } .grid { stroke: #ddd; } .one { stroke: #999; }
.own { fill: #0072b2; } .other { fill: #d55e00; }
@media (prefers-color-scheme: dark) { text { fill: #e4e4e4; } .faint { fill: #a0a0a0; } .grid { stroke: #3a3d42; }
.one { stroke: #777; } .own { fill: #56b4e9; } .other { fill: #ff9248; } }
"""

_MARKS = (0.25, 0.33, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0, 6.0, 8.0)


def places(report: Row) -> dict[str, tuple[float, float]]:
    """Library -> geometric means of its time and of its peak by hakmem's, over the workloads of both."""
    times, most = views.all_by_all(report), views.peaks(report)
    found = {contenders.HAKMEM: (1.0, 1.0)}
    for name, of in times.items():
        peaks = [
            peak / most[workload, contenders.HAKMEM]
            for (workload, library), peak in most.items()
            if library == name and (workload, contenders.HAKMEM) in most
        ]
        if contenders.HAKMEM in of and peaks:
            found[name] = (of[contenders.HAKMEM], paired.geometric_mean(peaks))
    return found


def _scale(values: list[float], start: float, end: float) -> tuple[list[tuple[float, float]], Any]:
    """Marks with their places, and the function that gives a value its place."""
    low, high = min(0.9, *values) / 1.1, max(1.1, *values) * 1.1

    def place(value: float) -> float:
        return round(start + (math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) * (end - start), 1)

    return [(mark, place(mark)) for mark in _MARKS if low <= mark <= high], place


def draw(report: Row) -> str:
    """The file's text."""
    found = places(report)
    across, x_of = _scale([time for time, _ in found.values()], _LEFT, _WIDTH - _RIGHT)
    up, y_of = _scale([memory for _, memory in found.values()], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="time against memory of all libraries"><style>{_STYLE}</style>'
    ]
    for mark, x in across:
        kind = "one" if mark == 1 else "grid"
        parts.append(f'<path class="{kind}" d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        parts.append(f'<text class="faint" x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{mark:g}</text>')
    for mark, y in up:
        kind = "one" if mark == 1 else "grid"
        parts.append(f'<path class="{kind}" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="faint" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{mark:g}</text>')
    for name, (time, memory) in found.items():
        kind = "own" if name.startswith(contenders.HAKMEM) else "other"
        x, y = x_of(time), y_of(memory)
        side, anchor = (-9, "end") if x > _WIDTH / 2 else (9, "start")
        parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="5"/>')
        parts.append(f'<text x="{x + side}" y="{y - 6}" text-anchor="{anchor}">{html.escape(name)}</text>')
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">time by hakmem’s, left is faster</text>'
    )
    parts.append(
        f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">peak memory by hakmem’s</text></svg>'
    )
    return "\n".join(parts) + "\n"
