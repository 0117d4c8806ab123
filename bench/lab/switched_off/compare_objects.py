# SPDX-License-Identifier: MIT
"""Compares objects of two builds function by function, by the bytes that the linker gets.

    compare_objects.py --switch p1 --mode removed --library NAME --output FILE.json OBJECT OTHER [OBJECT OTHER ...]

A function is a section here, as -ffunction-sections makes them: its bytes and its relocations, which say what a call or
an address refers to.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.driver import disassembly, program, valgrind, worker
from bench.driver.program import BenchError

NAME = "compare_objects"

HOT = ("malloc", "free", "hak_alloc", "hak_free")
"""What the hot path runs through; a library without them is none that a comparison says anything about."""


_SECTION = ".text."


def functions(path: Path) -> dict[str, list[str]]:
    """Name -> bytes and relocations of each function of the object `path`; "unlikely.NAME" is NAME's cold part."""
    listing = worker.start([valgrind.tool("objdump"), "-dr", "--show-raw-insn", str(path)])
    sections = disassembly.parse_sections(listing)
    return {name.removeprefix(_SECTION): lines for name, lines in sections.items()}


def compare(pairs: list[tuple[Path, Path]]) -> dict[str, bool]:
    """Function -> whether it is the same in both builds. A function that only one has is not."""
    result: dict[str, bool] = {}
    for one, other in pairs:
        ours, theirs = functions(one), functions(other)
        for name in ours.keys() | theirs.keys():
            same = ours.get(name) == theirs.get(name)
            # Static functions of equal names in two files are one line: the same where all are.
            result[name] = result.get(name, True) and same
    return result


def identical_files(pairs: list[tuple[Path, Path]]) -> int:
    """How many pairs hold the same bytes throughout: data and symbols as well as functions."""
    return sum(one.read_bytes() == other.read_bytes() for one, other in pairs)


def outcome(switch: str, mode: str, library: str, pairs: list[tuple[Path, Path]]) -> dict[str, object]:
    """What the JSON holds."""
    same = compare(pairs)
    missing = [name for name in HOT if name not in same]
    if missing:
        raise BenchError(f"the objects of {library} do not hold {', '.join(missing)}")
    return {
        "switch": switch,
        "mode": mode,
        "library": library,
        "objects": len(pairs),
        "identical_objects": identical_files(pairs),
        "functions": len(same),
        "different_functions": sorted(name for name, equal in same.items() if not equal),
        "hot": {name: same[name] for name in HOT},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog=NAME, description=__doc__, allow_abbrev=False)
    parser.add_argument("--switch", required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("objects", type=Path, nargs="+")
    parsed = parser.parse_args()
    if len(parsed.objects) % 2:
        parser.error("objects come in pairs")
    pairs = list(zip(parsed.objects[::2], parsed.objects[1::2]))
    result = outcome(parsed.switch, parsed.mode, parsed.library, pairs)
    parsed.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    program.run(NAME, main)
