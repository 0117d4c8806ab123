# SPDX-License-Identifier: MIT
"""//bench:update_tradeoffs: writes docs/tradeoffs.md of the workspace, what each switch costs and buys.

The text is driver/tradeoffs.md.j2; every figure in it is measured here, in one run: instructions by callgrind, time
in interleaved rounds, sizes by nm.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.driver import arguments, cli, conditions, paired, program, progress, rounds, valgrind, worker
from bench.driver.program import BenchError
from bench.driver.rounds import Turn
from bench.driver.variants import COMBINATIONS, SWITCHES
from bench.driver.worker import Measurement

NAME = "update_tradeoffs"
_OUTPUT = Path("docs/tradeoffs.md")
_TEMPLATE = Path(__file__).with_name("tradeoffs.md.j2")

_ALL = "_".join(SWITCHES)
SPACINGS = {
    "pow2, 1": _ALL,
    "pow2, 8": f"{_ALL}_g8",
    "fine, 1": f"{_ALL}_fine",
    "fine16, 1": f"{_ALL}_fine16",
    "fine, 8": f"{_ALL}_fine_g8",
}
"""Class spacing and bytes an entry of the tiny table -> the worker with all switches on."""

_WORKLOAD = "replacement"
_OPERATIONS = 5_000_000
_COUNTED_OPERATIONS = 100_000

# The loops of bench/worker/workloads/tiny.c: an allocation and a free are compiled into each.
_LOOPS = {name: f"{name}_run" for name in ("pair", "batch_lifo", "replacement")}
_TABLES = ("hak_size_class_table", "hak_l2_class_table", "hak_l25_class_table")
_CACHE_LINE = 64


@dataclass(frozen=True)
class Comparison:
    """One build against another that differs in one thing, on the replacement workload."""

    instructions: float
    """Instructions of an operation less the other's: below 0 is fewer."""
    time: paired.Ratio
    """Time by the other's: below 1 is faster."""


def _worker(variant: str) -> Path:
    return worker.executable(f"worker_hakmem_{variant}")


def symbol_sizes(listing: str) -> dict[str, int]:
    """Bytes of each symbol in the output of `nm --print-size`. Cold parts count as symbols of their own."""
    found = re.findall(r"^[0-9a-f]+ ([0-9a-f]+) \w (\S+)$", listing, re.MULTILINE)
    return {name: int(size, 16) for size, name in found}


def _sizes(variant: str) -> dict[str, int]:
    return symbol_sizes(worker.start([valgrind.tool("nm"), "--print-size", str(_worker(variant))]))


def without(switch: str) -> str:
    """The combination with all switches on but one."""
    return "_".join(other for other in SWITCHES if other != switch)


def _time(variants: list[str], workload: str, threads: int, parsed: Any) -> dict[str, list[Measurement]]:
    def measure(turn: Turn[str, str]) -> Measurement:
        run = worker.run_arguments(workload, _OPERATIONS, threads, parsed.seed + turn.number)
        return worker.measure(_worker(turn.key), run, turn.padding)

    with conditions.pinned(threads):
        runs = rounds.run(f"{NAME}: {workload}", {workload: variants}, parsed.rounds, parsed.seed, measure)
    return runs[workload]


class Measured:
    """All builds on the replacement workload, compared on demand."""

    def __init__(self, variants: list[str], parsed: Any) -> None:
        self._seed = parsed.seed
        self._instructions = {
            variant: valgrind.per_operation(_worker(variant), _WORKLOAD, _COUNTED_OPERATIONS, parsed.seed).instructions
            for variant in progress.shown(f"{NAME}: instructions", variants)
        }
        self._runs = _time(variants, _WORKLOAD, 1, parsed)

    def compare(self, variant: str, other: str) -> Comparison:
        times, others = ([run.ns_per_op for run in self._runs[name]] for name in (variant, other))
        return Comparison(
            self._instructions[variant] - self._instructions[other], paired.ratio(times, others, self._seed)
        )


def _switch_rows(measured: Measured) -> list[dict[str, Any]]:
    """Each switch alone against none, and all against all but it."""
    return [
        {
            "switch": switch.upper(),
            "added": measured.compare(switch, "none"),
            "left_out": measured.compare(_ALL, without(switch)),
        }
        for switch in SWITCHES
    ]


def _table_rows(measured: Measured) -> list[dict[str, Any]]:
    rows = []
    for name, variant in SPACINGS.items():
        sizes = _sizes(variant)
        tables = [sizes[table] for table in _TABLES]
        rows.append(
            {
                "name": name,
                "tables": tables,
                "lines": sum(-(-size // _CACHE_LINE) for size in tables),
                "comparison": None if variant == _ALL else measured.compare(variant, _ALL),
            }
        )
    return rows


def _code_rows() -> list[dict[str, Any]]:
    """Bytes of the bench's loops without and with the fast path inlined into them."""
    called, inlined = _sizes(without("p2")), _sizes(_ALL)
    return [{"name": name, "called": called[loop], "inlined": inlined[loop]} for name, loop in _LOOPS.items()]


def _statistics(parsed: Any) -> dict[str, Any]:
    """Two threads, each on its own blocks: with sampling they share the counters."""
    runs = _time([_ALL, without("p1")], "local", 2, parsed)
    times = {variant: [run.ns_per_op for run in measured] for variant, measured in runs.items()}
    return {"two_threads": paired.ratio(times[_ALL], times[without("p1")], parsed.seed)}


def main() -> None:
    """Measures and writes the page."""
    import jinja2

    parsed = arguments.parser(NAME, __doc__ or "", cli.ENVIRONMENT).parse_args()
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        raise BenchError(f"the workspace is not known: start this with `bazel run //bench:{NAME}`")
    worker.say_what_is_cleared(os.environ)
    conditions.randomise_layout()
    variants = ["none", *SWITCHES, *(without(switch) for switch in SWITCHES), *SPACINGS.values()]
    measured = Measured(variants, parsed)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    page = environment.from_string(_TEMPLATE.read_text()).render(
        command=f"bazel run //bench:{NAME}",
        rounds=parsed.rounds,
        machine=conditions.machine(),
        switches=_switch_rows(measured),
        tables=_table_rows(measured),
        code=_code_rows(),
        statistics=_statistics(parsed),
        combinations=len(COMBINATIONS),
    )
    path = Path(workspace) / _OUTPUT
    path.write_text(page)
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
