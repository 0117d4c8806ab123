# SPDX-License-Identifier: MIT
"""The reading of callgrind's and strace's output, and what is made of two runs."""

from __future__ import annotations

import unittest

from bench.engine import system_calls, valgrind

_CALLGRIND = """\
version: 1
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim
fn=(1) measured_part
0 5
totals: 1000 200 100 1 2 3 4 5 6 70 7 3
"""

_STRACE = """\
    calls syscall
--------- ----------------
       12 mmap
        3 munmap
        1 exit_family
--------- ----------------
       16 total
"""


class CallgrindTest(unittest.TestCase):
    def test_totals(self) -> None:
        self.assertEqual(
            valgrind.parse_totals(_CALLGRIND), valgrind.Counts(instructions=1000, branches=73, data_references=300)
        )

    def test_zeros_at_the_end_are_left_out(self) -> None:
        counts = valgrind.parse_totals("events: Ir Dr Dw Bc Bi\ntotals: 9 1\n")
        self.assertEqual(counts, valgrind.Counts(instructions=9, branches=0, data_references=1))

    def test_nothing_counted(self) -> None:
        for text in ("", "events: Ir\ntotals: 0\n", "events: Ir\n"):
            with self.assertRaises(ValueError):
                valgrind.parse_totals(text)


class StraceTest(unittest.TestCase):
    def test_rows(self) -> None:
        self.assertEqual(system_calls.parse(_STRACE), {"mmap": 12, "munmap": 3, "exit_family": 1})

    def test_nothing_counted(self) -> None:
        with self.assertRaises(ValueError):
            system_calls.parse("strace: attach: Operation not permitted\n")

    def test_a_real_program(self) -> None:
        from tools.measure import process

        calls = system_calls.counted(lambda wrapper: process.start([*wrapper, "/bin/cat", "/dev/null"]))
        self.assertEqual(calls["execve"], 1)
        self.assertGreater(calls["openat"], 0)

    def test_the_start_of_a_run_cancels(self) -> None:
        once, twice = {"mmap": 12, "brk": 3, "munmap": 2}, {"mmap": 15, "brk": 3, "munmap": 1}
        self.assertEqual(system_calls.difference(once, twice), {"mmap": 3})


if __name__ == "__main__":
    unittest.main()
