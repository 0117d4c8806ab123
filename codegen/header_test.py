# SPDX-License-Identifier: MIT
"""The header's content: every size maps to its class, every constant fits, and C compilers take it.

The oracle is the definition, applied to each size: the smallest block of the spec that holds it.
"""

import re
import shutil
import subprocess
import tempfile
import unittest
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy
from numpy.typing import NDArray

from codegen import class_header, reciprocal
from codegen.header_reader import SPECS, Header, read_spec

CHUNK = 65536
TINY_MAX, L2_MAX, L25_MAX = 1024, 32768, 1048576
GRANULARITIES = (1, 8, 16)

# What the two included headers provide; the real ones hold more.
COMPILER_H = """
#ifdef __cplusplus
#define HAK_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define HAK_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
"""
CONFIG_H = """
#define HAK_CHUNK_BYTES 65536
#define HAK_TINY_MAX 1024
#define HAK_L2_MAX 32768
#define HAK_L25_MAX 1048576
#define HAK_BITMAP_WORDS_MAX 128
"""
# A use of every table: more entries than the macro says do not compile, fewer fail the assertion.
USE_C = """
#include "hak_classes.h"
const unsigned char tiny[] = HAK_SIZE_CLASS_TABLE;
const unsigned char l2[] = HAK_L2_CLASS_TABLE;
const unsigned char l25[] = HAK_L25_CLASS_TABLE;
HAK_STATIC_ASSERT(sizeof tiny == HAK_SIZE_CLASS_TABLE_ENTRIES + 1, "tiny");
HAK_STATIC_ASSERT(sizeof l2 == HAK_L2_TABLE_ENTRIES + 1, "l2");
HAK_STATIC_ASSERT(sizeof l25 == HAK_L25_TABLE_ENTRIES + 1, "l25");
"""
C11 = ("gcc", "-xc", "-std=c11")
CXX17 = ("g++", "-xc++", "-std=c++17")
WARNINGS = ("-Wall", "-Wextra", "-Wundef", "-Wpedantic", "-Wno-unused", "-Werror", "-fsyntax-only")


@lru_cache(maxsize=None)
def header_text(name: str, granularity: int) -> str:
    return class_header.render(name, SPECS[name].read_text(encoding="utf-8"), granularity)


@lru_cache(maxsize=None)
def header(name: str, granularity: int) -> Header:
    return Header(header_text(name, granularity))


@lru_cache(maxsize=None)
def oracle(name: str, granularity: int = 1) -> NDArray[numpy.int64]:
    """The class of every size from 0 to 1 MiB. Going down, each block claims all sizes that it holds."""
    classes = numpy.zeros(L25_MAX + 1, dtype=numpy.int64)
    lines = [line for line in read_spec(name) if line.block_size % granularity == 0]
    for number, line in reversed(list(enumerate(lines, start=1))):
        classes[: line.block_size + 1] = number
    return classes


