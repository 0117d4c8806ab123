# SPDX-License-Identifier: MIT
"""All documents of measured figures, of one commit: what the laboratory has no figure of is measured here after it.

  docs/results.md, docs/targets.md, docs/allocators.svg   the laboratory's report and real programs
  docs/programs.md                                        real programs
  docs/tradeoffs.md                                       the switches
  docs/guard.md                                           the builds with a guard, and some real programs under them
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.commands import update_guard, update_tradeoffs
from bench.engine import grid
from bench.programs import entrants, measurement, tables, update_docs
from bench.programs.measurement import Plan
from tools.measure import paired, progress
from tools.measure.program import BenchError

Row = dict[str, Any]

LAB_MINUTES = 20
"""What the laboratory may take of the whole. All programs under five allocators take some 45 on two processors, the rest 8."""

GUARD_PROGRAMS = ("python", "lua", "sqlite", "perl")
"""Short ones that make many blocks, and that guard full does not end."""

ROUNDS = paired.ROUNDS_MIN


def programs(seed: int) -> Row:
    """The outcome of all real programs beside all peers."""
    return tables.outcome_object(
        measurement.execute(Plan(list(measurement.WORKLOADS), list(entrants.PEERS), ROUNDS, seed))
    )


def _guard_programs(seed: int) -> Row:
    return tables.outcome_object(measurement.execute(Plan(GUARD_PROGRAMS, list(entrants.GUARDS), ROUNDS, seed)))


def is_whole(outcome: Row) -> bool:
    """Whether docs/programs.md can be made of it."""
    return bool(outcome["rounds"]) and {one["program"] for one in outcome["programs"]} == set(measurement.WORKLOADS)


def of_programs(outcome: Row) -> dict[str, str]:
    """Name below docs/ -> text: of an outcome that was kept."""
    return {"programs.md": update_docs.page(outcome)} if is_whole(outcome) else {}


def _pages(seed: int) -> dict[str, Callable[[], str]]:
    return {
        "tradeoffs.md": lambda: update_tradeoffs.page(ROUNDS, seed),
        "guard.md": lambda: update_guard.page(ROUNDS, seed, _guard_programs(seed)),
    }


def beside_the_laboratory(seed: int) -> dict[str, str]:
    """Name below docs/ -> text: what is measured for it alone."""
    grid.prepare()
    found = {}
    for name, page in _pages(seed).items():
        began = time.monotonic()
        found[name] = page()
        progress.say(f"docs/{name} took {(time.monotonic() - began) / 60:.1f} minutes")
    return found


def _cells(text: str, first: str) -> list[str]:
    """The cells of the table's row that begins with `first`; none where there is no such row."""
    found = re.search(rf"^\| {re.escape(first)} *\|(.*)\|$", text, re.MULTILINE)
    return [cell.strip() for cell in found[1].split("|")] if found else []


def in_readme(readme: str, written: Mapping[str, str]) -> str:
    """README with those figures of `written` that it repeats, which //tests/docs:figures_test compares."""
    rows = {}
    for first in ("time, geometric mean", "peak memory, geometric mean"):
        if cells := _cells(written.get("results.md", ""), first):
            rows[f"{first} of the ratios"] = ["", *cells]
    goal = _cells(written.get("targets.md", ""), "instructions of malloc and free, 8 to 64 bytes, loop included")
    if len(goal) == 4 and goal[3]:
        others = (one.split(" ")[1] for one in goal[3].split(", "))
        rows["instructions of a malloc and a free, loop included"] = [goal[1], *others]
    for first, cells in rows.items():
        line = f"| {first} |" + "".join(f" {cell} |" if cell else " |" for cell in cells)
        readme = re.sub(rf"^\| {re.escape(first)} *\|.*\|$", line, readme, flags=re.MULTILINE)
    time = written.get("programs.md", "").partition("\n## Time\n")[2]
    means = dict(zip(_cells(time, "program"), _cells(time, "geometric mean")))
    if {"by glibc", "by mimalloc"} <= means.keys():
        said = f"is {means['by glibc']} of glibc's and {means['by mimalloc']} of mimalloc's"
        readme = re.sub(r"is [0-9.]+ of glibc's and [0-9.]+ of mimalloc's", said, readme)
    return readme


def require_same_tree(before: Any, after: Any) -> None:
    """A BenchError where the sources changed while they were measured: the documents would be of two commits."""
    if before != after:
        raise BenchError("the sources changed while they were measured: no document is written")
