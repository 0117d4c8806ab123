# SPDX-License-Identifier: MIT
"""Exact counts of a worker's instructions, branches and data references, by valgrind's callgrind.

No counter of the processor is needed.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.engine import worker
from tools.measure import process
from tools.measure.contender import Contender
from tools.measure.program import BenchError

# The function of runner.c that holds all that the clock covers.
_COUNTED = "measured_part"

_Read = TypeVar("_Read")


def tool(name: str) -> str:
    """The path of the program `name`; a BenchError where it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise BenchError(f"{name} is not installed: tools/setup --tests installs it")
    return path


@dataclass(frozen=True)
class Counts:
    """What the processor is asked to do, by valgrind's count: of a run, or on the average of an operation."""

    instructions: float
    branches: float
    """Conditional and indirect ones."""
    data_references: float
    """Reads and writes."""


# callgrind's event -> the field of Counts that it belongs to.
_EVENTS = {
    "Ir": "instructions",
    "Bc": "branches",
    "Bi": "branches",
    "Dr": "data_references",
    "Dw": "data_references",
}


def parse_events(text: str) -> dict[str, int]:
    """Event -> how often, over all that callgrind's output file holds; a ValueError where there are none."""
    events = re.search(r"^events: (.+)$", text, re.MULTILINE)
    totals = re.search(r"^totals: (.+)$", text, re.MULTILINE)
    if events is None or totals is None:
        raise ValueError("no totals")
    names, counts = events[1].split(), [int(count) for count in totals[1].split()]
    return dict(zip(names, counts + [0] * (len(names) - len(counts))))  # callgrind leaves out zeros at the end


def parse_totals(text: str) -> Counts:
    """The counts that callgrind's output file holds; a ValueError where there are none."""
    sums = dict.fromkeys(_EVENTS.values(), 0)
    for event, count in parse_events(text).items():
        if event in _EVENTS:
            sums[_EVENTS[event]] += count
    if sums["instructions"] == 0:
        raise ValueError("no instructions")
    return Counts(**sums)


def parse_costs(lines: Iterable[str]) -> Counter[tuple[str, str]]:
    """(file, function) -> instructions of the function itself in callgrind's output, whose names and lines are written
    out; the file is the program or the library that holds it, "" where callgrind names none."""
    found: Counter[tuple[str, str]] = Counter()
    file, function, is_of_a_call = "", "", False
    for line in lines:
        if line.startswith("ob="):
            file = line[len("ob=") :].strip()
        elif line.startswith("fn="):
            function = line[len("fn=") :].strip()
        elif line.startswith("calls="):
            is_of_a_call = True  # the next line is what the called function took
        elif line[:1].isdigit():
            if not is_of_a_call:
                found[file, function] += int(line.split()[1])
            is_of_a_call = False
    if not found:
        raise ValueError("no functions")
    return found


def parse_functions(text: str) -> dict[str, int]:
    """Instructions of each function itself, wherever it lies; otherwise as parse_costs."""
    found: Counter[str] = Counter()
    for (_, function), count in parse_costs(text.splitlines()).items():
        found[function] += count
    return dict(found)


def _count(contender: Contender, arguments: Sequence[str], read: Callable[[str], _Read]) -> _Read:
    """What `read` finds in callgrind's output of one run of the contender in _COUNTED, warm-up included."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        process.start(
            [
                tool("valgrind"),
                "--tool=callgrind",
                f"--callgrind-out-file={out}",
                "--compress-strings=no",
                "--compress-pos=no",
                "--cache-sim=yes",
                "--branch-sim=yes",
                "--collect-atstart=no",
                f"--toggle-collect={_COUNTED}",
                str(contender.worker),
                *arguments,
            ],
            worker.environment(contender, [contender], 0),
        )
        try:
            return read(out.read_text())
        except ValueError as error:
            raise BenchError(f"callgrind counted nothing in {_COUNTED} of {contender.worker}") from error


def _once_and_twice(
    contender: Contender, workload: str, operations: int, seed: int, read: Callable[[str], _Read]
) -> list[_Read]:
    return [
        _count(contender, [*worker.arguments(workload, count, 1, seed), f"--warm-up={operations}"], read)
        for count in (operations, 2 * operations)
    ]


def by_function(contender: Contender, workload: str, operations: int, seed: int) -> dict[str, float]:
    """Instructions of an operation in each function itself, most first; counted as by per_operation."""
    once, twice = _once_and_twice(contender, workload, operations, seed, parse_functions)
    found = {name: (count - once.get(name, 0)) / operations for name, count in twice.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def per_operation(contender: Contender, workload: str, operations: int, seed: int) -> Counts:
    """The counts of an operation, the loop's own included.

    The difference of a run of 2 * `operations` and one of `operations`, by `operations`: what the start of a run
    and the first touch of memory cost cancels, what refills and other rare paths cost is in, spread over all.
    """
    once, twice = _once_and_twice(contender, workload, operations, seed, parse_totals)
    return Counts(
        *((after - before) / operations for before, after in zip(dataclasses.astuple(once), dataclasses.astuple(twice)))
    )
