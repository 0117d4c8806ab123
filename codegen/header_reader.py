# SPDX-License-Identifier: MIT
"""Reads a generated header back, for the tests: macros, class rows and tables.

Knows the header's text only and shares no code with the generator, so that a fault there shows here.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
SPECS = {name: FOLDER / "specs" / f"{name}.spec" for name in ("pow2", "fine", "fine16")}


@dataclass(frozen=True)
class Row:
    """One X(...) row in its column order, and the two wastes of its comment in percent."""

    number: int
    block_size: int
    blocks: int
    chunks: int
    bitmap_words: int
    reciprocal: int
    magazine_capacity: int
    internal_waste: str
    tail_waste: str

    @classmethod
    def read(cls, cells: str, internal_waste: str, tail_waste: str) -> "Row":
        number, block_size, blocks, chunks, words, reciprocal, capacity = map(int, cells.split(","))
        return cls(number, block_size, blocks, chunks, words, reciprocal, capacity, internal_waste, tail_waste)


class Header:
    """The text of a header, looked up by macro name."""

    def __init__(self, text: str) -> None:
        joined = text.replace("\\\n", " ")
        self._macros: dict[str, str] = dict(re.findall(r"^#define (\w+)(?:\(X\))? (.*)$", joined, re.MULTILINE))

    def text(self, macro: str) -> str:
        return self._macros[macro].strip()

    def number(self, macro: str) -> int:
        return int(self.text(macro))

    def table(self, macro: str) -> list[int]:
        """The entries of an initializer, its sentinel included."""
        return [int(entry) for entry in re.sub(r"/\*.*?\*/", "", self.text(macro)).strip("{} ").split(",")]

    def rows(self, pool: str) -> list[Row]:
        """The rows of one pool, TINY, L2 or L25."""
        found = re.findall(r"X\(([^)]*)\) /\* +([0-9.]+) % +([0-9.]+) % \*/", self.text(f"HAK_{pool}_CLASSES"))
        return [Row.read(cells, internal, tail) for cells, internal, tail in found]

    def all_rows(self) -> list[Row]:
        return [row for pool in ("TINY", "L2", "L25") for row in self.rows(pool)]


@dataclass(frozen=True)
class SpecLine:
    """A line of a spec as it stands there."""

    pool: str
    block_size: int
    chunks: int
    magazine_capacity: int


def read_spec(name: str) -> list[SpecLine]:
    """The lines of a spec that is known to be valid, in order."""
    lines = SPECS[name].read_text(encoding="utf-8").splitlines()
    columns = [line.split() for line in lines if line and not line.startswith("#")]
    return [SpecLine(pool, *map(int, numbers)) for pool, *numbers in columns]
