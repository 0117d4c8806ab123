# SPDX-License-Identifier: MIT
"""Turns the rows of a spec into the C header: numbers the classes, fills the tables, renders the template.

Pure functions from spec to text: no time, no path and no hash order enters the header, so the same spec gives
the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

import jinja2

from codegen import class_spec, reciprocal
from codegen.class_spec import L2, L25, POOLS, TINY, Pool, SpecError, SpecRow

TEMPLATE = "hak_classes.h.j2"
NOT_OURS = 0  # The class of everything that no pool serves.
GRANULARITY_SHIFTS = {1: 0, 8: 3, 16: 4}


@dataclass(frozen=True)
class SizeClass:
    """A numbered class. `previous_bytes` is the block size of the class below, 0 for the first."""

    number: int
    row: SpecRow
    reciprocal: int
    previous_bytes: int

    @property
    def internal_waste(self) -> float:
        """The part of a block that the smallest size of the class leaves unused, 0 to 1."""
        return (self.row.block_bytes - (self.previous_bytes + 1)) / self.row.block_bytes

    @property
    def tail_waste(self) -> float:
        """The part of a slab behind its last whole block, 0 to 1."""
        return 1 - self.row.blocks * self.row.block_bytes / self.row.slab_bytes


@dataclass(frozen=True)
class Table:
    """Classes by index, the sentinel excepted, and the shift from a size to an index."""

    shift: int
    entries: list[int]

    def lines(self) -> list[str]:
        """The entries as lines of an initializer, each with the index that it starts at."""
        width = len(str(max(self.entries)))
        columns = 32 if width < 3 else 16  # A line stays below 120 characters.
        return [
            f"/* {start:4} */ " + "".join(f"{number:{width}}," for number in self.entries[start : start + columns])
            for start in range(0, len(self.entries), columns)
        ]


def number_classes(rows: Iterable[SpecRow]) -> list[SizeClass]:
    """Numbers the rows from 1. Raises SpecError for a row that has no exact reciprocal."""
    classes: list[SizeClass] = []
    previous_bytes = 0
    for number, row in enumerate(rows, start=1):
        try:
            proven = reciprocal.proven_reciprocal(row.block_bytes, row.slab_bytes)
        except reciprocal.ReciprocalError as error:
            raise SpecError(row.line, str(error), "fewer chunks a slab shorten its offsets") from error
        classes.append(SizeClass(number, row, proven, previous_bytes))
        previous_bytes = row.block_bytes
    return classes


def smallest_fit(classes: Iterable[SizeClass], size: int) -> int:
    """The number of the first class, in ascending order, whose block holds `size` bytes."""
    return next(c.number for c in classes if c.row.block_bytes >= size)


def granularity_of(entries: int) -> int:
    """Bytes of size that an entry of a tiny table of so many entries answers for; size 0 has an entry of its own."""
    return TINY.max_bytes // (entries - 1)


def tiny_table(classes: list[SizeClass], granularity: int) -> Table:
    """Indexed by (size + granularity - 1) >> shift: an entry answers for the largest size that maps to it."""
    tiny = of_pool(classes, TINY)
    sizes = range(0, TINY.max_bytes + 1, granularity)
    return Table(GRANULARITY_SHIFTS[granularity], [smallest_fit(tiny, size) for size in sizes])


def large_table(classes: list[SizeClass], pool: Pool) -> Table:
    """Indexed by (size - 1) >> shift, for L2 and L2.5.

    The step 1 << shift is the largest power of two that divides every block size of the pool and its lower
    limit: no class boundary then lies inside a step, and an entry answers for its largest size. Entries below
    the lower limit hold the pool's first class, so that a size rounded down by a caller stays in the pool.
    """
    members = of_pool(classes, pool)
    boundaries = [pool.floor_bytes] + [c.row.block_bytes for c in members]
    step = min(class_spec.largest_power_of_two_divisor(boundary) for boundary in boundaries)
    sizes = range(step, pool.max_bytes + 1, step)
    return Table(step.bit_length() - 1, [smallest_fit(members, size) for size in sizes])


def of_pool(classes: Iterable[SizeClass], pool: Pool) -> list[SizeClass]:
    return [c for c in classes if c.row.pool is pool]


def x_rows(classes: list[SizeClass]) -> list[str]:
    """The rows of an X-macro with aligned columns, each with its waste in a comment."""
    cells = [
        (
            c.number,
            c.row.block_bytes,
            c.row.blocks,
            c.row.chunks,
            c.row.bitmap_words,
            c.reciprocal,
            c.row.capacity,
        )
        for c in classes
    ]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*cells)]
    return [
        f"X({', '.join(f'{cell:{width}}' for cell, width in zip(row, widths))}) "
        f"/* {100 * c.internal_waste:4.1f} % {100 * c.tail_waste:4.1f} % */"
        for c, row in zip(classes, cells)
    ]


def render(name: str, spec_text: str, granularity: int, multiple: int = class_spec.SIZE_MULTIPLE) -> str:
    """Returns the header for a spec, or raises SpecError. `name` is the spec's file name without suffix.

    Classes whose size is no multiple of `multiple` are left out; their sizes go to the class above. That keeps every
    size covered, since a pool's last class is a multiple of far more. So are those whose size is no multiple of
    `granularity`: an entry of the table answers for its largest size, and never has a smaller class.
    """
    kept = max(multiple, granularity)  # each is a power of two
    rows = [row for row in class_spec.parse_spec(spec_text) if row.block_bytes % kept == 0]
    classes = number_classes(rows)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    macros = {TINY: "TINY", L2: "L2", L25: "L25"}
    return environment.get_template(TEMPLATE).render(
        name=name,
        granularity=granularity,
        limits=class_spec,
        size_multiple=max(class_spec.SIZE_MULTIPLE, granularity),
        pools=[{"macro": macros[pool], "limits": pool, "classes": of_pool(classes, pool)} for pool in POOLS],
        classes=classes,
        x_rows=x_rows,
        reciprocal_shift=reciprocal.SHIFT,
        not_ours=NOT_OURS,
        tiny_table=tiny_table(classes, granularity),
        large_tables=[
            {"macro": macros[pool], "limits": pool, "table": large_table(classes, pool)} for pool in (L2, L25)
        ],
    )
