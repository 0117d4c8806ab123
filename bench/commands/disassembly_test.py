# SPDX-License-Identifier: MIT
"""The reading of objdump's listings and lackey's traces, on small examples."""

from __future__ import annotations

import unittest
from typing import Any

from bench.commands import hot_path
from bench.engine import disassembly, lackey
from bench.engine.disassembly import Kind
from tools.measure.program import BenchError

_LISTING = """
0000000000001000 <probe>:
    1000:\ttest   %rdi,%rdi
    1003:\tje     1010 <probe+0x10>
    1005:\tcall   2000 <slow>
    100a:\tbnd jmp 2000 <slow>
    1010:\tjmp    3000 <probe.cold>
    1015:\tjmp    1000 <probe>
    101a:\tjmp    *%rax
    101c:\tlock cmpxchg %rcx,(%rdi)
    1020:\trepz ret

0000000000003000 <probe.cold>:
    3000:\tjmp    1015 <probe+0x15>
"""

# caller at 0x500; three calls, the second one takes another path and writes.
_TRACE = """==1== a line of valgrind's own
I  00000500,5
 S 1ffe,8
I  00001000,3
I  00001020,2
 L 1ffe,8
I  00000505,5
I  00000500,5
 S 1ffe,8
I  00001000,3
 M 2ffe,8
I  00001020,2
 L 1ffe,8
I  00000505,5
I  00000500,5
I  00001000,3
I  00001020,2
 L 1ffe,8
I  00000505,5
"""

_ARM64_LISTING = """
probe.so:     file format elf64-littleaarch64

0000000000001000 <probe>:
    1000:\tcbz\tx0, 1010 <probe+0x10>
    1004:\tb.eq\t1010 <probe+0x10>  // b.none
    1008:\tbl\t2000 <slow>
    100c:\tb\t2000 <slow>
    1010:\tb\t1000 <probe>
    1014:\tbr\tx16
    1018:\tbic\tx0, x0, x1
    101c:\ttbnz\tw0, #3, 1010 <probe+0x10>
    1020:\tret
"""

_RISCV_LISTING = """
probe.so:     file format elf64-littleriscv

0000000000001000 <probe>:
    1000:\tbeqz\ta0,1010 <probe+0x10>
    1004:\tbltu\ta0,a1,1010 <probe+0x10>
    1008:\tjal\tra,2000 <slow>
    100c:\tj\t1000 <probe>
    100e:\tj\t2000 <slow>
    1010:\tjr\tt1
    1012:\tbset\ta0,a0,a1
    1016:\tret
"""


class DisassemblyTest(unittest.TestCase):
    def test_kinds_of_other_processors(self) -> None:
        branch, call, jump, plain, back = Kind.BRANCH, Kind.CALL, Kind.TAIL_CALL, Kind.PLAIN, Kind.RETURN
        for listing, kinds in (
            (_ARM64_LISTING, [branch, branch, call, jump, plain, jump, plain, branch, back]),
            (_RISCV_LISTING, [branch, branch, call, plain, jump, jump, plain, back]),
        ):
            program = disassembly.parse(listing)
            self.assertEqual([one.kind for one in program.instructions.values()], kinds)

    def test_kinds(self) -> None:
        program = disassembly.parse(_LISTING)
        self.assertEqual(program.functions, {"probe": 0x1000, "probe.cold": 0x3000})
        self.assertEqual(
            {address: instruction.kind for address, instruction in program.instructions.items()},
            {
                0x1000: Kind.PLAIN,
                0x1003: Kind.BRANCH,
                0x1005: Kind.CALL,
                0x100A: Kind.TAIL_CALL,
                0x1010: Kind.PLAIN,
                0x1015: Kind.PLAIN,
                0x101A: Kind.TAIL_CALL,
                0x101C: Kind.PLAIN,
                0x1020: Kind.RETURN,
                0x3000: Kind.PLAIN,
            },
        )


class LackeyTest(unittest.TestCase):
    def test_calls_end_where_the_caller_goes_on(self) -> None:
        calls = list(lackey.calls(_TRACE.splitlines(), 0x1000))
        self.assertEqual([call.path for call in calls], [[0x1000, 0x1020]] * 3)
        self.assertEqual([(call.loads, call.stores) for call in calls], [(1, 0), (2, 1), (1, 0)])


class DifferencesTest(unittest.TestCase):
    def golden(self, instructions: int, compiler: str = "gcc 12.2.0") -> dict[str, Any]:
        figures = {"instructions": instructions}
        return {"compiler": compiler, "combinations": {"p0": {"malloc": figures, "free": {"instructions": 13}}}}

    def test_equal_figures_differ_in_nothing(self) -> None:
        self.assertEqual(hot_path.differences(self.golden(14), self.golden(14, "gcc 13.1.0")), [])

    def test_a_change_is_told_with_its_size(self) -> None:
        self.assertEqual(
            hot_path.differences(self.golden(14), self.golden(16)),
            ["p0 malloc instructions: golden 14, now 16 (+2)"],
        )

    def test_another_compiler_is_named(self) -> None:
        self.assertIn("gcc 13.1.0", hot_path.differences(self.golden(14), self.golden(16, "gcc 13.1.0"))[-1])

    def test_other_builds_are_refused(self) -> None:
        said = {"config": "p0", "compiler": "gcc", "comparable": True}
        hot_path.require_comparable(said, "worker", "p0")
        for key, value in (("compiler", "clang"), ("comparable", False), ("config", "p1")):
            with self.subTest(key=key), self.assertRaises(BenchError):
                hot_path.require_comparable(said | {key: value}, "worker", "p0")


if __name__ == "__main__":
    unittest.main()
