# SPDX-License-Identifier: MIT
"""Reads a spec file: the size classes of the allocator, one a line, and the limits that they must keep.

A line holds four columns, `pool block_size chunks_per_slab magazine_capacity`; `#` starts a comment.
Pools come in the order tiny, l2, l25 and sizes ascend over the whole file, so the line order is the class
order. A spec that breaks a limit is refused at its first wrong line: the C code relies on every limit here
and tests none of them again at run time.
"""

import re
from dataclasses import dataclass
from typing import Iterator, Optional

# The inputs that the generated header asserts against hakmem/base/config.h. Sizes are bytes.
CHUNK_BYTES = 65536
BITMAP_WORD_BITS = 64
BITMAP_WORDS_MAX = 128

SIZE_MULTIPLE = 8  # One index step of the coarse table, and the least alignment of a block.
BLOCKS_MAX = BITMAP_WORDS_MAX * BITMAP_WORD_BITS
CHUNKS_MAX = 16
CAPACITY_MIN = 2
CAPACITY_MAX = 126
CLASSES_MAX = 254  # A class is one byte of the page map; 0 is "not ours" and 255 stays free.
LARGE_TABLE_ENTRIES_MAX = 1024  # Of L2 and of L2.5 each: a table stays within 16 cache lines.


@dataclass(frozen=True)
class Pool:
    """A range of sizes served by one module: above `floor_bytes`, up to and including `max_bytes`."""

    name: str
    floor_bytes: int
    max_bytes: int


TINY = Pool("tiny", 0, 1024)
L2 = Pool("l2", TINY.max_bytes, 32768)
L25 = Pool("l25", L2.max_bytes, 1048576)
POOLS = (TINY, L2, L25)


