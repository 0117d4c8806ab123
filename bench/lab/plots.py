# SPDX-License-Identifier: MIT
"""The report's drawings, as SVG that stands in a page by itself: no font, file or address outside of it is needed."""

from __future__ import annotations

import io
import math
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

_VERDICT_COLOURS = {"faster": _BLUE, "slower": _RED, "equivalent": _GREEN, "undecided": _GREY, "incomplete": _GREY}

_HEAT_MARKS = {"faster": "", "slower": " −", "equivalent": " =", "undecided": " ?", "incomplete": " .."}

# Ratios beyond these are drawn at the end of the scale of the heat map.
_HEAT_LIMIT = 2.0

_MIB = 1024 * 1024

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
        figure.savefig(text, format="svg", bbox_inches="tight", metadata=metadata)
    _pyplot().close(figure)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # Families are numbered anew in each drawing; a page wants each id once.
    return re.sub(rf'id="((?:{_FAMILIES})[^"]*)"', rf'id="{name}-\1"', drawing)


def _spread(ratio: float) -> float:
    """Where a ratio stands in the heat map: 0 at its end for fast, 1 at that for slow."""
    return (min(1.0, max(-1.0, math.log(ratio) / math.log(_HEAT_LIMIT))) + 1) / 2


def heat_map(report: Row) -> str:
    """Workloads by peers; blue is faster, orange slower."""
    rows = views.against_peers(report)
    names, cells = views.peers(report), views.by_workload(rows, lambda row: str(row["other"]))
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(2.2 + 0.9 * len(names), 0.8 + 0.26 * len(cells)))
    colours = pyplot.get_cmap("PuOr_r")
    for y, (workload, of) in enumerate(cells.items()):
        for x, name in enumerate(names):
            row = of.get(name)
            if row is None:
                continue
            place = _spread(row["ratio"])
            axes.add_patch(pyplot.Rectangle((x, y), 1, 1, color=colours(place), linewidth=0))
            mark = _HEAT_MARKS[row["verdict"]]
            shade = "white" if abs(place - 0.5) > 0.35 else "black"
            text = f"{row['ratio']:.2f}{mark}"
            axes.text(x + 0.5, y + 0.55, text, ha="center", va="center", color=shade, fontsize=8)
    axes.set_xlim(0, len(names))
    axes.set_ylim(len(cells), 0)
    axes.set_xticks([x + 0.5 for x in range(len(names))], names)
    axes.set_yticks([y + 0.5 for y in range(len(cells))], list(cells))
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _svg(figure, "heat")


def _forest(axes: Axes, rows: Sequence[Row], labels: Sequence[str], thresholds: Sequence[float | None]) -> None:
    """Ratios with intervals, one below the other, on a logarithmic scale; grey is the noise threshold."""
    for y, (row, threshold) in enumerate(zip(rows, thresholds)):
        if threshold is not None:
            axes.barh(y, 1 + threshold - 1 / (1 + threshold), left=1 / (1 + threshold), height=0.8, color="#e4e4e4")
        colour = _VERDICT_COLOURS[row["verdict"]]
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.6)
        axes.plot(row["ratio"], y, "o", color=colour, markersize=4)
    axes.axvline(1, color="black", linewidth=0.8)
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
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)


def ratios(report: Row, peer: str) -> str:
    """hakmem's time by a peer's, a line a workload."""
    rows = [row for row in views.against_peers(report) if row["other"] == peer]
    thresholds = views.thresholds(report, contenders.LIBRARIES)
    figure, axes = _pyplot().subplots(figsize=(6.4, 0.9 + 0.22 * len(rows)))
    _forest(axes, rows, [row["workload"] for row in rows], [thresholds.get(row["workload"]) for row in rows])
    axes.set_xlabel(f"hakmem's time by {peer}'s")
    return _svg(figure, f"ratio-{peer}")


def effects(report: Row, family: str, workload: str) -> str:
    """Main effects and interactions of the switches."""
    rows = [row for row in report["effects"] if row["family"] == family and row["workload"] == workload]
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
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure, f"ladder-{family}")


def memory(report: Row) -> str:
    """Resident bytes over a run, a panel a workload; black is what the program holds."""
    names = list(dict.fromkeys(row["workload"] for row in report["memory"]))
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    pyplot = _pyplot()
    figure, panels = pyplot.subplots(lines, columns, figsize=(3.4 * columns, 2.3 * lines), squeeze=False)
    who = list(dict.fromkeys(row["contender"] for row in report["memory"]))
    colours = dict(zip(who, _LINES * 9))
    for number, panel in enumerate(panels.flat):
        if number >= len(names):
            panel.set_visible(False)
            continue
        for row in report["memory"]:
            if row["workload"] == names[number]:
                ms = [sample["ms"] for sample in row["samples"]]
                end = max(ms, default=0) or 1
                share = [100 * value / end for value in ms]
                resident = [sample["rss_bytes"] / _MIB for sample in row["samples"]]
                panel.plot(share, resident, color=colours[row["contender"]], linewidth=1.2)
                if row["contender"] == contenders.HAKMEM:
                    live = [sample["live_bytes"] / _MIB for sample in row["samples"]]
                    panel.plot(share, live, color="black", linewidth=1, linestyle=":")
        panel.set_title(names[number], fontsize=9)
        panel.set_ylim(bottom=0)
        panel.tick_params(labelsize=7)
    handles = [pyplot.Line2D([], [], color=colours[name], label=name) for name in who]
    handles.append(pyplot.Line2D([], [], color="black", linestyle=":", label="live"))
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), fontsize=8, frameon=False)
    figure.supylabel("resident MiB", fontsize=9)
    figure.supxlabel("% of the run", fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / (2.3 * lines)))
    return _svg(figure, "memory")
