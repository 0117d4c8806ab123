# SPDX-License-Identifier: MIT
"""Division by a block size as one multiplication: the constants, and the proof of each.

The index of the block at a byte offset of its slab is

    index = (uint64_t)offset * reciprocal >> 32        with reciprocal = ceil(2^32 / block_bytes)

Rounding the reciprocal up makes the product too large by offset * error / 2^32 with an error below
block_bytes. That is harmless while it does not carry an offset over the start of the next block, which holds
for most block and slab sizes and not for all: so nothing is assumed, each class is proven.

The proof: multiplication by a constant that is not negative and a right shift are both monotone in the
offset, hence so is the index. Where the first and the last offset of a block have the same index, every
offset between them has it too. Two evaluations a block therefore prove all offsets of the slab. The unused
end of a slab counts as the beginning of one more block: its offsets get the index `blocks`, which no block
has.

A slab of one block has no other index than 0, at any offset, and its reciprocal is 0. (An exact reciprocal of
32 bits does not exist for most long blocks: 2^32 / 917504 rounds up to 4682, and 917503 * 4682 >> 32 is 1.)
"""

from typing import Optional

SHIFT = 32
RECIPROCAL_LIMIT = 1 << 32  # Held in a uint32_t.
PRODUCT_LIMIT = 1 << 64  # Computed in a uint64_t.


class ReciprocalError(Exception):
    """No exact reciprocal exists for this block and slab size."""


def rounded_up_reciprocal(block_bytes: int) -> int:
    """ceil(2^32 / block_bytes): no smaller value gives the start of block 1 the index 1."""
    return -(-(1 << SHIFT) // block_bytes)


def expected_index(offset: int, block_bytes: int, slab_bytes: int) -> int:
    """The index that the multiplication has to yield at an offset, by division."""
    return 0 if slab_bytes // block_bytes == 1 else offset // block_bytes


def first_wrong_offset(block_bytes: int, slab_bytes: int, reciprocal: int) -> Optional[int]:
    """Returns None where the reciprocal is proven for the offsets 0 to slab_bytes - 1.

    Otherwise the first end of a block, in bytes from the slab's start, whose index is wrong.
    """
    for start in range(0, slab_bytes, block_bytes):
        last = min(start + block_bytes, slab_bytes) - 1
        for offset in (start, last):
            if offset * reciprocal >> SHIFT != expected_index(offset, block_bytes, slab_bytes):
                return offset
    return None


def prove(block_bytes: int, slab_bytes: int, reciprocal: int) -> None:
    """Raises ReciprocalError unless the reciprocal is exact and no intermediate value overflows."""
    if not 0 <= reciprocal < RECIPROCAL_LIMIT:
        raise ReciprocalError(f"reciprocal {reciprocal} of {block_bytes} does not fit in 32 bits")
    if (slab_bytes - 1) * reciprocal >= PRODUCT_LIMIT:
        raise ReciprocalError(f"reciprocal {reciprocal} of {block_bytes} overflows 64 bits")
    offset = first_wrong_offset(block_bytes, slab_bytes, reciprocal)
    if offset is not None:
        raise ReciprocalError(
            f"reciprocal {reciprocal} of {block_bytes} gives index "
            f"{offset * reciprocal >> SHIFT} at offset {offset} of a slab of {slab_bytes} bytes, not "
            f"{expected_index(offset, block_bytes, slab_bytes)}"
        )


def proven_reciprocal(block_bytes: int, slab_bytes: int) -> int:
    """Returns the reciprocal of a class, or raises ReciprocalError."""
    one_block = slab_bytes // block_bytes == 1
    reciprocal = 0 if one_block else rounded_up_reciprocal(block_bytes)
    prove(block_bytes, slab_bytes, reciprocal)
    return reciprocal
