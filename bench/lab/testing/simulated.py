# SPDX-License-Identifier: MIT
"""Results as if they had been measured, from times that were made up: for tests of everything behind the measuring."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.engine.variants import COMBINATIONS
from bench.lab import contenders, plan, report
from bench.lab.contenders import Family
from bench.lab.plan import Plan, Slot
from bench.lab.results import Results
from bench.lab.testing import fake
from bench.lab.workloads import Workload
from tools.measure.contender import Contender

WORKLOADS = ("pair", "local")
_NOW = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)


def _contender(name: str, link: str = "preload") -> Contender:
    return Contender(name, link, Path("worker"), Path(f"{name}.so"))


def families() -> list[Family]:
    """Libraries, guard and switches, as contenders.py has them, without a file."""
    names = [contenders.HAKMEM, contenders.HAKMEM + contenders.AGAIN, contenders.GUARD, "mimalloc", "glibc"]
    libraries = Family(
        contenders.LIBRARIES,
        tuple(map(_contender, names)),
        control=(names[0], names[1]),
        pairs=(
            (names[0], "mimalloc"),
            (names[0], "glibc"),
            (contenders.GUARD, names[0]),
            (contenders.GUARD, "mimalloc"),
        ),
        reference="mimalloc",
    )
    checked = [names[0], contenders.GUARD_FULL, names[1], "mimalloc"]
    full = Family(
        contenders.WITH_GUARD,
        tuple(map(_contender, checked)),
        control=(names[0], names[1]),
        pairs=((contenders.GUARD_FULL, names[0]),),
        reference="mimalloc",
    )
    own = [*COMBINATIONS.values(), contenders.ALL + contenders.AGAIN, "mimalloc"]
    switches = Family(
        "switches",
        tuple(map(_contender, own)),
        control=(contenders.ALL, contenders.ALL + contenders.AGAIN),
        pairs=contenders.switch_pairs(),
        reference="mimalloc",
    )
    return [libraries, full, switches]


def workload(name: str) -> Workload:
    return replace(fake.offered()[0], name=name, exact=True)


def make_plan(rounds: int = 15) -> Plan:
    found = families()
    return Plan(
        families={family.name: family for family in found},
        workloads={name: workload(name) for name in WORKLOADS},
        slots={Slot(family.name, name): family.names() for family in found for name in WORKLOADS},
        rounds=rounds,
        seed=1,
        quick=False,
        operations=None,
    )


PEAK_BYTES = {contenders.HAKMEM: 2_000_000, contenders.GUARD: 2_100_000, "mimalloc": 2_500_000, "glibc": 1_600_000}
"""Of every run; whoever is not here takes what hakmem takes."""


def sample(name: str, ns: float) -> dict[str, int]:
    rest = ("rss_bytes", "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches", "user_us",
            "system_us")  # fmt: skip
    own = {
        "ns": round(ns * 1e6),
        "cpu_ns": round(ns * 1e6),
        "operations": 1_000_000,
        "peak_rss_bytes": PEAK_BYTES.get(name, 2_000_000),
    }
    return own | dict.fromkeys(rest, 1)


def results(
    factors: Mapping[str, float], *, rounds: int = 15, planned: int = 15, noise: float = 0.003, seed: int = 1
) -> Results:
    """`factors` are times by those of a contender without one, by the contender's name; control share theirs."""
    generator = random.Random(seed)
    found = Results(make_plan(planned), Path("."))
    for slot, names in found.plan.slots.items():
        kept: dict[str, dict[int, dict[str, int]]] = {name: {} for name in names}
        for number in range(1, rounds + 1):
            machine = generator.lognormvariate(0, 0.2)
            for name in names:
                # Twins are one library, unless it is said that they differ.
                factor = factors.get(name, factors.get(name.removesuffix(contenders.AGAIN), 1.0))
                time = 10 * factor * machine * math.exp(generator.gauss(0, noise))
                kept[name][number] = sample(name, time)
        found.samples[slot] = kept
        found.operations[slot] = 1_000_000
        found.calibration[slot] = {name: plan.Calibration(10.0, 0.01) for name in names}
        for name in names:
            own = name != "mimalloc" and name != "glibc"
            found.said[slot.family, name] = {"version": "1.0", "config": contenders.ALL if own else None}
    found.paddings = {number: number for number in range(1, rounds + 1)}
    found.pinned = {1: True}
    _add_extras(found)
    return found


def _row(family: str, name: str) -> dict[str, Any]:
    return {"family": family, "workload": "pair", "contender": name}


def _add_extras(found: Results) -> None:
    """A little of what the phases after the rounds add."""
    libraries: Sequence[str] = (contenders.HAKMEM, "mimalloc", "glibc")
    for place, name in enumerate(libraries):
        # Two threads lose 2, 4 and 6 hundredths; a start takes 0.3, 0.2 and 0 ms more than 1, and 30, 20 and 0 pages.
        found.scaling[name] = {
            threads: {number: round(1e6 / (1 - 0.02 * (place + 1) * (threads - 1))) for number in range(1, 16)}
            for threads in (1, 2)
        }
        more = (0.3, 0.2, 0.0)[place]
        found.startup[name] = {
            number: (1_000_000 + number * 1000 + round(more * 1e6), 100 + round(more * 100)) for number in range(1, 16)
        }
    tail = {"count": 10, "p50_ns": 10.0, "p99_ns": 20.0, "p999_ns": 30.0, "p9999_ns": 35.0, "max_ns": 40.0}
    for place, name in enumerate(libraries):
        found.counts.append(
            _row(contenders.LIBRARIES, name)
            | {"operations": 10, "instructions": 40.0 + place, "branches": 2.0, "data_references": 9.0}
        )
        samples = [{"ms": 1.0 * i, "rss_bytes": 8192 + 4096 * i, "live_bytes": 4096 * i} for i in range(50)]
        found.memory.append(
            _row(contenders.LIBRARIES, name)
            | {
                "samples": samples,
                "baseline_rss_bytes": 8192,
                "peak_rss_bytes": 300_000,
                "rss_after_free_bytes": 200_000 // (1 + place),
                "rss_after_second_bytes": 8192 + 1024 * 1024 * (1 + place),
                "rss_after_decay_bytes": 100_000,
                "decay_ms": 1000,
                "mappings": 30,
            }
        )
        found.latency += [
            _row(contenders.LIBRARIES, name)
            | {"run": run, "alloc": tail, "free": tail, "timer": "rdtscp", "timer_cost_ns": 20.0}
            for run in range(3)
        ]
        found.system_calls.append(_row(contenders.LIBRARIES, name) | {"operations": 10, "calls": {"mmap": 2}})


def make(found: Results, hashes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The report of these results; `hashes` are those of libraries that differ from the usual ones."""
    around = fake.surroundings(found.plan)
    for (family, name), row in around.binaries.items():
        digit = f"{len(name):x}"[0]
        around.binaries[family, name] = row | {"sha256": (hashes or {}).get(name, digit * 64)}
    return report.make(found, around, _NOW)
