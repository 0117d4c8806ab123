# SPDX-License-Identifier: MIT
"""Holds malloc and free of the library for another processor against golden/hot_path_PROCESSOR.json.

With another compiler than Debian 12's, against that compiler's file beside it.

For //bench:hot_path_aarch64_test the library is built by --config=aarch64, likewise riscv64. Nothing is run: counted is what
stands from a function's start to its first return, none of its branches taken.
"""

from __future__ import annotations

import json
import re
import sys
import unittest
from pathlib import Path

from bench.commands import hot_path
from bench.engine import disassembly, valgrind
from bench.engine.disassembly import Kind, Program
from tools.measure import process

_LIBRARY = Path("hakmem/preload/libhakmem.so")
_NAMES = {"malloc": ("malloc", "__libc_malloc"), "free": ("free", "cfree", "__libc_free")}
"""objdump shows one of a function's names."""
_LOADS, _STORES = ("ld", "lb", "lw", "lh"), ("st", "sd", "sw", "sb", "sh", "amoswap")
_LINE = 64
_PROCESSORS = ("aarch64", "riscv64")


def path_of(program: Program, function: str) -> dict[str, int]:
    """The figures of a function's fast path."""
    start = next(program.functions[name] for name in _NAMES[function] if name in program.functions)
    addresses = [at for at in sorted(program.instructions) if at >= start]
    last = next(number for number, at in enumerate(addresses) if program.instructions[at].kind is Kind.RETURN)
    path = [program.instructions[at] for at in addresses[: last + 1]]
    return {
        "bytes": addresses[last + 1] - start,
        "calls": sum(one.kind in (Kind.CALL, Kind.TAIL_CALL) for one in path),
        "conditional_branches": sum(one.kind is Kind.BRANCH for one in path),
        "instructions": len(path),
        "loads": sum(one.text.startswith(_LOADS) for one in path),
        "offset_in_line": start % _LINE,
        "stores": sum(one.text.startswith(_STORES) for one in path),
    }


def compiler_of(library: Path) -> str:
    """ "gcc 12.2.0", as the compiler has left it in the library."""
    said = process.start([valgrind.tool("readelf"), "--string-dump=.comment", str(library)])
    found = re.search(r"GCC: \(.*\) ([\d.]+)", said)
    assert found is not None, said
    return f"gcc {found[1]}"


class HotPathTest(unittest.TestCase):
    maxDiff = None
    golden = Path()

    def test_the_fast_paths_are_as_checked_in(self) -> None:
        program = disassembly.disassemble(_LIBRARY)
        found = {function: path_of(program, function) for function in _NAMES}
        text = json.dumps(found, indent=2, sort_keys=True) + "\n"
        compiler = compiler_of(_LIBRARY)
        self.golden = hot_path.golden_of(compiler, self.golden)
        if not self.golden.exists():
            self.skipTest(f"there are no golden figures of {compiler}; {self.golden} is to hold:\n{text}")
        self.assertEqual(text, self.golden.read_text(encoding="utf-8"), f"{self.golden} is to hold:\n{text}")


if __name__ == "__main__":
    processor = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if processor not in _PROCESSORS:
        sys.exit(f"a processor is wanted: {', '.join(_PROCESSORS)}")
    HotPathTest.golden = Path(f"bench/golden/hot_path_{processor}.json")
    unittest.main()