class Mapping(unittest.TestCase):
    def test_every_tiny_size_maps_to_its_class(self) -> None:
        for name in SPECS:
            for granularity in GRANULARITIES:
                with self.subTest(name, granularity=granularity):
                    found = header(name, granularity)
                    table = numpy.array(found.table("HAK_SIZE_CLASS_TABLE"))
                    sizes = numpy.arange(TINY_MAX + 1)
                    self.assertEqual(found.number("HAK_TABLE_GRANULARITY"), granularity)
                    mapped = table[(sizes + granularity - 1) >> found.number("HAK_TABLE_SHIFT")]
                    self.assert_classes(name, sizes, mapped, granularity)

    def test_every_l2_size_maps_to_its_class(self) -> None:
        self.check_large("L2", TINY_MAX + 1, L2_MAX)

    def test_every_l25_size_maps_to_its_class(self) -> None:
        self.check_large("L25", L2_MAX + 1, L25_MAX)

    def check_large(self, pool: str, first_size: int, last_size: int) -> None:
        for name in SPECS:
            with self.subTest(name):
                found = header(name, 1)
                table = numpy.array(found.table(f"HAK_{pool}_CLASS_TABLE"))
                sizes = numpy.arange(first_size, last_size + 1)
                mapped = table[(sizes - 1) >> found.number(f"HAK_{pool}_TABLE_SHIFT")]
                self.assert_classes(name, sizes, mapped)

    def assert_classes(
        self, name: str, sizes: NDArray[numpy.int64], mapped: NDArray[numpy.int64], granularity: int = 1
    ) -> None:
        wrong = sizes[mapped != oracle(name, granularity)[sizes]]
        self.assertEqual(wrong.size, 0, f"{name}: the first wrong sizes are {wrong[:8]}")

    def test_a_large_table_is_as_coarse_as_its_sizes_allow(self) -> None:
        for name in SPECS:
            for pool, label, floor in (("L2", "l2", TINY_MAX), ("L25", "l25", L2_MAX)):
                sizes = [floor] + [line.block_size for line in read_spec(name) if line.pool == label]
                step = 1 << header(name, 1).number(f"HAK_{pool}_TABLE_SHIFT")
                self.assertEqual([size for size in sizes if size % step], [])
                self.assertTrue(any(size % (2 * step) for size in sizes), f"{name} {pool}")

    def test_entries_below_a_pool_hold_its_first_class(self) -> None:
        for name in SPECS:
            for pool, floor in (("L2", TINY_MAX), ("L25", L2_MAX)):
                found = header(name, 1)
                below = floor >> found.number(f"HAK_{pool}_TABLE_SHIFT")
                table = found.table(f"HAK_{pool}_CLASS_TABLE")
                self.assertEqual(set(table[:below]), {found.number(f"HAK_{pool}_CLASS_FIRST")})

    def test_one_sentinel_of_class_0_ends_each_table(self) -> None:
        for name in SPECS:
            for granularity in GRANULARITIES:
                found = header(name, granularity)
                for table, count, entries in (
                    ("HAK_SIZE_CLASS_TABLE", "HAK_SIZE_CLASS_TABLE_ENTRIES", {1: 1025, 8: 129, 16: 65}[granularity]),
                    ("HAK_L2_CLASS_TABLE", "HAK_L2_TABLE_ENTRIES", L2_MAX >> found.number("HAK_L2_TABLE_SHIFT")),
                    ("HAK_L25_CLASS_TABLE", "HAK_L25_TABLE_ENTRIES", L25_MAX >> found.number("HAK_L25_TABLE_SHIFT")),
                ):
                    values = found.table(table)
                    self.assertEqual(len(values), entries + 1)
                    self.assertEqual(found.number(count), entries)
                    self.assertEqual([index for index, value in enumerate(values) if value == 0], [entries])

    def test_tables_of_1_and_8_bytes_agree(self) -> None:
        for name in SPECS:
            bytewise, coarse = (header(name, granularity).table("HAK_SIZE_CLASS_TABLE") for granularity in (1, 8))
            for size in range(TINY_MAX + 2):
                self.assertEqual(bytewise[size], coarse[(size + 7) >> 3], f"{name}, size {size}")

    def test_a_table_of_16_bytes_leaves_out_what_it_cannot_tell_apart(self) -> None:
        for name in SPECS:
            kept = [row.block_size for row in header(name, 16).all_rows()]
            every = [row.block_size for row in header(name, 1).all_rows()]
            self.assertEqual(kept, [size for size in every if size % 16 == 0])
            self.assertLess(len(kept), len(every))

    def test_granularity_follows_from_the_entries(self) -> None:
        for entries, granularity in ((1025, 1), (129, 8), (65, 16)):
            self.assertEqual(class_header.granularity_of(entries), granularity)


