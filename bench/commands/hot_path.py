# SPDX-License-Identifier: MIT
"""The hot path of malloc and free: what one call of each executes, in each of the sixteen builds.

A program calls the probes (bench/worker/hot_path_probes.c) under valgrind; the path that most calls take is the hot
one. The figures of all builds are a checked-in fact, golden/hot_path.json, so that a review sees them change.
They hold for one compiler, optimised, and are refused for any other build.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.engine import disassembly, lackey, worker
from bench.engine.disassembly import Kind, Program
from bench.engine.variants import COMBINATIONS
from tools.measure.program import BenchError

GOLDEN = Path("bench/golden/hot_path.json")
"""Below the workspace's root: the figures of the compiler that ships, Debian 12's. Another compiler's stand beside."""
_GOLDEN_MAJOR = "12"

UPDATE = "bazel run //bench:update_golden"

PROBES = {"malloc": "hot_path_malloc", "free": "hot_path_free"}


@dataclass(frozen=True)
class Figures:
    """One hot call, from the probe's first instruction to the return to its caller, that return included."""

    instructions: int
    conditional_branches: int
    calls: int
    """Calls, and jumps into another function."""
    loads: int
    """Memory read, the return address included."""
    stores: int
    """Memory written, pushed registers and return addresses included."""


@dataclass(frozen=True)
class Profile:
    """The hot paths of one build."""

    compiler: str
    figures: dict[str, Figures]
    """`malloc` and `free`."""
    listings: dict[str, list[str]]
    """The instructions executed, as text, for messages."""


def golden_of(compiler: str, golden: Path = GOLDEN) -> Path:
    """Where the figures of "gcc 14.2.0" stand: each major version has its own."""
    major = compiler.split()[-1].partition(".")[0]
    return golden if major == _GOLDEN_MAJOR else golden.with_name(f"{golden.stem}_gcc{major}.json")


def require_comparable(said: dict[str, Any], name: str, config: str) -> None:
    """A BenchError where a build is none that the golden figures could hold for."""
    if said["config"] != config:
        raise BenchError(f"{name} was built with {said['config']}")
    if said["compiler"] != "gcc" or not said["comparable"]:
        raise BenchError(
            "the hot path's figures hold for gcc, -c opt, no sanitizer and no assertions; exclude this target "
            "from other builds with --test_tag_filters=-no-sanitizer"
        )


def _figures(probe: str, calls: list[lackey.Call], program: Program, base: int) -> tuple[Figures, list[str]]:
    """Figures and text of the path that most of `calls` took. `base` is what the process adds to file addresses."""
    paths = Counter(tuple(call.path) for call in calls)
    if not paths:
        raise BenchError(f"{probe} was never called")
    path, count = paths.most_common(1)[0]
    if count * 2 < len(calls):
        raise BenchError(f"{probe} has no hot path: the most frequent one serves {count} of {len(calls)} calls")
    call = next(call for call in calls if tuple(call.path) == path)
    if any(address - base not in program.instructions for address in path):
        raise BenchError(f"the hot path of {probe} leaves the program: what it executes there is unknown")
    instructions = [program.instructions[address - base] for address in path]
    kinds = Counter(instruction.kind for instruction in instructions)
    figures = Figures(
        instructions=len(path),
        conditional_branches=kinds[Kind.BRANCH],
        calls=kinds[Kind.CALL] + kinds[Kind.TAIL_CALL],
        loads=call.loads,
        stores=call.stores,
    )
    return figures, [instruction.text for instruction in instructions]


def profile(combination: str, name: str | None = None) -> Profile:
    """Runs the probes of the build `combination`, "p0_p2"; `name` is the program's, probe_hakmem_p0_p2 if not given."""
    return profile_of(name or f"probe_hakmem_{combination}", COMBINATIONS[combination])


def profile_of(name: str, config: str) -> Profile:
    """Runs the probes of the program `name`, which has the switches `config`, "p0+p2"."""
    path = worker.executable(name)
    program = disassembly.disassemble(path)
    figures: dict[str, Figures] = {}
    listings: dict[str, list[str]] = {}
    with lackey.temporary_folder() as folder:
        output, trace = lackey.trace(path, ["--hot-path"], Path(folder))
        said = json.loads(output)
        require_comparable(said, name, config)
        for name, probe in PROBES.items():
            entry = said[f"{name}_address"]
            with trace.open() as lines:
                calls = list(lackey.calls(lines, entry))
            figures[name], listings[name] = _figures(probe, calls, program, entry - program.functions[probe])
    return Profile(f"{said['compiler']} {said['compiler_version']}", figures, listings)


def golden_object(profiles: dict[str, Profile]) -> dict[str, Any]:
    """What golden/hot_path.json holds. The compiler is told once: it is the same for all builds."""
    return {
        "compiler": next(iter(profiles.values())).compiler,
        "combinations": {
            COMBINATIONS[combination]: {name: asdict(figures) for name, figures in measured.figures.items()}
            for combination, measured in profiles.items()
        },
    }


def golden_text(profiles: dict[str, Profile]) -> str:
    return json.dumps(golden_object(profiles), indent=2, sort_keys=True) + "\n"


def differences(golden: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """A line for each figure that differs: "p0+p2 malloc instructions: golden 14, now 15 (+1)"."""
    lines = []
    old, new = golden["combinations"], measured["combinations"]
    for combination in sorted(old.keys() | new.keys()):
        for name in PROBES:
            before = old.get(combination, {}).get(name, {})
            now = new.get(combination, {}).get(name, {})
            for figure in sorted(before.keys() | now.keys()):
                was, is_now = before.get(figure), now.get(figure)
                if was != is_now:
                    change = f" ({is_now - was:+d})" if isinstance(was, int) and isinstance(is_now, int) else ""
                    lines.append(f"{combination} {name} {figure}: golden {was}, now {is_now}{change}")
    if lines and golden["compiler"] != measured["compiler"]:
        lines.append(f"the golden figures are from {golden['compiler']}, these from {measured['compiler']}")
    return lines
