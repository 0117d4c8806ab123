# SPDX-License-Identifier: MIT
"""//bench/programs:costs: where a real program's time goes under each allocator, in counts and not in seconds.

Each program runs four times under each allocator: once to see that the allocator answers; as it is, for its page
faults; by strace, for its system calls; by callgrind, for its instructions, those in the file of the allocator, and
the misses of a model of the processor's caches. Whoever is slower with as many instructions and page faults waits for
memory.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine import system_calls, valgrind
from bench.programs import command_line, entrants, programs
from bench.programs.measurement import WORKLOADS
from bench.programs.workloads import allocator, runner
from bench.programs.workloads.errors import FAILURES, CheckError, reason
from bench.programs.workloads.runner import Run, Runner
from bench.programs.workloads.session import LIMIT_SECONDS
from bench.programs.workloads.workload import Workload
from tools.measure import arguments, conditions, files, program, progress, table
from tools.measure.contender import Contender
from tools.measure.program import BenchError

NAME = "costs"

Row = dict[str, Any]

# Built from child_counts.c, and laid beside this file.
_CHILD_COUNTS = Path(__file__).parent / "libchild_counts.so"

# Callgrind makes a program some fifty times slower.
_LIMIT_SECONDS = 20 * LIMIT_SECONDS

# Of each allocator's own functions, those with the most instructions.
_SHOWN = 10

# Of Cost.figures, as a table says it.
_FIGURES = {
    "instructions": "instructions",
    "allocator_instructions": "of them in the allocator",
    "first_level_misses": "misses of the first cache",
    "last_level_misses": "misses of the last cache",
    "page_faults": "page faults",
    "system_calls": "system calls",
}

CAPTION = (
    "Page faults are the kernel's count, without those that read a file; system calls strace's; all else is callgrind's: "
    "instructions, and misses in its model of this processor's first and last cache, both for data only. In the "
    "allocator: in functions of its own file; for glibc that is the whole C library. Counts depend on the clock where "
    "memory goes back by age."
)


@dataclass(frozen=True)
class Cost:
    """What one program did under one allocator, all of its processes together."""

    contender: Contender
    page_faults: int
    calls: Counter[str]
    """System call -> how often."""
    events: Counter[str]
    """Of callgrind, by its names."""
    functions: Counter[tuple[str, str]]
    """(file, function) -> instructions."""

    def of_allocator(self) -> Counter[str]:
        """Its functions -> instructions."""
        own = self.contender.file().resolve()
        return Counter({name: count for (file, name), count in self.functions.items() if Path(file).resolve() == own})

    def figures(self) -> dict[str, int]:
        return {
            "instructions": self.events["Ir"],
            "allocator_instructions": self.of_allocator().total(),
            "first_level_misses": self.events["D1mr"] + self.events["D1mw"],
            "last_level_misses": self.events["DLmr"] + self.events["DLmw"],
            "page_faults": self.page_faults,
            "system_calls": self.calls.total(),
        }


def _open_folder(path: Path) -> Path:
    """One that every user may write to: servers give their work to others."""
    path.mkdir()
    path.chmod(0o1777)
    return path


def _before(script: str) -> list[str]:
    """A shell's script as what stands before a command, which is "$@" to it."""
    return ["/bin/sh", "-c", script, "sh"]


def _callgrind(folder: Path, child_counts: Path) -> list[str]:
    """What has to stand before a command; each of its processes leaves a file in the folder."""
    options = [
        "--tool=callgrind",
        "--trace-children=yes",
        f"--callgrind-out-file={folder}/%p.callgrind",
        f"--log-file={folder}/%p.log",
        "--compress-strings=no",
        "--compress-pos=no",
        "--cache-sim=yes",
    ]
    counted = " ".join([valgrind.tool("valgrind"), *options])
    return _before(f'export LD_PRELOAD="$LD_PRELOAD:{child_counts}"; exec {counted} "$@"')


def _read_callgrind(folder: Path) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Events, and instructions by file and function, of all processes that left a file."""
    events: Counter[str] = Counter()
    functions: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("*.callgrind")):
        text = path.read_text(encoding="utf-8", errors="replace")
        events.update(valgrind.parse_events(text))
        functions.update(valgrind.parse_costs(text.splitlines()))
    if not events["Ir"]:
        raise CheckError("callgrind counted nothing")
    return events, functions


def _strace(folder: Path) -> list[str]:
    """What has to stand before a command; it leaves a file in the folder, whose name is the shell's process id."""
    counted = " ".join(system_calls.command(folder / "$$"))
    return _before(f'exec {counted} "$@"')


def _read_strace(folder: Path) -> Counter[str]:
    """System calls of all commands that left a file."""
    calls: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        calls.update(system_calls.parse(path.read_text(encoding="utf-8")))
    return calls


