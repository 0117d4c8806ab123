# SPDX-License-Identifier: MIT
"""Every wrong call is caught at once under a library that is built with guard, said in one report, and survived where
the environment wants that.

Run as a test: --cases PROGRAM --library LIBRARY.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import unittest
from pathlib import Path

from tests.misuse import outcome
from tests.misuse.outcome import Outcome, Run

# Enough for every case, too little for the flat form of the shadow.
LIMITED_BYTES = 1_500_000_000

DOUBLE, INTERIOR, FOREIGN, FREED = "double free", "interior pointer", "foreign pointer", "use after free"

# What a report calls each pointer. Of a block that is gone it may be known only that the memory was hakmem's; a huge
# one's memory is gone with it, and another block may lie where it was.
KINDS = {
    "freed": (DOUBLE,),
    "freed_before_others": (DOUBLE,),
    "freed_between_reallocated": (DOUBLE,),
    "freed_by_other_thread": (DOUBLE,),
    "freed_and_trimmed": (DOUBLE, FOREIGN, INTERIOR),
    "freed_interior": (INTERIOR, DOUBLE),
    "interior": (INTERIOR,),
    "misaligned": (INTERIOR,),
    "last_byte": (INTERIOR,),
}

parsed: argparse.Namespace


def expected(run: Run) -> str:
    """A pattern of the whole first line."""
    operation = "(operator delete|free_sized|free_aligned_sized)"
    kinds: tuple[str, ...] = ("wrong size", "wrong alignment")
    if run.case.kind == "call":
        operation, pointer = run.case.arguments
        kinds = KINDS.get(pointer, (FOREIGN,))
        if operation == "malloc_usable_size":
            kinds = tuple(FREED if kind == DOUBLE else kind for kind in kinds)
    return rf"hakmem: {operation}\(POINTER\): ({'|'.join(kinds)}): .*"


KEPT = {"HAKMEM_PURGE_DELAY_MS": "-1"}
"""A block that went back to the system is foreign, and no double free: none does, however long a run takes."""


class Guard(unittest.TestCase):
    def runs(self) -> list[Run]:
        cases = [case for case in outcome.cases_of(parsed.cases) if case.kind != "full"]
        self.assertGreater(len(cases), 50)
        runs = outcome.runs_of(cases)
        print(f"{len(cases)} wrong calls, {len(runs)} runs over pools and threads")
        return runs

    def check_report(self, run: Run, result: outcome.Result) -> None:
        """One report: the line, and what is known, each line indented."""
        first, *more = result.errors.splitlines()
        self.assertRegex(first, "^" + expected(run).replace("POINTER", result.announced) + "$", run)
        for line in more:
            self.assertRegex(line, "^hakmem:   ", run)
        self.assertRegex(more[0], r"^hakmem:   by tid [0-9]+", run)
        self.assertRegex(more[-1], rf"^hakmem:   called from 0x[0-9a-f]+: .*/{re.escape(parsed.cases.name)}\+0x", run)

    def test_each_is_caught_at_once(self) -> None:
        for run in self.runs():
            with self.subTest(str(run)):
                result = outcome.run(run, parsed.cases, parsed.library, KEPT)
                self.assertEqual(result.outcome, Outcome.AT_ONCE, result.errors)
                self.check_report(run, result)

    def test_each_is_caught_at_once_where_address_space_is_limited(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (LIMITED_BYTES, before[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_AS, before)
        for run in self.runs():
            with self.subTest(str(run)):
                result = outcome.run(run, parsed.cases, parsed.library, KEPT)
                self.assertEqual(result.outcome, Outcome.AT_ONCE, result.errors)

    def test_report_says_so_and_goes_on(self) -> None:
        for run in self.runs():
            with self.subTest(str(run)):
                result = outcome.run(run, parsed.cases, parsed.library, {**KEPT, "HAKMEM_ON_MISUSE": "report"})
                self.assertEqual(result.outcome, Outcome.SILENT, result.errors)
                self.check_report(run, result)

    def test_ignore_says_nothing_and_goes_on(self) -> None:
        for run in self.runs():
            with self.subTest(str(run)):
                result = outcome.run(run, parsed.cases, parsed.library, {**KEPT, "HAKMEM_ON_MISUSE": "ignore"})
                self.assertEqual((result.outcome, result.errors), (Outcome.SILENT, ""))

    def test_what_is_right_is_left_alone(self) -> None:
        case = outcome.Case(("control_right",), "exact", sized=True)
        for run in outcome.runs_of([case]):
            result = outcome.run(run, parsed.cases, parsed.library, KEPT)
            self.assertEqual((result.outcome, result.errors), (Outcome.SILENT, ""), run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", required=True, type=Path)
    parser.add_argument("--library", required=True, type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
