# SPDX-License-Identifier: MIT
"""//bench:next: what each experiment is worth, beside what ships: instructions, time, peak memory, real programs.

README.md of bench/ says how it measures; the laboratory does most of it.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
from pathlib import Path
from typing import Any

from bench.engine import variants
from bench.lab import command_line, contenders, lab, table as lab_table, workloads
from bench.next import measurement, tables
from bench.next.measurement import Plan
from bench.programs.command_line import choice
from bench.programs.measurement import WORKLOADS
from tools.measure import arguments, files, paired, program, progress

NAME = "next"

_ROOT = Path(__file__).parents[2]

_EPILOG = (
    "A GLOB is a name with *, ? and [..]; it may be given more than once.\n"
    "Exit status: 0, 1 where something failed, 2 for wrong arguments, 130 after Ctrl-C."
)


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """What //bench:next and //bench:update_next have in common."""
    result = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--workload", dest="workloads", action="append", default=[], metavar="GLOB", help="only these workloads")
    add(
        "--programs",
        type=choice("program", tuple(WORKLOADS)),
        default=list(measurement.PROGRAMS),
        metavar="A,B",
        help=f"real programs (default: {','.join(measurement.PROGRAMS)}; there are {','.join(WORKLOADS)})",
    )
    add("--no-programs", action="store_const", const=[], dest="programs", help="no real program")
    add("--quick", action="store_true", help="short runs of the workloads")
    add(
        "--rounds",
        type=arguments.whole_number(paired.ROUNDS_MIN, 1000, f"an interval needs {paired.ROUNDS_MIN} pairs"),
        metavar="N",
        help=f"rounds (least {paired.ROUNDS_MIN}; default: the fewest in which each comparison can come out)",
    )
    add("--operations", type=arguments.iterations, metavar="N", help="operations of each thread in every run")
    add(
        "--progress",
        type=arguments.whole_number(0, 86_400),
        default=progress.SECONDS,
        metavar="SECONDS",
        help="how often a line says how far it is where standard error is no terminal (default: %(default)s; 0: never)",
    )
    arguments.add_seed(result, "of all orders, layouts, random numbers and intervals")
    add("--json", type=arguments.output, metavar="FILE", help="write the outcome")
    return result


def _matching(option: str, globs: list[str], known: list[str]) -> list[str]:
    """Those of `known` that `globs` name, all where there are none; a UsageError for one that names nothing."""
    for glob in globs:
        if not fnmatch.filter(known, glob):
            raise command_line.UsageError(f"{option}: nothing matches {glob}; there are {', '.join(known)}")
    return [name for name in known if not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)]


def make_plan(parsed: argparse.Namespace) -> Plan:
    """What `parsed` asks for; a UsageError where that is nothing."""
    offered = workloads.listed(_ROOT / "bench/worker_malloc")
    progress.every(parsed.progress)
    names = _matching("--workload", parsed.workloads, [workload.name for workload in offered])
    return Plan(
        experiments=_matching("--experiment", parsed.experiments, measurement.built()),
        workloads=[workload for workload in offered if workload.name in names],
        programs=parsed.programs,
        rounds=parsed.rounds,
        seed=parsed.seed,
        quick=parsed.quick,
        operations=parsed.operations,
    )


def outcome(plan: Plan) -> dict[str, Any]:
    """Measures the plan."""
    hot_paths = measurement.hot_paths(plan.experiments)
    report = measurement.laboratory(plan)
    return {
        "benchmark": NAME,
        "seed": plan.seed,
        "rounds": report["rounds"],
        "complete": report["complete"],
        "ended_by": report["ended_by"],
        "machine": report["machine"],
        "commit": report["commit"],
        "notes": lab_table.notes(report),
        "failures": report["failures"],
        "ships": {name: values[0] for name, values in variants.EXPERIMENTS.items()},
        "experiments": list(plan.experiments),
        "hot_paths": hot_paths,
        "instructions": measurement.instructions(report),
        "time": measurement.times(report),
        "peak": measurement.peaks(report),
        "programs": measurement.programs(plan) if report["complete"] else measurement.NO_PROGRAMS,
    }


def measured(parsed: argparse.Namespace, own: argparse.ArgumentParser) -> dict[str, Any]:
    """The outcome of the command line."""
    try:
        plan = make_plan(parsed)
    except command_line.UsageError as error:
        own.error(str(error))
    return outcome(plan)


def keep(parsed: argparse.Namespace, whole: dict[str, Any]) -> None:
    """Writes the outcome to its file, if one is asked for."""
    if parsed.json:
        files.write_whole(parsed.json, json.dumps(whole, indent=1, allow_nan=False) + "\n")


def status(whole: dict[str, Any]) -> int:
    """The exit status of a run that gave this outcome."""
    return lab.status(whole) or (program.FAILED if whole["programs"]["failures"] else 0)


def main() -> None:
    """Parses the command line, measures and prints."""
    own = parser(NAME, f"What each experiment is worth beside what ships ({contenders.SHIPPED}).")
    own.add_argument(
        "--experiment", dest="experiments", action="append", default=[], metavar="GLOB", help="only these experiments"
    )
    parsed = own.parse_args()
    whole = measured(parsed, own)
    with files.written_first(lambda: keep(parsed, whole)):
        tables.write(whole, sys.stdout)
    if not whole["complete"]:
        print(f"{NAME}: {whole['ended_by']}: the outcome is partial", file=sys.stderr)
    sys.exit(status(whole))


if __name__ == "__main__":
    program.run(NAME, main)
