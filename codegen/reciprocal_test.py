# SPDX-License-Identifier: MIT
"""The proof of the reciprocals against the evaluation of every offset, both where it holds and where it fails."""

import random
import unittest

import numpy
from numpy.typing import NDArray

from codegen import reciprocal
from codegen.header_reader import SPECS, read_spec

CHUNK = 65536


def every_index(slab_bytes: int, value: int) -> NDArray[numpy.uint64]:
    """The index that C code computes, at each offset of a slab."""
    offsets = numpy.arange(slab_bytes, dtype=numpy.uint64)
    return (offsets * numpy.uint64(value)) >> numpy.uint64(32)


def every_offset_is_right(block_bytes: int, slab_bytes: int, value: int) -> bool:
    """By division, not by the proof's argument. A slab of one block has index 0 throughout."""
    offsets = numpy.arange(slab_bytes, dtype=numpy.uint64)
    expected = offsets // numpy.uint64(block_bytes)
    if slab_bytes < 2 * block_bytes:
        expected[:] = 0
    return bool((every_index(slab_bytes, value) == expected).all())


def is_proven(block_bytes: int, slab_bytes: int, value: int) -> bool:
    try:
        reciprocal.prove(block_bytes, slab_bytes, value)
    except reciprocal.ReciprocalError:
        return False
    return True


class Reciprocals(unittest.TestCase):
    def test_every_offset_of_every_class_has_its_index(self) -> None:
        for name in SPECS:
            for line in read_spec(name):
                slab_bytes = line.chunks * CHUNK
                value = reciprocal.proven_reciprocal(line.block_size, slab_bytes)
                self.assertTrue(every_offset_is_right(line.block_size, slab_bytes, value), line)

    def test_the_unused_end_of_a_slab_has_an_index_that_no_block_has(self) -> None:
        value = reciprocal.proven_reciprocal(24, CHUNK)
        self.assertEqual(int(every_index(CHUNK, value)[-1]), CHUNK // 24)

    def test_the_proof_rejects_a_wrong_reciprocal_of_every_class(self) -> None:
        for name in SPECS:
            for line in read_spec(name):
                slab_bytes = line.chunks * CHUNK
                value = reciprocal.proven_reciprocal(line.block_size, slab_bytes)
                self.assertTrue(is_proven(line.block_size, slab_bytes, value))
                for wrong in (value - 1, value + (1 << 20), value + (1 << 32)):
                    self.assertFalse(is_proven(line.block_size, slab_bytes, wrong), f"{line}: {wrong}")

    def test_the_proof_holds_exactly_where_every_offset_is_right(self) -> None:
        chooser = random.Random(20480)
        verdicts = []
        for _ in range(300):
            block_bytes = 8 * chooser.randrange(1, 4097)
            slab_bytes = CHUNK * chooser.randrange(1, 17)
            value = reciprocal.rounded_up_reciprocal(block_bytes) + chooser.choice((-1, 0, 0, 0, 1, 5))
            proven = is_proven(block_bytes, slab_bytes, value)
            right = every_offset_is_right(block_bytes, slab_bytes, value)
            self.assertEqual(proven, right, f"{block_bytes} in {slab_bytes} by {value}")
            verdicts.append(proven)
        self.assertGreater(verdicts.count(True), 50)
        self.assertGreater(verdicts.count(False), 50)

    def test_a_slab_too_long_for_32_bits_is_refused(self) -> None:
        self.assertFalse(every_offset_is_right(20480, 5 * CHUNK, reciprocal.rounded_up_reciprocal(20480)))
        with self.assertRaisesRegex(reciprocal.ReciprocalError, "20480 gives index 13 at offset 266239 .* not 12"):
            reciprocal.proven_reciprocal(20480, 5 * CHUNK)

    def test_a_long_block_has_no_rounded_up_reciprocal(self) -> None:
        value = reciprocal.rounded_up_reciprocal(917504)
        self.assertEqual((value, int(every_index(917504, value)[-1])), (4682, 1))
        self.assertEqual(reciprocal.proven_reciprocal(917504, 14 * CHUNK), 0)

    def test_values_that_overflow_are_refused(self) -> None:
        with self.assertRaisesRegex(reciprocal.ReciprocalError, "does not fit in 32 bits"):
            reciprocal.proven_reciprocal(1, CHUNK)
        with self.assertRaisesRegex(reciprocal.ReciprocalError, "does not fit in 32 bits"):
            reciprocal.prove(24, CHUNK, -1)
        with self.assertRaisesRegex(reciprocal.ReciprocalError, "overflows 64 bits"):
            reciprocal.prove(8, 1 << 35, (1 << 32) - 1)


if __name__ == "__main__":
    unittest.main()
