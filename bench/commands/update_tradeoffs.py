# SPDX-License-Identifier: MIT
"""//bench:update_tradeoffs: writes docs/tradeoffs.md of the workspace, what each switch costs and buys.

The text is commands/tradeoffs.md.j2; every figure in it is measured here, in one run: instructions by callgrind, time
in interleaved rounds, sizes by nm.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.commands import benchmark
from bench.engine import document, grid, valgrind, worker
from bench.engine.grid import Samples
from bench.engine.variants import COMBINATIONS, FLIPPED, FLIPPED_CONFIG, SWITCHES
from tools.measure import arguments, conditions, paired, process, program, progress
from tools.measure.contender import Contender

NAME = "update_tradeoffs"
OUTPUT = Path("docs/tradeoffs.md")
_TEMPLATE = Path(__file__).with_name("tradeoffs.md.j2")

_ALL = "_".join(SWITCHES)
SPACINGS = {
    "pow2, 1": _ALL,
    "fine, 1": f"{_ALL}_fine",
    "fine16, 1": f"{_ALL}_fine16",
    "fine16, 8": f"{_ALL}_fine16_table_129",
    "fine16, 16": f"{_ALL}_fine16_table_65",
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


_CONFIGS = COMBINATIONS | {name: FLIPPED_CONFIG[flipped] for flipped, name in FLIPPED.items()}


def config(variant: str) -> str:
    """What the build `variant` says of itself: all switches are on where its name has another spacing behind them."""
    return _CONFIGS.get(variant, "+".join(SWITCHES))


def _contender(variant: str) -> Contender:
    return benchmark.compiled_in(variant, config(variant), f"_{variant}")


def symbol_sizes(listing: str) -> dict[str, int]:
    """Bytes of each symbol in the output of `nm --print-size`. Cold parts count as symbols of their own."""
    found = re.findall(r"^[0-9a-f]+ ([0-9a-f]+) \w (\S+)$", listing, re.MULTILINE)
    return {name: int(size, 16) for size, name in found}


def _sizes(variant: str) -> dict[str, int]:
    return symbol_sizes(process.start([valgrind.tool("nm"), "--print-size", str(_contender(variant).worker)]))


def without(switch: str) -> str:
    """The combination with all switches on but one."""
    return "_".join(other for other in SWITCHES if other != switch)


def _time(variants: list[str], workload: str, threads: int, parsed: Any) -> Samples:
    chosen = [_contender(variant) for variant in variants]
    measured = grid.measure(
        f"{NAME}: {workload}",
        chosen,
        {workload: _OPERATIONS},
        threads=threads,
        rounds_wanted=parsed.rounds,
        seed=parsed.seed,
    )
    return measured[workload]


class Measured:
    """All builds on the replacement workload, compared on demand."""

    def __init__(self, variants: list[str], parsed: Any) -> None:
        self._seed = parsed.seed
        self._instructions = {
            variant: valgrind.per_operation(
                _contender(variant), _WORKLOAD, _COUNTED_OPERATIONS, parsed.seed
            ).instructions
            for variant in progress.shown(f"{NAME}: instructions", variants)
        }
        self._runs = _time(variants, _WORKLOAD, 1, parsed)

    def compare(self, variant: str, other: str) -> Comparison:
        times, others = ([worker.cpu_ns(run) for run in self._runs[name]] for name in (variant, other))
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
    times = {variant: [worker.cpu_ns(run) for run in measured] for variant, measured in runs.items()}
    return {"two_threads": paired.ratio(times[_ALL], times[without("p1")], parsed.seed)}


def page(rounds: int, seed: int) -> str:
    """Measures, and returns docs/tradeoffs.md."""
    how = argparse.Namespace(rounds=rounds, seed=seed)
    variants = ["none", *SWITCHES, *(without(switch) for switch in SWITCHES), *SPACINGS.values()]
    measured = Measured(variants, how)
    return document.render(
        _TEMPLATE,
        command=f"bazel run //bench:{NAME}",
        rounds=rounds,
        machine=conditions.machine(),
        switches=_switch_rows(measured),
        tables=_table_rows(measured),
        code=_code_rows(),
        statistics=_statistics(how),
        combinations=len(COMBINATIONS),
    )


def main() -> None:
    """Measures and writes the page."""
    parsed = arguments.parser(NAME, __doc__ or "", arguments.ENVIRONMENT, has_format=False).parse_args()
    path = arguments.workspace(f"//bench:{NAME}") / OUTPUT
    grid.prepare()
    path.write_text(page(parsed.rounds, parsed.seed), encoding="utf-8")
    print(f"{path} written")


if __name__ == "__main__":
    program.run(NAME, main)
