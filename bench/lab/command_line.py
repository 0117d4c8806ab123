# SPDX-License-Identifier: MIT
"""The command line of //bench:lab and //bench:update_results: what they measure, and what they write."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from bench.lab import compare, contenders, history, plan as plans, traces, workloads
from bench.lab.contenders import Family
from bench.lab.plan import Plan
from bench.lab.workloads import Workload
from tools.measure import arguments, inference, paired, peers, process, progress, table as printing
from tools.measure.program import BenchError

_ROOT = Path(__file__).parents[2]

_EPILOG = (
    "A GLOB is a name or FAMILY/NAME with *, ? and [..]; it may be given more than once. hakmem itself, under two "
    "names, is always there.\n"
    "Ctrl-C ends the run and reports what was measured; the report says that it is partial.\n"
    "A contender that crashes, hangs, or gives what is no block is a row of the report; the others go on.\n"
    "Exit status: 0, 1 where something or somebody failed, 2 for wrong arguments, 130 after Ctrl-C."
)

FORMATS = ("table", "csv", "markdown", "json")

_ROUNDS_MOST = 1000
_MINUTES_MOST = 1440

# A run of the laboratory takes a fraction of a second, a slow library's some seconds, and a machine may be busy.
_TIME_LIMIT_S = 120
_SECONDS_MOST = 86_400
_MIB_MOST = 1 << 30

# strace and what it starts are two; a program that is replayed starts none.
_PROCESSES_MOST = 16


def _history(text: str) -> Path:
    """A file that grows by a line a report: what it holds already has to be such lines, which is found out now as well."""
    path = arguments.output(text)
    try:
        if path.is_file():
            history.load(path)
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path


def _peer(text: str) -> tuple[str, Path]:
    try:
        return contenders.peer(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def kept_report(text: str) -> dict[str, Any]:
    try:
        return compare.load(arguments.caller_path(text))
    except BenchError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """What decides what is measured, and what is written."""
    result = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--quick", action="store_true", help="few workloads, three minutes; without it, all within 45 minutes")
    add(
        "--minutes",
        type=arguments.whole_number(1, _MINUTES_MOST),
        metavar="N",
        help="for everything, in place of these; rounds stay as many, and each run becomes shorter",
    )
    add("--workload", dest="workloads", action="append", default=[], metavar="GLOB", help="only these workloads")
    add("--contender", dest="contenders", action="append", default=[], metavar="GLOB", help="only these contenders")
    add(
        "--peer",
        dest="peers",
        action="append",
        default=[],
        type=_peer,
        metavar="NAME=/path/lib.so",
        help="one more library to compare with; of Debian's also by name: " + ", ".join(peers.MORE),
    )
    add(
        "--rounds",
        type=arguments.whole_number(paired.ROUNDS_MIN, _ROUNDS_MOST, f"an interval needs {paired.ROUNDS_MIN} pairs"),
        metavar="N",
        help=f"rounds (least {paired.ROUNDS_MIN}; default: the fewest in which each comparison can come out)",
    )
    add(
        "--operations",
        type=arguments.iterations,
        metavar="N",
        help="operations of each thread in every run (default: fixed by a calibration before the first round)",
    )
    add(
        "--time-limit",
        type=arguments.whole_number(1, _SECONDS_MOST),
        default=_TIME_LIMIT_S,
        metavar="SECONDS",
        help="a run that takes longer is ended, and its contender has failed (default: %(default)s; under callgrind and "
        "strace twenty times as much)",
    )
    add(
        "--require-quiet",
        type=arguments.whole_number(0, _SECONDS_MOST),
        metavar="SECONDS",
        help="before each round wait up to so long until others leave the machine alone, and else stop",
    )
    add(
        "--progress",
        type=arguments.whole_number(0, _SECONDS_MOST),
        default=progress.SECONDS,
        metavar="SECONDS",
        help="how often a line says how far it is where standard error is no terminal (default: %(default)s; 0: never)",
    )
    add(
        "--memory-limit",
        type=arguments.whole_number(1, _MIB_MOST),
        metavar="MIB",
        help="likewise one that holds more memory (default: three quarters of the machine's)",
    )
    arguments.add_seed(result, "of all orders, layouts, random numbers and intervals")
    add("--html", type=arguments.output, metavar="FILE", help="write the report as a page")
    add("--json", type=arguments.output, metavar="FILE", help="write the report with all raw samples")
    return result


def add_own(result: argparse.ArgumentParser) -> None:
    """What only the laboratory itself has, not update_results."""
    result.add_argument(
        "--baseline", metavar="NAME", help="compare every library with this one, in place of hakmem with every other"
    )
    result.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="of what is printed (default: %(default)s; csv has a line a comparison, markdown the tables)",
    )
    result.add_argument(
        "--history", type=_history, metavar="FILE", help="add a line to this file, for `bazel run //bench:trend`"
    )
    result.add_argument(
        "--compare", type=kept_report, metavar="OLD.json", help="say what changed since the report in OLD.json"
    )
    result.add_argument("--list", action="store_true", help="print contenders and workloads, measure nothing")


def families_of(parsed: argparse.Namespace) -> list[Family]:
    """The families that the command line leaves."""
    names = [name for name, _ in parsed.peers]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"--peer: {', '.join(sorted(twice))} is given twice")
    found = contenders.families(parsed.peers)
    baseline = getattr(parsed, "baseline", None)
    if baseline is not None:
        libraries = found[0]
        if baseline not in libraries.names() or baseline.endswith(contenders.AGAIN):
            known = ", ".join(name for name in libraries.names() if not name.endswith(contenders.AGAIN))
            raise UsageError(f"--baseline: {baseline} is no library; there are {known}")
        found[0] = contenders.against(libraries, baseline)
    if parsed.quick and not parsed.contenders:
        found = [family for family in found if family.name in plans.QUICK_FAMILIES]
    _require_matches(
        "--contender", parsed.contenders, [(family.name, name) for family in found for name in family.names()], found
    )
    kept = [*parsed.contenders, *(f"{contenders.LIBRARIES}/{name}" for name in names)] if parsed.contenders else []
    return [narrow for family in found if (narrow := contenders.narrowed(family, kept)) is not None]


def _require_matches(
    option: str, globs: Sequence[str], known: Sequence[tuple[str, str]], found: Sequence[Family] = ()
) -> None:
    """A UsageError where one of `globs` matches nothing, whatever the others do."""
    idle = [glob for glob in globs if not any(contenders.matches([glob], family, name) for family, name in known)]
    if idle:
        missing = contenders.not_built(found) if found else []
        hint = f"; {', '.join(missing)} are built for `bazel run //bench:lab_all`" if missing else ""
        listed = ", ".join(f"{family}/{name}" for family, name in known)
        raise UsageError(f"{option}: nothing matches {', '.join(idle)}; there are {listed}{hint}")


class UsageError(Exception):
    """Arguments that are wrong together, or that name what is not there."""


def available() -> list[Workload]:
    """All workloads, in the order of the lists that offer them."""
    return workloads.listed(_ROOT / "bench/worker_malloc") + traces.offered()


def _limits(parsed: argparse.Namespace) -> process.Limits:
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    asked = parsed.memory_limit
    return process.Limits(
        seconds=parsed.time_limit,
        resident_bytes=machine_bytes // 4 * 3 if asked is None else asked << 20,
        processes=_PROCESSES_MOST,
    )


def make_plan(parsed: argparse.Namespace) -> Plan:
    """What `parsed` asks for; a UsageError where that is nothing."""
    offered = available()
    _require_matches("--workload", parsed.workloads, [(workload.family, workload.name) for workload in offered])
    chosen = workloads.chosen(offered, parsed.workloads)
    progress.every(parsed.progress)
    plan = plans.make(
        families_of(parsed),
        chosen,
        parsed.workloads,
        rounds_asked=parsed.rounds,
        seed=parsed.seed,
        quick=parsed.quick,
        operations=parsed.operations,
        limits=_limits(parsed),
        quiet_seconds=parsed.require_quiet,
        baseline=getattr(parsed, "baseline", None),
        minutes=parsed.minutes,
    )
    wanted = inference.rounds_wanted(plan.comparisons)
    if plan.rounds < wanted:
        print(
            f"of {plan.comparisons} comparisons none can be decided in {plan.rounds} rounds; " f"{wanted} are wanted",
            file=sys.stderr,
        )
    return plan


def print_list(plan: Plan, out: TextIO) -> None:
    """Contenders and workloads of the plan."""
    grids = [
        printing.Grid(
            "contenders",
            ["name", "link", "compared with"],
            [
                [
                    f"{family.name}/{contender.name}",
                    contender.link,
                    ", ".join(other for one, other in family.pairs if one == contender.name),
                ]
                for family in plan.families.values()
                for contender in family.contenders
            ],
            words=3,
        ),
        printing.Grid(
            "workloads",
            ["name", "threads", "in", "what it does"],
            [
                [
                    f"{workload.family}/{workload.name}",
                    str(workload.threads),
                    ", ".join(slot.family for slot in plan.slots if slot.workload == workload.name),
                    workload.description,
                ]
                for workload in plan.workloads.values()
            ],
            words=4,
        ),
    ]
    caption = f"{plan.rounds} rounds, {plan.comparisons} comparisons."
    printing.print_grids("what would be measured", grids, caption, out)
