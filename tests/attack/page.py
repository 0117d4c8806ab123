# SPDX-License-Identifier: MIT
"""The table of docs/security.md, written and read, and the short one of SECURITY.md, which follows from it."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping

from tests.attack.kinds import SECTIONS, Kind, kinds
from tests.attack.outcome import Attack, Verdict

Verdicts = frozenset[Verdict]
"""What an attack came to, in all of its runs."""

Column = Mapping[Attack, Verdicts]

BUILDS = {
    "default": "libhakmem.so",
    "guard exact": "libhakmem-guard.so",
    "guard full": "libhakmem-guard-full.so",
}
"""The library of each of hakmem's columns."""

FAULTS = {
    "a write behind a block": (
        "overflow_by_1_byte",
        "overflow_by_8_bytes",
        "overflow_by_64_bytes",
        "overflow_by_4_kib",
    ),
    "a write before a block": ("underflow_by_1_byte", "underflow_by_8_bytes", "underflow_by_64_bytes"),
    "such a write or read, used before a free": ("overflow_used_before_free", "overflow_read", "underflow_read"),
    "a write that runs into the allocator's own data": ("overflow_into_metadata", "underflow_into_metadata"),
    "a write into a freed block": (
        "use_after_free_write",
        "use_after_free_write_after_spray",
        "use_after_free_write_before_reuse",
    ),
    "a read of a freed block": ("use_after_free_read", "use_after_free_read_of_next_owner"),
    "a freed block given to realloc": ("use_after_free_realloc", "use_after_free_realloc_in_place"),
    "a second free": ("free_twice", "free_twice_used_at_once", "free_twice_others_between", "free_twice_other_thread"),
    "a second free, the block having a new owner": ("free_twice_new_owner_between",),
    "a free of a pointer into a block": ("free_interior", "free_misaligned", "free_interior_of_freed"),
    "a free of what is no block": ("free_stack", "free_global", "free_other_mapping", "free_number"),
    "a sized free with a wrong size": ("sized_free_smaller", "sized_free_larger", "sized_free_size_max"),
    "a block freed by two threads at once": ("race_free_twice", "race_free_twice_of_third_thread"),
    "a wild write into the allocator's own data": tuple(
        kind.name for kind in SECTIONS["Metadata by index"] if kind.name.startswith("index_write")
    ),
    "a forged list in a freed block": tuple(kind.name for kind in SECTIONS["Forged lists"]),
    "a guess where a block lies": tuple(kind.name for kind in SECTIONS["Placement"] if kind.name.startswith("start")),
}
"""The rows of SECURITY.md and the kinds that each sums up."""

_BEGIN = "<!-- attacks: written by `bazel run //tests/attack:table` -->\n"
_END = "<!-- end of attacks -->\n"


def _words(verdicts: Verdicts) -> str:
    return " or ".join(verdict.value for verdict in Verdict if verdict in verdicts)


def cell(kind: Kind, column: Column) -> str:
    """One verdict where all sizes agree, else which sizes have which: "gained small, medium; later large"."""
    sizes: dict[str, list[str]] = {}
    for size in kind.sizes:
        sizes.setdefault(_words(column[Attack(kind, size)]), []).append(size)
    if len(sizes) == 1:
        return next(iter(sizes))
    return "; ".join(f"{words} {', '.join(names)}" for words, names in sizes.items())


def _verdicts(words: str) -> Verdicts:
    return frozenset(Verdict(word) for word in words.split(" or "))


def parse_cell(kind: Kind, text: str) -> dict[Attack, Verdicts]:
    """The inverse of cell()."""
    names = "|".join(kind.sizes)
    found = {}
    for part in text.split("; "):
        match = re.fullmatch(rf"(.*?)((?:,? (?:{names}))*)", part)
        if match is None:
            raise ValueError(f"{kind.name}: no verdict: {part}")
        for size in re.findall(names, match[2]) or kind.sizes:
            found[Attack(kind, size)] = _verdicts(match[1])
    if set(found) != {Attack(kind, size) for size in kind.sizes}:
        raise ValueError(f"{kind.name}: not all sizes have a verdict: {text}")
    return found


def parse(document: str) -> dict[str, dict[Attack, Verdicts]]:
    """What docs/security.md says of each of hakmem's builds."""
    rows = dict(re.findall(r"^\| ([a-z0-9 ]+) \| (.*) \|$", document, re.MULTILINE))
    columns: dict[str, dict[Attack, Verdicts]] = {build: {} for build in BUILDS}
    for kind in kinds():
        cells = rows[kind.title].split(" | ")
        for build, text in zip(BUILDS, cells):
            columns[build].update(parse_cell(kind, text))
    return columns


def totals(column: Column) -> dict[Verdict, int]:
    """How many attacks came to each verdict; of several, to the last in the order of Verdict, the attacker's best."""
    order = list(Verdict)
    return collections.Counter(max(verdicts, key=order.index) for verdicts in column.values())


def _fault_cell(names: Iterable[str], column: Column) -> str:
    seen: Verdicts = frozenset()
    for attack, verdicts in column.items():
        if attack.kind.name in names:
            seen |= verdicts
    return ", ".join(verdict.value for verdict in Verdict if verdict in seen)


def faults(columns: Mapping[str, Column]) -> str:
    """The table of SECURITY.md."""
    lines = [f"| fault | {' | '.join(BUILDS)} |", "|---|---|---|---|"]
    for fault, names in FAULTS.items():
        lines.append(f"| {fault} | {' | '.join(_fault_cell(names, columns[build]) for build in BUILDS)} |")
    return "\n".join(lines) + "\n"


def _split(document: str) -> tuple[str, str, str]:
    before, begin, rest = document.partition(_BEGIN)
    inside, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("SECURITY.md has no place for its table")
    return before + begin, inside, end + after


def faults_of(document: str) -> str:
    """The table as SECURITY.md has it."""
    return _split(document)[1]


def with_faults(document: str, table: str) -> str:
    """SECURITY.md with another table."""
    before, _, after = _split(document)
    return before + table + after
