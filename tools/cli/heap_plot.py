# SPDX-License-Identifier: MIT
"""The heap over time as one SVG file that needs nothing else: live bytes, stacked by the paths that had most at the peak.

Texts have the size of the page's, however wide it is: only the areas are stretched. A browser's dark mode makes it dark.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

from tools.cli import show
from tools.cli.trace_paths import CallPath, Paths
from tools.cli.untrusted import printable

_TOP, _HEIGHT, _ROW = 66, 280, 38
"""Pixels: above the areas, of them, and of a line of the legend."""

_LINES = 4
"""Of the grid, above zero."""

_CALLERS = 3
_NAME_WIDTH = 60

_STYLE = """
svg { background: #fff; font: 13px system-ui, sans-serif; }
text { fill: #1b1b1b; }
.muted { fill: #5a5a5a; font-size: 12px; }
.title { font-size: 15px; font-weight: 600; }
line { stroke: #8888; stroke-width: 1; }
.peak { stroke: #c0392b; stroke-dasharray: 4 3; }
.c0 { fill: #3b7dd8; } .c1 { fill: #e08e2b; } .c2 { fill: #3f9e6b; } .c3 { fill: #b65fb0; } .c4 { fill: #c65a4b; }
.c5 { fill: #4aa5b5; } .c6 { fill: #98973a; } .c7 { fill: #7a6fc9; } .rest { fill: #9a9a9a; }
@media (prefers-color-scheme: dark) {
    svg { background: #16181c; }
    text { fill: #e8e8e8; }
    .muted { fill: #a8adb5; }
    .peak { stroke: #ff7b6b; }
}
"""


def _rounded_up(count: int) -> int:
    """The next of 1, 2, 4 or 8 times a power of 16 that is no smaller, times the lines of the grid: their texts are whole."""
    step = 1
    while step * _LINES < count:
        step *= 2
    return step * _LINES


def _areas(paths: Paths, most: int) -> Iterator[str]:
    """Each on the one before; the path with most at the peak is lowest."""
    points = paths.points
    width = max(1, paths.events)
    below = [0] * len(points)
    for course in range(len(paths.courses) + 1):
        above = [low + point.of[course] for low, point in zip(below, points)]
        edge = [f"{point.event},{most - high}" for point, high in zip(points, above)]
        back = [f"{point.event},{most - low}" for point, low in reversed(list(zip(points, below)))]
        name = f"c{course}" if course < len(paths.courses) else "rest"
        ends = [f"0,{most - above[0]}", *edge, f"{width},{most - above[-1]}", f"{width},{most - below[-1]}", *back]
        yield f'<polygon class="{name}" points="{" ".join([*ends, f"0,{most - below[0]}"])}"/>'
        below = above


def _grid(paths: Paths, most: int) -> Iterator[str]:
    for line in range(_LINES + 1):
        y = _TOP + _HEIGHT - _HEIGHT * line // _LINES
        yield f'<line x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        if line:
            yield f'<text class="muted" x="4" y="{y - 4}">{show.size(most * line // _LINES)}</text>'
    for quarter, anchor in ((0, "start"), (1, "middle"), (2, "middle"), (3, "middle"), (4, "end")):
        event = paths.events * quarter // 4
        when = f"{show.short(event)}" if event else "event 0"
        place = f'x="{25 * quarter}%" text-anchor="{anchor}"'
        yield f'<text class="muted" {place} y="{_TOP + _HEIGHT + 16}">{when}</text>'
        yield f'<text class="muted" {place} y="{_TOP + _HEIGHT + 32}">{paths.seconds_at(event):.2f} s</text>'


def _peak(paths: Paths) -> str:
    share = 100 * paths.peak_event / max(1, paths.events)
    return f'<line class="peak" x1="{share:.2f}%" x2="{share:.2f}%" y1="{_TOP}" y2="{_TOP + _HEIGHT}"/>'


def _entry(name: str, row: int, size: str, path: CallPath | None) -> str:
    y = _TOP + _HEIGHT + 58 + row * _ROW
    text, callers, hint = "all other paths", "", ""
    if path:
        text = show.function(path.frames[0].name, _NAME_WIDTH)
        callers = " < ".join(show.function(frame.name, _NAME_WIDTH // 2) for frame in path.frames[1 : 1 + _CALLERS])
        hint = "\n".join(f"{frame.name} {frame.where}" for frame in path.frames)
    return (
        f'<g><title>{html.escape(hint)}</title><rect class="{name}" x="4" y="{y - 11}" width="12" height="12"/>'
        f'<text x="22" y="{y}">{html.escape(f"{size}  {text}")}</text>'
        f'<text class="muted" x="22" y="{y + 16}">{html.escape(callers and f"called by {callers}")}</text></g>'
    )


def _legend(paths: Paths) -> Iterator[str]:
    shown = paths.named(paths.courses)
    for row, path in enumerate(shown):
        yield _entry(f"c{row}", row, show.size(path.counts.peak_bytes), path)
    rest = paths.peak_bytes - sum(path.counts.peak_bytes for path in shown)
    if rest:
        yield _entry("rest", len(shown), show.size(rest), None)


def svg(paths: Paths) -> str:
    """The file's text."""
    most = _rounded_up(max(paths.peak_bytes, 1))
    name = printable(Path(paths.program).name)
    legend = list(_legend(paths))
    height = _TOP + _HEIGHT + 58 + _ROW * len(legend)
    peak = f"peak {show.size(paths.peak_bytes)} in {show.counted(paths.peak_blocks, 'block')}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="{height}" role="img">',
        f"<title>{html.escape(f'{name}: {peak}')}</title><style>{_STYLE}</style>",
        f'<text class="title" x="4" y="22">{html.escape(f"{name}: live bytes by path")}</text>',
        f'<text class="muted" x="4" y="42">{html.escape(f"{peak}; below: what each path had then")}</text>',
        f'<svg x="0" y="{_TOP}" width="100%" height="{_HEIGHT}" viewBox="0 0 {max(1, paths.events)} {most}" '
        'preserveAspectRatio="none">',
        *(_areas(paths, most) if paths.points else ()),
        "</svg>",
        *_grid(paths, most),
        _peak(paths),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