@dataclass(frozen=True)
class SpecRow:
    """One line of a spec. `capacity` counts the blocks of one magazine."""

    line: int
    pool: Pool
    block_bytes: int
    chunks: int
    capacity: int

    @property
    def slab_bytes(self) -> int:
        return self.chunks * CHUNK_BYTES

    @property
    def blocks(self) -> int:
        """Whole blocks in a slab."""
        return self.slab_bytes // self.block_bytes

    @property
    def bitmap_words(self) -> int:
        """64-bit words that hold one bit a block."""
        return -(-self.blocks // BITMAP_WORD_BITS)


class SpecError(Exception):
    """A spec breaks a limit: the line, what is wrong there and what is allowed instead."""

    def __init__(self, line: int, wrong: str, allowed: str) -> None:
        super().__init__(f"{line}: {wrong}; {allowed}")


def parse_spec(text: str) -> list[SpecRow]:
    """Returns the rows of a spec in class order, or raises SpecError for its first wrong line."""
    rows: list[SpecRow] = []
    for line, columns in _content_lines(text):
        row = _parse_row(line, columns)
        _check_order(row, rows)
        _check_size(row)
        _check_table_step(row)
        _check_slab(row)
        _check_capacity(row)
        rows.append(row)
    _check_coverage(rows, last_line=max(1, text.count("\n") + (not text.endswith("\n"))))
    return rows


def _content_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields line number, from 1, and columns of every line that is more than a comment."""
    for line, content in enumerate(text.split("\n"), start=1):
        columns = content.partition("#")[0].split()
        if columns:
            yield line, columns


def _parse_row(line: int, columns: list[str]) -> SpecRow:
    if len(columns) != 4:
        raise SpecError(
            line,
            f"{len(columns)} columns",
            "a line is 'pool block_size chunks_per_slab magazine_capacity'",
        )
    pool = next((pool for pool in POOLS if pool.name == columns[0]), None)
    if pool is None:
        raise SpecError(line, f"unknown pool {columns[0]!r}", "pools are tiny, l2 and l25")
    return SpecRow(line, pool, *(_parse_number(line, column) for column in columns[1:]))


def _parse_number(line: int, column: str) -> int:
    """Stricter than int(), which also takes signs, underscores and the digits of other scripts."""
    if not re.fullmatch("[0-9]{1,9}", column):
        raise SpecError(line, f"{column!r} is not a number", "up to nine decimal digits are allowed")
    return int(column)


def _check_order(row: SpecRow, before: list[SpecRow]) -> None:
    if len(before) == CLASSES_MAX:
        raise SpecError(row.line, f"class {len(before) + 1}", f"at most {CLASSES_MAX} classes are allowed")
    if not before:
        return
    previous = before[-1]
    if POOLS.index(row.pool) < POOLS.index(previous.pool):
        raise SpecError(
            row.line,
            f"pool {row.pool.name} after pool {previous.pool.name}",
            "pools come in the order tiny, l2, l25",
        )
    first = next((other for other in before if other.block_bytes == row.block_bytes), None)
    if first is not None:
        raise SpecError(
            row.line,
            f"size {row.block_bytes} is repeated, first used on line {first.line}",
            "every size is one class",
        )
    if row.block_bytes < previous.block_bytes:
        raise SpecError(
            row.line,
            f"size {row.block_bytes} after size {previous.block_bytes}",
            "sizes ascend over the whole file",
        )


def _check_size(row: SpecRow) -> None:
    if row.block_bytes % SIZE_MULTIPLE:
        raise SpecError(row.line, f"size {row.block_bytes}", f"sizes are multiples of {SIZE_MULTIPLE}")
    if not row.pool.floor_bytes < row.block_bytes <= row.pool.max_bytes:
        raise SpecError(
            row.line,
            f"size {row.block_bytes} in pool {row.pool.name}",
            f"its sizes are above {row.pool.floor_bytes} and at most {row.pool.max_bytes}",
        )


def _check_table_step(row: SpecRow) -> None:
    """Keeps the tables of L2 and L2.5 small: their step must divide every size of the pool."""
    least_step = row.pool.max_bytes // LARGE_TABLE_ENTRIES_MAX
    if row.pool is TINY or row.block_bytes % least_step == 0:
        return
    entries = row.pool.max_bytes // largest_power_of_two_divisor(row.block_bytes)
    raise SpecError(
        row.line,
        f"size {row.block_bytes} needs a table of {entries} entries",
        f"at most {LARGE_TABLE_ENTRIES_MAX} are allowed: sizes of pool {row.pool.name} "
        f"are multiples of {least_step}",
    )


def _check_slab(row: SpecRow) -> None:
    if not 1 <= row.chunks <= CHUNKS_MAX:
        raise SpecError(row.line, f"{row.chunks} chunks", f"1 to {CHUNKS_MAX} chunks are allowed")
    if row.block_bytes > row.slab_bytes:
        raise SpecError(
            row.line,
            f"a block of {row.block_bytes} bytes is larger than its slab of {row.slab_bytes}",
            f"a slab holds at least one block: {-(-row.block_bytes // CHUNK_BYTES)} chunks or more",
        )
    if row.blocks > BLOCKS_MAX:
        raise SpecError(row.line, f"{row.blocks} blocks a slab", f"at most {BLOCKS_MAX} blocks are allowed")


def _check_capacity(row: SpecRow) -> None:
    """Half a magazine is refilled or emptied at once, so a capacity is even."""
    if row.capacity % 2 or not CAPACITY_MIN <= row.capacity <= CAPACITY_MAX:
        raise SpecError(
            row.line,
            f"magazine capacity {row.capacity}",
            f"even numbers from {CAPACITY_MIN} to {CAPACITY_MAX} are allowed",
        )


def _check_coverage(rows: list[SpecRow], last_line: int) -> None:
    """Every size from 0 to the last pool's maximum has a class of the pool that serves the size."""
    for pool in POOLS:
        last: Optional[SpecRow] = next((row for row in reversed(rows) if row.pool is pool), None)
        if last is None:
            raise SpecError(
                last_line,
                f"end of file, and pool {pool.name} has no class",
                f"its last class is {pool.max_bytes} bytes",
            )
        if last.block_bytes != pool.max_bytes:
            raise SpecError(
                last.line,
                f"pool {pool.name} ends here and leaves sizes {last.block_bytes + 1} to " f"{pool.max_bytes} uncovered",
                f"its last class is {pool.max_bytes} bytes",
            )


def largest_power_of_two_divisor(number: int) -> int:
    return number & -number
