# SPDX-License-Identifier: MIT
"""Inputs from a seed: equal seeds give equal bytes, on every machine."""

from __future__ import annotations

import random

_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def words(generator: random.Random, count: int) -> list[str]:
    """Made-up words of 2 to 12 letters, all different."""
    found: dict[str, None] = {}
    while len(found) < count:
        length = generator.randint(2, 12)
        # The product of two draws prefers the front of the alphabet: letters that are frequent, as in a language.
        found["".join(_LETTERS[int(26 * generator.random() * generator.random())] for _ in range(length))] = None
    return list(found)


def text(generator: random.Random, lines: int, vocabulary: int = 5_000) -> str:
    """Lines of 4 to 14 words, a few words being frequent, so that it compresses about as prose does."""
    known = words(generator, vocabulary)
    result = []
    for _ in range(lines):
        picks = (known[int(len(known) * generator.random() ** 3)] for _ in range(generator.randint(4, 14)))
        result.append(" ".join(picks))
    return "\n".join(result) + "\n"


def picture(generator: random.Random, width: int, height: int) -> bytes:
    """A PPM: gradients with random rectangles on them."""
    rows = [bytearray(width * 3) for _ in range(height)]
    for y, row in enumerate(rows):
        for x in range(width):
            row[3 * x : 3 * x + 3] = bytes(((x * 255) // width, (y * 255) // height, (x ^ y) & 255))
    for _ in range(60):
        left, top = generator.randrange(width), generator.randrange(height)
        right, bottom = min(width, left + generator.randint(4, 200)), min(height, top + generator.randint(4, 200))
        colour = generator.randbytes(3)
        for row in rows[top:bottom]:
            row[3 * left : 3 * right] = colour * (right - left)
    return b"P6\n%d %d\n255\n" % (width, height) + b"".join(rows)
