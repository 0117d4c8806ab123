# SPDX-License-Identifier: MIT
"""Holds malloc and free of the libraries, as they ship, in one cache line each.

With guard=exact free takes two: whether another thread may free the block at the same moment is asked for each.
"""

from __future__ import annotations

import unittest
from pathlib import Path

from bench.engine import disassembly
from bench.engine.disassembly import Kind

_LINES = {
    "libhakmem.so": {"malloc": 1, "free": 1},
    "libhakmem-guard.so": {"malloc": 1, "free": 2},
}
_FOLDER = Path("hakmem/preload")
_NAMES = {"malloc": {"malloc", "__libc_malloc"}, "free": {"free", "cfree", "__libc_free"}}
"""objdump shows one of a function's names."""
_LINE = 64


class HotLinesTest(unittest.TestCase):
    def test_the_fast_path_of_malloc_and_free_is_short(self) -> None:
        for library, lines in _LINES.items():
            program = disassembly.disassemble(_FOLDER / library)
            for function, most in lines.items():
                names = _NAMES[function]
                with self.subTest(library=library, function=function):
                    start = program.functions[next(name for name in names if name in program.functions)]
                    path = [at for at in sorted(program.instructions) if at >= start]
                    # One byte: ret.
                    end = 1 + next(at for at in path if program.instructions[at].kind is Kind.RETURN)
                    listing = "\n    ".join(program.instructions[at].text for at in path if at < end)
                    self.assertEqual(start % _LINE, 0, f"{function} does not begin with a line")
                    self.assertEqual(
                        -(-(end - start) // _LINE), most, f"{function} is {end - start} bytes long:\n    {listing}"
                    )


if __name__ == "__main__":
    unittest.main()
