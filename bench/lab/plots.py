# SPDX-License-Identifier: MIT
"""The report's drawings, as SVG that stands in a page by itself: no font, file or address outside of it is needed."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.lab import contenders, views

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]

# Okabe and Ito's colours, which people with any colour vision tell apart ("Color universal design", 2008).
_BLUE, _ORANGE, _GREEN, _RED, _SKY, _PINK, _GREY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#777777",
)  # fmt: skip
_LINES = (_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED, _GREY)

# The noise threshold and the grid, on white paper and in the dark.
_SHADE = "#88888855"

_VERDICT_COLOURS = {"faster": _BLUE, "slower": _RED, "equivalent": _GREEN, "undecided": _GREY, "incomplete": _GREY}

# What matplotlib calls the families of a drawing; only definitions, whose ids are others, are referred to.
_FAMILIES = "figure|axes|patch|text|line2d|matplotlib|xtick|ytick|legend|QuadMesh|Line|Path|image"


def _pyplot() -> Any:
    """matplotlib, loaded when something is drawn, and told to draw nothing that varies from run to run."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    return pyplot


def _svg(figure: Figure, name: str) -> str:
    """The drawing as an element of a page; `name` keeps its marks apart from those of the page's other drawings."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        # Without these there is no block of metadata, whose addresses nobody could follow from the page.
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", bbox_inches="tight", metadata=metadata, transparent=True)
    _pyplot().close(figure)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # Families are numbered anew in each drawing; a page wants each id once.
    return re.sub(rf'id="((?:{_FAMILIES})[^"]*)"', rf'id="{name}-\1"', drawing)


def _forest(axes: Axes, rows: Sequence[Row], labels: Sequence[str], thresholds: Sequence[float | None]) -> None:
    """Ratios with intervals, one below the other, on a logarithmic scale; grey is the noise threshold."""
    for y, (row, threshold) in enumerate(zip(rows, thresholds)):
        if threshold is not None:
            axes.barh(y, 1 + threshold - 1 / (1 + threshold), left=1 / (1 + threshold), height=0.8, color=_SHADE)
        colour = _VERDICT_COLOURS[row["verdict"]]
        # What is not decided is pale.
        strength = 0.45 if colour == _GREY else 1.0
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.6, alpha=strength)
        axes.plot(row["ratio"], y, "o", color=colour, markersize=4, alpha=strength)
    axes.axvline(1, color=_GREY, linewidth=0.8)
    axes.set_xscale("log")
    ends = [row[key] for row in rows for key in ("low", "ratio", "high") if row[key] is not None] or [1.0]
    low, high = min(0.8, *ends), max(1.25, *ends)
    axes.set_xlim(low / 1.05, high * 1.05)
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 4 else (0.5, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", color=_SHADE, alpha=0.5)
    axes.set_axisbelow(True)


def ratios(report: Row, peer: str) -> str:
    """Times by those of the other, a line a workload."""
    rows = [row for row in views.against_peers(report) if views.peer(report, row) == peer]
    thresholds = views.thresholds(report, contenders.LIBRARIES)
    figure, axes = _pyplot().subplots(figsize=(6.4, 0.9 + 0.22 * len(rows)))
    _forest(axes, rows, [row["workload"] for row in rows], [thresholds.get(row["workload"]) for row in rows])
    one, other = (peer, views.subject(report)) if report["baseline"] else (views.subject(report), peer)
    axes.set_xlabel(f"{one}'s time by {other}'s")
    return _svg(figure, f"ratio-{peer}")


def effects(report: Row, family: str, workload: str) -> str:
    """Main effects and interactions of the switches; nothing where not all combinations ran."""
    rows = [row for row in report["effects"] if row["family"] == family and row["workload"] == workload]
    if not rows:
        return ""
    figure, axes = _pyplot().subplots(figsize=(6.4, 0.9 + 0.22 * len(rows)))
    threshold = views.thresholds(report, family).get(workload)
    _forest(axes, rows, [views.effect_name(row) for row in rows], [threshold] * len(rows))
    axes.set_xlabel("time with the switch by time without it, over all sixteen combinations")
    return _svg(figure, f"effects-{family}-{workload}")


def ladder(report: Row, family: str) -> str:
    """The steps of the ladder, a line a workload: time by the first step's."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(6.4, 3.2))
    for colour, workload in zip(_LINES * 9, views.workloads(report, family)):
        steps = views.ladder(report, family, workload)
        if steps:
            first = steps[0]["time"]["ns_per_op"]
            places = range(len(steps))
            times = [step["time"]["ns_per_op"] / first for step in steps]
            axes.plot(places, times, "o-", color=colour, label=f"{workload}: {first:.1f} ns at first", markersize=4)
    axes.set_xticks(range(len(contenders.STEPS)), contenders.STEPS)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("time by that without switches")
    axes.grid(axis="y", color=_SHADE, alpha=0.5)
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure, f"ladder-{family}")
