# SPDX-License-Identifier: MIT
"""Small drawings, one a workload, that stand side by side and below each other as the window has room.

Lines have the classes c0, c1, .. by library; the page's style gives them colours, for paper and for the dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.lab import contenders, views

Row = dict[str, Any]
Point = tuple[float, float]

COLOURS = 8
"""Classes that the style knows; the ninth library has the first one's colour again."""

# Of the drawing, and of what it leaves free at its left, right, top and bottom, in the drawing's own unit.
_WIDTH, _HEIGHT = 240, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 6, 24

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Axis:
    """From the first value to the last, with marks at some."""

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    is_log: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one; what lies beyond is at the end."""
        low, high, here = self.low, self.high, max(value, self.low)
        if self.is_log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        share = (here - low) / (high - low)
        return min(1.0, max(0.0, share))


@dataclass(frozen=True)
class Line:
    """Points from left to right; `style` is its class."""

    style: str
    points: Sequence[Point]
    name: str


def _x(axis: Axis, value: float) -> float:
    return round(_LEFT + axis.place(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(_HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def draw(across: Axis, up: Axis, lines: Sequence[Line], title: str) -> str:
    """An element <svg>; `title` says what it shows, for those who do not see it."""
    parts = [f'<svg class="panel" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}">']
    for value, text in up.marks:
        y = _y(up, value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 4}" y="{y + 3}" text-anchor="end">{html.escape(text)}</text>')
    for value, text in across.marks:
        x = _x(across, value)
        parts.append(f'<path class="grid" d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
        # A word at the right edge would be cut by it.
        edge = x > _WIDTH - _RIGHT - 1 and len(text) > 4
        place = (
            f'x="{_WIDTH}" y="{_HEIGHT - 10}" text-anchor="end"'
            if edge
            else f'x="{x}" y="{_HEIGHT - 10}" text-anchor="middle"'
        )
        parts.append(f"<text {place}>{html.escape(text)}</text>")
    for line in lines:
        points = " ".join(f"{_x(across, x)},{_y(up, y)}" for x, y in line.points)
        parts.append(
            f'<polyline class="{line.style}" points="{points}"><title>{html.escape(line.name)}</title></polyline>'
        )
    return "".join([*parts, "</svg>"])


def styles(names: Sequence[str]) -> dict[str, str]:
    """Library -> class of its lines, the same in all drawings of a page."""
    return {name: f"c{place % COLOURS}" for place, name in enumerate(names)}


def ratio_axis(values: Sequence[float]) -> Axis:
    """A logarithmic one that holds all values and 1."""
    low, high = min(0.8, *values), max(1.25, *values)
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    if high / low < 3:
        steps = [0.5, 0.7, 0.8, 1, 1.25, 1.5, 2]
    return Axis(low, high, [(step, f"{step:g}") for step in steps if low <= step <= high], is_log=True)


def distributions(report: Row, style: dict[str, str]) -> dict[str, str]:
    """Workload -> what share of the rounds has at most such a ratio to the subject's time in the same round."""
    found = {}
    subject = views.subject(report)
    for workload, of in views.per_operation(report).items():
        if subject not in of:
            continue
        lines = []
        for name, times in of.items():
            if name != subject and len(times) == len(of[subject]):
                ratios = sorted(one / base for one, base in zip(times, of[subject]))
                steps = [(ratio, share / len(ratios)) for n, ratio in enumerate(ratios) for share in (n, n + 1)]
                lines.append(Line(style[name], steps, name))
        if lines:
            across = ratio_axis([x for line in lines for x, _ in line.points])
            up = Axis(0, 1, [(0, "0"), (0.5, "half"), (1, "all")])
            found[workload] = draw(across, up, lines, f"{workload}: distribution of the rounds' ratios")
    return found


def _decades(values: Sequence[float]) -> Axis:
    low = 10 ** math.floor(math.log10(max(1.0, min(values))))
    high = 10 ** math.ceil(math.log10(max(10 * low, *values)))
    marks = [(10.0**n, f"{10.0**n:g}") for n in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    return Axis(low, high, marks, is_log=True)


def tails(report: Row, style: dict[str, str], call: str) -> dict[str, str]:
    """Workload -> nanoseconds of single calls, from the median to the longest one."""
    names = views.quantiles(report)
    shown = ["longest" if name == "max_ns" else f"{100 - _rest(name):g} %" for name in names]
    across = Axis(0, max(1, len(names) - 1), list(enumerate(shown)))
    found: dict[str, list[Line]] = {}
    for row in report["latency"]:
        points = [(float(place), max(1.0, views.tail(row, call, name))) for place, name in enumerate(names)]
        found.setdefault(row["workload"], []).append(Line(style[row["contender"]], points, row["contender"]))
    return {
        workload: draw(
            across, _decades([y for line in lines for _, y in line.points]), lines, f"{workload}: tails of {call}, ns"
        )
        for workload, lines in found.items()
    }


def _rest(quantile: str) -> float:
    """What the quantile leaves above it, in per cent: of "p999_ns" 0.1."""
    digits = quantile.removeprefix("p").removesuffix("_ns")
    return 100 - float(f"{digits[:2]}.{digits[2:] or 0}")


def memory(report: Row, style: dict[str, str]) -> dict[str, str]:
    """Workload -> resident MiB over the run; what the program holds is a line of its own."""
    found: dict[str, list[Line]] = {}
    for row in report["memory"]:
        lines = found.setdefault(row["workload"], [])
        end = max((sample["ms"] for sample in row["samples"]), default=0) or 1
        for key, own, name in (
            ("rss_bytes", style[row["contender"]], row["contender"]),
            ("live_bytes", "live", "what the program holds"),
        ):
            if key == "rss_bytes" or row["contender"] == contenders.HAKMEM:
                points = [(100 * sample["ms"] / end, sample[key] / _MIB) for sample in row["samples"]]
                lines.append(Line(own, points, name))
    across = Axis(0, 100, [(0, "0"), (50, "half"), (100, "end")])
    return {
        workload: draw(across, _from_zero([y for line in lines for _, y in line.points]), lines, f"{workload}: MiB")
        for workload, lines in found.items()
    }


def _from_zero(values: Sequence[float]) -> Axis:
    """With two to five round marks."""
    most = max(values, default=0) or 1
    step = 10 ** math.floor(math.log10(most))
    step = next(size for size in (step / 5, step / 2, step, 2 * step, 5 * step) if most / size <= 5)
    return Axis(0, most * 1.03, [(n * step, f"{n * step:g}") for n in range(int(most / step) + 1)])
