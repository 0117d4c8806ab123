# SPDX-License-Identifier: MIT
"""//tests/misuse:update_docs: writes docs/misuse.md of the workspace, what becomes of each wrong call under each allocator.

The text is misuse.md.j2; every word of the table is measured here, one process a case, pool and thread. It ends with
status 2 and writes nothing where an allocator is not installed.
"""

from __future__ import annotations

import argparse
import collections
import glob
import os
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import jinja2
from rich.console import Console
from rich.progress import track

from tests.misuse import outcome
from tests.misuse.outcome import Case, Outcome, Run, Unjudgeable

OUTPUT = Path("docs/misuse.md")
TEMPLATE = Path(__file__).with_name("misuse.md.j2")
ROOT = Path(__file__).parents[2]
PRELOAD = ROOT / "hakmem/preload"
PROGRAM = ROOT / "tests/misuse/cases/cases"
SECONDS_MAX = 60.0
"""The longest that a case takes anywhere is some hundredths."""

OWN = {"hakmem": "libhakmem.so", "guard": "libhakmem-guard.so", "guard full": "libhakmem-guard-full.so"}
# Patterns: the number of mimalloc's library is 2 or 3, by the release of Debian.
PEERS = {"mimalloc": "libmimalloc.so.[23]", "jemalloc": "libjemalloc.so.2", "tcmalloc": "libtcmalloc_minimal.so.4"}
FOLDER = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"
"""Debian keeps libraries of other processors, 32-bit ones say, beside it."""

KINDS = {
    "free": "Freed",
    "realloc": "Reallocated",
    "malloc_usable_size": "Asked for its usable size",
    "exact": "Freed with a wrong size or alignment",
    "full": "Memory that is not the program's",
}
"""The sections of the table, and the heading of each."""


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


def allocators() -> dict[str, Optional[Path]]:
    """By name, in the order of the columns. None: the C library's own."""
    found: dict[str, Optional[Path]] = {name: PRELOAD / file for name, file in OWN.items()}
    found["glibc"] = None
    for name, file in PEERS.items():
        paths = sorted(glob.glob(f"{FOLDER}/{file}"))
        if not paths:
            raise Refusal(f"{name}: {FOLDER}/{file} is not installed; tools/setup --tests does that")
        found[name] = Path(paths[0])
    return found


@dataclass(frozen=True)
class Row:
    case: str
    cells: tuple[str, ...]


def section_of(case: Case) -> str:
    return case.arguments[0] if case.kind == "call" else case.kind


def cell(outcomes: list[Outcome]) -> str:
    """One outcome where all agree, else how often each, in the order of Outcome."""
    counts = collections.Counter(outcomes)
    if len(counts) == 1:
        return next(iter(counts)).value
    return ", ".join(f"{one.value} {counts[one]}" for one in Outcome if counts[one])


def measure(runs: list[Run], libraries: dict[str, Optional[Path]], console: Console) -> dict[tuple[str, Run], Outcome]:
    jobs = [(name, run) for run in runs for name in libraries]

    def one(job: tuple[str, Run]) -> Outcome:
        name, run = job
        return outcome.run(run, PROGRAM, libraries[name], seconds_max=SECONDS_MAX).outcome

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = track(pool.map(one, jobs), description="wrong calls", total=len(jobs), console=console)
        return dict(zip(jobs, results))


def sections(cases: list[Case], names: list[str], found: dict[tuple[str, Run], Outcome]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for case in cases:
        runs = outcome.runs_of([case])
        text = case.arguments[-1].replace("_", " ")
        cells = tuple(cell([found[name, run] for run in runs]) for name in names)
        rows[section_of(case)].append(Row(text, cells))
    return rows


def totals(cases: list[Case], names: list[str], found: dict[tuple[str, Run], Outcome]) -> list[Row]:
    """Of each outcome, its share of all invalid frees and their like: everything but the accesses."""
    runs = outcome.runs_of(case for case in cases if case.kind != "full")
    counts = {name: collections.Counter(found[name, run] for run in runs) for name in names}
    return [
        Row(one.value, tuple(f"{100 * counts[name][one] / len(runs):.0f} %" for name in names))
        for one in Outcome
        if any(counts[name][one] for name in names)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="update_docs", description=__doc__, allow_abbrev=False)
    parser.parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    console = Console(stderr=True)
    try:
        if workspace is None:
            raise Refusal("start it with bazel run: it writes into the workspace")
        libraries = allocators()
        names = list(libraries)
        cases = outcome.cases_of(PROGRAM)
        found = measure(outcome.runs_of(cases), libraries, console)
    except (Refusal, Unjudgeable) as refusal:
        print(f"update_docs: {refusal}", file=sys.stderr)
        return 2
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        names=names,
        kinds=KINDS,
        sections=sections(cases, names, found),
        totals=totals(cases, names, found),
        sizes=outcome.POOL_SIZES,
        processes=len(found) // len(names),
    )
    (Path(workspace) / OUTPUT).write_text(text, encoding="utf-8")
    console.print(f"wrote {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
