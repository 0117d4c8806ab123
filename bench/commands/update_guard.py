# SPDX-License-Identifier: MIT
"""//bench:update_guard: writes docs/guard.md of the workspace, what guard exact and each feature of guard full cost.

The text is commands/guard.md.j2; every figure in it is measured here: the worker under the library with guard full, with one
feature at a time, in interleaved rounds with the same library and none. Times are the processor's, of the process: half of
what the features do is done by the system, and other programs of the machine have no part in it. --programs takes what
`bazel run //bench/programs -- --peers=guard,guard-full --json=FILE` wrote, and adds what real programs see of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Sequence

from bench.engine import document, grid, worker
from bench.engine.grid import Samples
from bench.programs import outcome_file
from tools.measure import arguments, conditions, paired, program
from tools.measure.contender import Contender
from tools.measure.program import BenchError

NAME = "update_guard"
OUTPUT = Path("docs/guard.md")
_TEMPLATE = Path(__file__).with_name("guard.md.j2")

FEATURES = ("zero", "check", "canary", "quarantine", "random", "pages", "zero_size", "metadata")

GUARDS = {"guard": "exact", "guard-full": "full"}
"""The builds as //bench/programs names them, and their titles."""

WORKLOADS = {
    "pair": 1_000_000,
    "replacement": 1_000_000,
    "replacement_1m": 500_000,
    "sizes_server": 200_000,
    "sizes_compiler": 204_800,
    "realloc_growth": 20_000,
    "calloc": 100_000,
    "larson": 60_000,
    "json": 4_000,
    "mir": 1_000,
    "large_churn": 50,
    "mixed": 2_000,
}
"""Operations of a run of each: some 10 ms."""


# Library and features, HAKMEM_GUARD, of each contender. None: the variable is not set.
OFF, EXACT, NONE, ALL = "guard off", "guard exact", "none", "all"
_FULL = "libhakmem-guard-full.so"
BUILDS: dict[str, tuple[str, str | None]] = {
    OFF: ("libhakmem.so", None),
    EXACT: ("libhakmem-guard.so", None),
    **{name: (_FULL, name) for name in (NONE, *FEATURES, ALL)},
}


def contenders() -> list[Contender]:
    """The builds without guard and with guard exact; guard full without features, with each alone, and with all."""
    return [
        replace(
            worker.preloaded(name, worker.library(library)),
            options=() if features is None else (("HAKMEM_GUARD", features),),
        )
        for name, (library, features) in BUILDS.items()
    ]


def time_ratio(runs: Samples, contender: str, baseline: str, seed: int) -> paired.Ratio:
    times, base = ([worker.cpu_ns(run) for run in runs[one]] for one in (contender, baseline))
    return paired.ratio(times, base, seed)


def memory_ratio(runs: Samples, contender: str, baseline: str) -> float:
    peak, base = (paired.median_count([run["peak_rss_bytes"] for run in runs[one]]) for one in (contender, baseline))
    return peak / base


def rows_of(runs: dict[str, Samples], contenders: Sequence[str], baseline: str, seed: int) -> list[dict[str, Any]]:
    """A row a contender: its times and its memory by the baseline's, each workload and the geometric mean."""
    rows = []
    for contender in contenders:
        times = {workload: time_ratio(measured, contender, baseline, seed) for workload, measured in runs.items()}
        memory = [memory_ratio(measured, contender, baseline) for measured in runs.values()]
        rows.append(
            {
                "title": contender,
                "times": times,
                "time": paired.geometric_mean([ratio.estimate for ratio in times.values()]),
                "memory": paired.geometric_mean(memory),
            }
        )
    return rows


@dataclass(frozen=True)
class Program:
    """A real program under a build with a guard, by hakmem without."""

    name: str
    time: float
    memory: float


def programs_of(whole: dict[str, Any], build: str) -> list[Program]:
    """The programs' rows for one of bench.programs.entrants.GUARDS. A ratio there is hakmem's by the build's."""
    rows = []
    for program_row in whole["programs"]:
        ratios = [by for by in program_row["hakmem_by"] if by["peer"] == build]
        if not ratios:
            raise BenchError(
                f"the outcome of {program_row['program']} has no ratios by {build}; --peers of that run names it"
            )
        rows.append(Program(program_row["program"], 1 / ratios[0]["time"]["ratio"], 1 / ratios[0]["memory"]["ratio"]))
    return rows


def page(rounds: int, seed: int, whole: dict[str, Any] | None) -> str:
    """Measures, and returns docs/guard.md; `whole` is an outcome of //bench/programs."""
    programs = {} if whole is None else {build: programs_of(whole, build) for build in GUARDS}
    runs = grid.measure(NAME, contenders(), WORKLOADS, rounds_wanted=rounds, seed=seed)
    return document.render(
        _TEMPLATE,
        filters={"mean": paired.geometric_mean},
        command=f"bazel run //bench:{NAME}",
        rounds=rounds,
        machine=conditions.machine(),
        workloads=list(WORKLOADS),
        alone=rows_of(runs, [*FEATURES, ALL], NONE, seed),
        builds=rows_of(runs, [EXACT, NONE, ALL], OFF, seed),
        programs=programs,
        titles=GUARDS,
        programs_rounds=None if whole is None else whole["rounds"],
    )


def main() -> None:
    """Measures and writes the page."""
    parser = arguments.parser(NAME, __doc__ or "", arguments.ENVIRONMENT, has_format=False)
    parser.add_argument(
        "--programs", metavar="FILE", help="an outcome of //bench/programs that has guard and guard-full"
    )
    parsed = parser.parse_args()
    whole = outcome_file.load(arguments.caller_path(parsed.programs)) if parsed.programs else None
    path = arguments.workspace(f"//bench:{NAME}") / OUTPUT
    grid.prepare()
    path.write_text(page(parsed.rounds, parsed.seed, whole), encoding="utf-8")
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