class Constants(unittest.TestCase):
    def test_rows_hold_what_the_spec_says(self) -> None:
        for name in SPECS:
            rows, lines = header(name, 1).all_rows(), read_spec(name)
            self.assertEqual(len(rows), len(lines))
            for number, (row, line) in enumerate(zip(rows, lines), start=1):
                blocks = line.chunks * CHUNK // line.block_size
                self.assertEqual(
                    (row.number, row.block_size, row.chunks, row.magazine_capacity),
                    (number, line.block_size, line.chunks, line.magazine_capacity),
                )
                self.assertEqual((row.blocks, row.bitmap_words), (blocks, (blocks + 63) // 64))

    def test_pools_are_contiguous_from_class_1(self) -> None:
        for name in SPECS:
            found, lines, following = header(name, 1), read_spec(name), 1
            for pool, label in (("TINY", "tiny"), ("L2", "l2"), ("L25", "l25")):
                self.assertEqual(found.number(f"HAK_{pool}_CLASS_FIRST"), following)
                following += sum(line.pool == label for line in lines)
                self.assertEqual(found.number(f"HAK_{pool}_CLASS_LAST"), following - 1)
                self.assertEqual([row.number for row in found.rows(pool)][-1], following - 1)
            self.assertEqual(found.number("HAK_CLASS_COUNT"), following)
            self.assertEqual(found.text("HAK_CLASSES_NAME"), f'"{name}"')

    def test_public_numbers_of_pow2_are_class_minus_one(self) -> None:
        table = header("pow2", 1).table("HAK_SIZE_CLASS_TABLE")
        upper_ends = (8, 16, 32, 64, 128, 256, 512, 1024)
        lower_end = 0
        for public, upper_end in enumerate(upper_ends):
            self.assertEqual({entry - 1 for entry in table[lower_end : upper_end + 1]}, {public})
            lower_end = upper_end + 1

    def test_comments_state_the_waste(self) -> None:
        for name in SPECS:
            previous = 0
            for row in header(name, 1).all_rows():
                inside = Fraction(row.block_size - previous - 1, row.block_size)
                tail = 1 - Fraction(row.blocks * row.block_size, row.chunks * CHUNK)
                stated = (row.internal_waste, row.tail_waste)
                self.assertEqual(stated, (f"{float(inside * 100):.1f}", f"{float(tail * 100):.1f}"))
                previous = row.block_size

    def test_fine_wastes_at_most_an_eighth_above_64_bytes(self) -> None:
        previous = 0
        for line in read_spec("fine"):
            if line.block_size > 64:
                waste = Fraction(line.block_size - (previous + 1), line.block_size)
                self.assertLessEqual(waste, Fraction(1, 8), line)
            previous = line.block_size

    def test_fine16_is_aligned_and_wastes_as_much_as_it_says(self) -> None:
        previous = 0
        for line in read_spec("fine16"):
            if line.block_size >= 16:
                self.assertEqual(line.block_size % 16, 0, line)
            if line.block_size > 112:
                waste = Fraction(line.block_size - (previous + 1), line.block_size)
                self.assertLessEqual(waste, Fraction(1, 8 if line.block_size <= 8192 else 5), line)
            previous = line.block_size

    def test_fine16_cuts_slabs_as_fine_does(self) -> None:
        fine = {line.block_size: (line.chunks, line.magazine_capacity) for line in read_spec("fine")}
        for line in read_spec("fine16"):
            self.assertEqual((line.chunks, line.magazine_capacity), fine[line.block_size], line)

    def test_a_fine_l2_slab_is_short_and_leaves_little_unused(self) -> None:
        """At least 8 blocks and at most 4 % unused, unless no such slab has an exact reciprocal."""
        for line in read_spec("fine"):
            if line.pool != "l2":
                continue
            candidates = []
            for chunks in range(1, 17):
                blocks, unused = divmod(chunks * CHUNK, line.block_size)
                if blocks >= 8 and self.has_reciprocal(line.block_size, chunks * CHUNK):
                    waste = Fraction(unused, chunks * CHUNK)
                    candidates.append((max(waste, Fraction(4, 100)), chunks))
            self.assertEqual(line.chunks, min(candidates)[1], line)

    @staticmethod
    def has_reciprocal(block_bytes: int, slab_bytes: int) -> bool:
        value = reciprocal.rounded_up_reciprocal(block_bytes)
        return reciprocal.first_wrong_offset(block_bytes, slab_bytes, value) is None

    def test_an_l25_slab_is_one_block(self) -> None:
        for name in SPECS:
            for row in header(name, 1).rows("L25"):
                self.assertEqual((row.blocks, row.chunks), (1, -(-row.block_size // CHUNK)))


@unittest.skipUnless(shutil.which("gcc") and shutil.which("g++"), "no C and C++ compiler")
class Compilation(unittest.TestCase):
    def compile(self, compiler: tuple[str, ...], header_c: str, config_h: str = CONFIG_H) -> str:
        """What the compiler says about a use of the header: nothing, or its errors."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "hakmem" / "base").mkdir(parents=True)
            (folder / "hakmem" / "base" / "compiler.h").write_text(COMPILER_H)
            (folder / "hakmem" / "base" / "config.h").write_text(config_h)
            (folder / "hak_classes.h").write_text(header_c)
            (folder / "use.c").write_text(USE_C)
            command = [*compiler, *WARNINGS, f"-I{folder}", str(folder / "use.c")]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode == 0, result.stderr == "")
            return result.stderr

    def test_c_and_cxx_take_the_header_without_a_warning(self) -> None:
        for name in SPECS:
            for granularity in GRANULARITIES:
                for compiler in (C11, CXX17):
                    self.assertEqual(self.compile(compiler, header_text(name, granularity)), "")

    def test_another_limit_than_the_generator_used_does_not_compile(self) -> None:
        for line in CONFIG_H.split("\n")[1:-1]:
            changed = CONFIG_H.replace(line, line + " / 2")
            self.assertIn("generated for another", self.compile(C11, header_text("pow2", 1), changed), line)

    def test_a_wrong_constant_does_not_compile(self) -> None:
        row = r"X\( 3,   24, 2730, 1,  43, 178956971, 96\)"
        for replacement, expected in (
            ("X( 3,   28, 2340, 1,  43, 178956971, 96)", "size of class 3"),
            ("X( 3,   24, 2731, 1,  43, 178956971, 96)", "blocks of class 3"),
            ("X( 3,   24, 2730, 2,  43, 178956971, 96)", "blocks of class 3"),
            ("X( 3,   24, 2730, 1,  42, 178956971, 96)", "bitmap of class 3"),
            ("X( 3,   24, 2730, 1, 129, 178956971, 96)", "bitmap of class 3"),
            ("X( 3,   24, 2730, 1,  43, 178956970, 96)", "reciprocal of class 3 at a first byte"),
            ("X( 3,   24, 2730, 1,  43, 180000000, 96)", "reciprocal of class 3 at a last byte"),
            ("X( 3,   24, 2730, 1,  43, 178956971, 95)", "magazine of class 3 is halved"),
            ("X( 3,   24, 2730, 1,  43, 178956971, 128)", "magazine of class 3"),
            ("X( 3,   16, 4096, 1,  64, 268435456, 96)", "size of class 3 ascends"),
            ("X(200,   24, 2730, 1,  43, 178956971, 96)", "class 200 is numbered"),
            ("X( 3,  24, 46420, 17, 43, 178956971, 96)", "chunks of class 3"),
            ("", "count of pool tiny"),
        ):
            with self.subTest(replacement):
                self.assert_refused(row, replacement, expected)

    def test_a_wrong_table_or_pool_limit_does_not_compile(self) -> None:
        for pattern, replacement, expected in (
            ("(HAK_TABLE_GRANULARITY) 1\n", r"\1 8\n", "granularity of the tiny table"),
            ("(HAK_TABLE_SHIFT) 0\n", r"\1 1\n", "length of the tiny table"),
            ("(HAK_L2_TABLE_SHIFT) 7\n", r"\1 8\n", "length of the l2 table"),
            ("(HAK_L25_TABLE_ENTRIES) 256\n", r"\1 255\n", "length of the l25 table"),
            ("1024,   64, 1,   1,   4194304", "1016,   64, 1,   1,   4227331", "end of pool tiny"),
        ):
            with self.subTest(replacement):
                self.assert_refused(pattern, replacement, expected)

    def assert_refused(self, pattern: str, replacement: str, expected: str) -> None:
        """The header of fine with one place changed does not compile, and the message names the place."""
        changed, count = re.subn(pattern, replacement, header_text("fine", 1))
        self.assertEqual(count, 1)
        self.assertIn(expected, self.compile(C11, changed))


if __name__ == "__main__":
    unittest.main()
