# SPDX-License-Identifier: MIT
"""//bench:update_guard: writes docs/guard.md of the workspace, what guard exact and each feature of guard full cost.

The text is driver/guard.md.j2; every figure in it is measured here: the worker under the library with guard full, with one
feature at a time, in interleaved rounds with the same library and none. Times are the processor's, of the process: half of
what the features do is done by the system, and other programs of the machine have no part in it. --programs takes what
`bazel run //bench/programs -- --peers=guard,guard-full --json=FILE` wrote, and adds what real programs see of it.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

from bench.driver import arguments, cli, conditions, paired, program, rounds, worker
from bench.driver.program import BenchError
from bench.driver.rounds import Turn

NAME = "update_guard"
_OUTPUT = Path("docs/guard.md")
_TEMPLATE = Path(__file__).with_name("guard.md.j2")
_PRELOAD = Path(__file__).parent.parent.parent / "hakmem/preload"

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


@dataclass(frozen=True)
class Contender:
    """A library and what the environment tells it."""

    title: str
    library: str
    features: str | None = None
    """HAKMEM_GUARD; None: not set."""

    def environment(self) -> dict[str, str]:
        variables = {"LD_PRELOAD": str((_PRELOAD / self.library).resolve())}
        return variables if self.features is None else variables | {"HAKMEM_GUARD": self.features}


OFF = Contender("guard off", "libhakmem.so")
EXACT = Contender("guard exact", "libhakmem-guard.so")
NONE = Contender("none", "libhakmem-guard-full.so", "none")
ALL = Contender("all", "libhakmem-guard-full.so", "all")
ALONE = tuple(Contender(feature, "libhakmem-guard-full.so", feature) for feature in FEATURES)
CONTENDERS = (OFF, EXACT, NONE, *ALONE, ALL)


@dataclass(frozen=True)
class Used:
    """What one run took."""

    nanoseconds: float
    """Of processors, program and system, an operation."""
    peak_bytes: int


def used(line: dict[str, Any]) -> Used:
    """What a worker's result says; a BenchError where it does not say it."""
    try:
        microseconds = line["user_us"] + line["system_us"]
        return Used(1000 * max(microseconds, 1) / line["operations"], line["peak_rss_bytes"])
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise BenchError(f"the worker printed what is not a result: {line}") from error


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _measure(parsed: Any) -> dict[str, dict[Contender, list[Used]]]:
    path = worker.executable("worker_malloc")

    def measure(turn: Turn[str, Contender]) -> Used:
        run = worker.run_arguments(turn.slot, WORKLOADS[turn.slot], 1, parsed.seed + turn.number)
        environment = worker.clean_environment(os.environ) | turn.key.environment()
        environment = conditions.padded(environment, conditions.total_bytes([environment], turn.padding))
        return used(worker.result([str(path), *run], environment))

    with conditions.pinned(1):
        return rounds.run(NAME, {workload: CONTENDERS for workload in WORKLOADS}, parsed.rounds, parsed.seed, measure)


def time_ratio(runs: dict[Contender, list[Used]], contender: Contender, baseline: Contender, seed: int) -> paired.Ratio:
    times, base = ([run.nanoseconds for run in runs[one]] for one in (contender, baseline))
    return paired.ratio(times, base, seed)


def memory_ratio(runs: dict[Contender, list[Used]], contender: Contender, baseline: Contender) -> float:
    peak, base = (paired.median_count([run.peak_bytes for run in runs[one]]) for one in (contender, baseline))
    return peak / base


def rows_of(
    runs: dict[str, dict[Contender, list[Used]]], contenders: Sequence[Contender], baseline: Contender, seed: int
) -> list[dict[str, Any]]:
    """A row a contender: its times and its memory by the baseline's, each workload and the geometric mean."""
    rows = []
    for contender in contenders:
        times = {workload: time_ratio(measured, contender, baseline, seed) for workload, measured in runs.items()}
        memory = [memory_ratio(measured, contender, baseline) for measured in runs.values()]
        rows.append(
            {
                "title": contender.title,
                "times": times,
                "time": geometric_mean([ratio.estimate for ratio in times.values()]),
                "memory": geometric_mean(memory),
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
    """The programs' rows for one of bench.programs.contenders.GUARDS. A ratio there is hakmem's by the build's."""
    rows = []
    for program_row in whole["programs"]:
        ratios = [by for by in program_row["hakmem_by"] if by["peer"] == build]
        if not ratios:
            raise BenchError(
                f"the outcome of {program_row['program']} has no ratios by {build}; --peers of that run names it"
            )
        rows.append(Program(program_row["program"], 1 / ratios[0]["time"]["ratio"], 1 / ratios[0]["memory"]["ratio"]))
    return rows


def _kept(path: str | None) -> dict[str, Any] | None:
    from bench.programs import kept

    return None if path is None else kept.load(Path(os.environ.get("BUILD_WORKING_DIRECTORY", "."), path))


def main() -> None:
    """Measures and writes the page."""
    import jinja2

    parser = arguments.parser(NAME, __doc__ or "", cli.ENVIRONMENT)
    parser.add_argument(
        "--programs", metavar="FILE", help="an outcome of //bench/programs that has guard and guard-full"
    )
    parsed = parser.parse_args()
    whole = _kept(parsed.programs)
    programs = {} if whole is None else {build: programs_of(whole, build) for build in GUARDS}
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        raise BenchError(f"the workspace is not known: start this with `bazel run //bench:{NAME}`")
    worker.say_what_is_cleared(os.environ)
    conditions.randomise_layout()
    runs = _measure(parsed)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["mean"] = geometric_mean
    page = environment.from_string(_TEMPLATE.read_text()).render(
        command=f"bazel run //bench:{NAME}",
        rounds=parsed.rounds,
        machine=conditions.machine(),
        workloads=list(WORKLOADS),
        alone=rows_of(runs, [*ALONE, ALL], NONE, parsed.seed),
        builds=rows_of(runs, [EXACT, NONE, ALL], OFF, parsed.seed),
        programs=programs,
        titles=GUARDS,
        programs_rounds=None if whole is None else whole["rounds"],
    )
    path = Path(workspace) / _OUTPUT
    path.write_text(page)
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