class Counting:
    """Counts what one program does. Every run has to give out the same."""

    def __init__(self, workload: Workload, tools: allocator.Tools, folder: Path, seed: int) -> None:
        self._scratch = allocator.public_folder(folder)
        self._child_counts = allocator.publish(_CHILD_COUNTS, self._scratch)
        self._runner = Runner(workload, tools, folder / "runs", seed, _LIMIT_SECONDS)
        self._folders = 0
        self._reference: Run | None = None

    def _folder(self) -> Path:
        self._folders += 1
        return _open_folder(self._scratch / f"counts{self._folders}")

    def _run(self, contender: Contender, prefix: Sequence[str] = (), watched: bool = False) -> Run:
        found = self._runner.run(contender, watched=watched, prefix=prefix)
        self._reference = self._reference or found
        runner.check(found, self._reference, contender)
        return found

    def cost(self, contender: Contender) -> Cost:
        self._run(contender, watched=True)
        plain = self._run(contender)
        traced, counted = self._folder(), self._folder()
        self._run(contender, _strace(traced))
        self._run(contender, _callgrind(counted, self._child_counts))
        return Cost(contender, plain.usage.page_faults, _read_strace(traced), *_read_callgrind(counted))


def _cost(counting: Counting, name: str, contender: Contender) -> Cost:
    try:
        return counting.cost(contender)
    except FAILURES as error:
        raise BenchError(reason(name, contender.name, error)) from error


def counted(names: Sequence[str], peers: Sequence[str], seed: int) -> dict[str, list[Cost]]:
    """Program -> its cost under hakmem and each peer; a BenchError where a program fails under one."""
    conditions.randomise_layout()
    found: dict[str, list[Cost]] = {}
    try:
        with runner.scratch_folder() as scratch:
            public = allocator.public_folder(scratch / "public")
            contenders = entrants.contenders(peers, {}, public)
            tools = allocator.tools(public)
            counting = {name: Counting(WORKLOADS[name], tools, scratch / name, seed) for name in names}
            turns = [(name, contender) for name in names for contender in contenders]
            for name, contender in progress.shown(f"{NAME}: counts", turns):
                found.setdefault(name, []).append(_cost(counting[name], name, contender))
    except CheckError as error:
        raise BenchError(str(error)) from error
    return found


def as_object(found: dict[str, list[Cost]], seed: int) -> Row:
    """What --json writes."""
    return {
        "benchmark": NAME,
        "seed": seed,
        "programs": {
            name: [
                {
                    "contender": cost.contender.name,
                    "version": cost.contender.version,
                    **cost.figures(),
                    "calls": dict(cost.calls.most_common()),
                    "functions": dict(cost.of_allocator().most_common()),
                }
                for cost in costs
            ]
            for name, costs in found.items()
        },
    }


def grids(found: Row) -> list[table.Grid]:
    """For each program a table of all figures, and one of each allocator's functions."""
    made = []
    for program_name, costs in found["programs"].items():
        names = [cost["contender"] for cost in costs]
        figures = [[text, *(f"{cost[key]:,}" for cost in costs)] for key, text in _FIGURES.items()]
        made.append(table.Grid(program_name, ["", *names], figures, words=1))
        for cost in costs:
            functions = [[name, f"{count:,}"] for name, count in list(cost["functions"].items())[:_SHOWN]]
            title = f"{program_name}: functions of {cost['contender']}"
            made.append(table.Grid(title, ["function", "instructions"], functions, words=1))
    return made


def _parser() -> argparse.ArgumentParser:
    parser = arguments.bare_parser(
        NAME,
        "Where a real program's time goes under each allocator: instructions, cache misses, page faults, calls.",
        command_line.EPILOG,
    )
    parser.add_argument(
        "--programs",
        type=command_line.choice("program", tuple(WORKLOADS)),
        required=True,
        metavar="A,B",
        help=f"what to run, some minutes for each allocator: {','.join(WORKLOADS)}",
    )
    command_line.add_peers_and_file(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")
    arguments.add_seed(parser, "of the workloads' random numbers")
    return parser


def main() -> None:
    """Parses the command line, counts and prints."""
    parser = _parser()
    parsed = parser.parse_args()
    command_line.refuse_misuse(parser, parsed.programs, parsed.peers)
    if parsed.json:
        files.require_writable(arguments.caller_path(parsed.json))
    whole = as_object(counted(parsed.programs, parsed.peers, parsed.seed), parsed.seed)
    with files.written_first(lambda: programs.keep(parsed, whole)):
        if parsed.format == "json":
            table.print_json(whole, sys.stdout)
        else:
            table.print_grids(f"{NAME}: seed {parsed.seed}", grids(whole), CAPTION, sys.stdout)


if __name__ == "__main__":
    program.run(NAME, main)
