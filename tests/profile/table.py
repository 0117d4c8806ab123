# SPDX-License-Identifier: MIT
"""bazel run //tests/profile:table: writes the table of planted leaks into docs/profile.md, hakmem beside other finders.

Every program and tool runs once; the leaks are known, so which of them a tool names is no matter of chance, but for hakmem's
default rate. Times are the processor's; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from pathlib import Path

from tests.profile import peers
from tests.profile.peers import Programs, Run
from tests.profile.shape_list import SHAPES, Shape
from tools.cli import show
from tools.measure import arguments, conditions

_LABEL = "//tests/profile:table"
_DOCUMENT = Path("docs/profile.md")
_BEGIN, _END = "<!-- planted leaks -->", "<!-- end of planted leaks -->"
_RATE = 524_288

ROUNDS = 1_000_000
"""Blocks that are allocated and freed besides."""


def measure(programs: Programs) -> tuple[Run, dict[str, Run]]:
    """glibc alone, and each tool."""
    runs = {}
    for name, run in [("", peers.plain), *peers.TOOLS.items()]:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{_LABEL}: {name or 'glibc'}", flush=True)
            runs[name] = run(programs, Path(folder))
    return runs.pop(""), runs


def _chance(shape: Shape) -> str:
    """That the default rate samples it at all."""
    chance = 1 - math.exp(-shape.least_bytes / _RATE)
    return "certain" if chance > 0.9999 else f"{100 * chance:.2g} %"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(base: Run, runs: dict[str, Run]) -> str:
    """The text between the marks."""
    lines = [
        f"Written by `bazel run {_LABEL}`; no figure is typed. One run each, {conditions.machine()}.",
        "A leak is named where a path of the tool's report has the function that leaks and, further out, the one that",
        "leads there. Chance: that the default rate samples it. LeakSanitizer reports only what nothing points to any more:",
        "the tree of `map_insert` is reached, and so is the last block that was lost. The program allocates and frees",
        f"{ROUNDS:,} blocks besides; memory is that of its process.",
        "",
        _row(["leak", "bytes", "chance", *runs]),
        "|---" * (3 + len(runs)) + "|",
    ]
    for shape in SHAPES:
        named = ["yes" if peers.is_named(shape, run.paths) else "no" for run in runs.values()]
        lines.append(_row([f"`{shape.function}`", show.number(shape.least_bytes), _chance(shape), *named]))
    named = [str(sum(peers.is_named(shape, run.paths) for shape in SHAPES)) for run in runs.values()]
    lines.append(_row([f"of {len(SHAPES)} named", "", "", *named]))
    times = [f"{run.cpu_seconds / base.cpu_seconds:.1f}" for run in runs.values()]
    lines.append(_row(["processor time by glibc's", "", "", *times]))
    peaks = [show.size(run.peak_bytes) for run in runs.values()]
    lines.append(_row([f"peak memory; glibc {show.size(base.peak_bytes)}", "", "", *peaks]))
    return "\n".join(lines) + "\n"


def replaced(document: str, text: str) -> str:
    """The document with that text between the marks."""
    found, count = re.subn(
        f"(?s)({_BEGIN}\n).*({_END}\n)", lambda marks: str(marks[1]) + text + str(marks[2]), document
    )
    if count != 1:
        raise ValueError(f"{_DOCUMENT} has no place for the table: {_BEGIN} and {_END}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog=_LABEL, description=__doc__, allow_abbrev=False)
    parser.add_argument("--print", action="store_true", help="print the table, write no document")
    parsed = parser.parse_args()
    folder = Path("tests/profile").resolve()
    programs = Programs(
        folder / "shapes",
        folder / "shapes_lsan",
        (str(folder / "libshape_plugin.so"), str(ROUNDS)),
        Path("hakmem/preload/libhakmem.so").resolve(),
    )
    text = table(*measure(programs))
    if parsed.print:
        print(text, end="")
        return
    document = arguments.workspace(_LABEL) / _DOCUMENT
    document.write_text(replaced(document.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(f"{document} written")


if __name__ == "__main__":
    main()
