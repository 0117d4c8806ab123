# SPDX-License-Identifier: MIT
"""The judgement of outcomes, held against programs whose outcome is known.

Run as a test: --cases PROGRAM.
"""

from __future__ import annotations

import argparse
import signal
import sys
import unittest
from pathlib import Path

from tests.misuse import outcome
from tests.misuse.outcome import Case, Outcome, Run, Unjudgeable

parsed: argparse.Namespace


def run(*arguments: str, seconds_max: float = 600) -> outcome.Result:
    one = Run(Case(arguments, "exact", sized=False), "tiny")
    return outcome.run(one, parsed.cases, library=None, seconds_max=seconds_max)


class Processes(unittest.TestCase):
    def test_each_control_is_what_it_says(self) -> None:
        for name, expected in {
            "control_right": Outcome.SILENT,
            "control_aborts_at_once": Outcome.AT_ONCE,
            "control_aborts_later": Outcome.LATER,
            "control_crashes": Outcome.CRASHED,
        }.items():
            with self.subTest(name):
                self.assertEqual(run(name).outcome, expected)

    def test_a_program_that_does_not_end_has_hung(self) -> None:
        self.assertEqual(run("control_hangs", seconds_max=1).outcome, Outcome.HUNG)

    def test_a_program_that_fails_by_itself_is_not_judged(self) -> None:
        with self.assertRaisesRegex(Unjudgeable, "control_fails .*status 3"):
            run("control_fails")

    def test_a_case_that_is_none_is_refused(self) -> None:
        with self.assertRaisesRegex(Unjudgeable, "status 2.*no such case"):
            run("no_such_case")

    def test_a_library_that_cannot_be_loaded_is_no_allocator(self) -> None:
        """The loader says so on standard error and goes on under the C library's own."""
        one = Run(Case(("control_right",), "exact", sized=False), "tiny")
        with self.assertRaisesRegex(Unjudgeable, "cannot be preloaded"):
            outcome.run(one, parsed.cases, Path("/nowhere/liballocator.so"))


class Judge(unittest.TestCase):
    BEFORE = "wrong call on 0x10\n"
    AFTER = BEFORE + "returned\n"

    def test_signal_and_marker_decide(self) -> None:
        for status, output, expected in (
            (-signal.SIGABRT, self.BEFORE, Outcome.AT_ONCE),
            (-signal.SIGABRT, self.AFTER, Outcome.LATER),
            (-signal.SIGBUS, self.BEFORE, Outcome.CRASHED),
            (-signal.SIGSEGV, self.AFTER, Outcome.CRASHED),
            (None, self.BEFORE, Outcome.HUNG),
            (0, self.AFTER, Outcome.SILENT),
            (0, "returned\n", Outcome.ABSENT),
        ):
            with self.subTest(status=status, output=output):
                self.assertEqual(outcome.judge(status, output), expected)

    def test_an_abort_before_the_call_is_not_judged(self) -> None:
        with self.assertRaises(Unjudgeable):
            outcome.judge(-signal.SIGABRT, "")

    def test_an_end_without_the_marker_is_not_judged(self) -> None:
        with self.assertRaises(Unjudgeable):
            outcome.judge(0, self.BEFORE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", required=True, type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
