# SPDX-License-Identifier: MIT
"""Nobody loses safety by preloading hakmem: each invalid call that the C library stops, every form of hakmem stops."""

from __future__ import annotations

import re
import signal
import unittest
from pathlib import Path

from tests.preload.forms import FORMS, FormTest, run_form
from tests.preload.life import run

PROGRAM = "invalid_calls"
LATE = ", found at a later exchange"


class InvalidCallsTest(FormTest):
    folder = Path("tests/preload/invalid_calls")

    def cases(self) -> list[str]:
        cases = self.under_glibc(PROGRAM).stdout.split()
        self.assertGreater(len(cases), 20)
        return cases

    def stopped(self, case: str, form: str, *how: str, **variables: str) -> run.Ended:
        return run_form(self.folder / PROGRAM, form, case, *how, variables=variables)


class InvalidCalls(InvalidCallsTest):
    def test_what_the_c_library_stops_every_form_stops(self) -> None:
        """In every case that is a wrong call of free or realloc, by whatever signal the C library ends it."""
        cases = [case for case in self.cases() if self.under_glibc(PROGRAM, case).status != 0]
        print(f"the C library stops {len(cases)} calls")
        for case in cases:
            for form in FORMS:
                with self.subTest(case=case, form=form):
                    ended = self.stopped(case, form)
                    self.assertEqual(ended.status, -signal.SIGABRT, str(ended))
                    self.assertRegex(ended.stderr, r"^hakmem: (free|realloc|malloc_usable_size)\(0x[0-9a-f]+\): ")

    def test_a_block_that_was_freed_twice_is_not_given_out_twice(self) -> None:
        """The C library lets this one go on."""
        for form in FORMS:
            with self.subTest(form=form):
                ended = self.stopped("made_again", form)
                self.assertEqual(ended.status, -signal.SIGABRT, str(ended))
                self.assertNotIn("given out twice", ended.stdout)

    def test_a_late_report_says_so(self) -> None:
        for case in ("others_between_small", "interior_of_large", "after_many_frees"):
            ended = self.stopped(case, "preloaded")
            self.assertTrue(ended.stderr.rstrip().endswith(LATE), str(ended))
        self.assertNotIn(LATE, self.stopped("realloc_of_a_dead_block", "preloaded").stderr)

    def test_where_the_policy_is_to_go_on_each_is_reported_and_taken_out(self) -> None:
        for case in self.cases():
            with self.subTest(case=case):
                ended = self.stopped(case, "preloaded", HAKMEM_ON_MISUSE="report")
                self.assertEqual((ended.status, ended.stdout), (0, "done\n"), str(ended))
                self.assertIn("hakmem: ", ended.stderr)


class HandledAborts(InvalidCallsTest):
    """With assertions a handler that interrupts the allocator may not call it."""

    def test_a_handler_of_the_abort_allocates(self) -> None:
        """There is one report, whatever the handler comes upon again."""
        for case in self.cases():
            for form in FORMS:
                with self.subTest(case=case, form=form):
                    ended = self.stopped(case, form, "handled")
                    self.assertEqual(ended.status, 7, str(ended))
                    self.assertTrue(ended.stdout.endswith("handled\n"), str(ended))
                    self.assertEqual(self.reports(ended), 1, str(ended))

    def test_a_child_of_the_handler_allocates(self) -> None:
        for case in ("twice_small", "after_many_frees", "twice_huge"):
            for form in FORMS:
                with self.subTest(case=case, form=form):
                    ended = self.stopped(case, form, "forks")
                    self.assertEqual((ended.status, self.reports(ended)), (7, 1), str(ended))

    def test_a_handler_that_is_left_hides_nothing(self) -> None:
        """SIGABRT stays blocked there."""
        for case in ("of_the_stack", "interior_of_huge"):
            for form in FORMS:
                with self.subTest(case=case, form=form):
                    ended = self.stopped(case, form, "left")
                    self.assertEqual((ended.status, self.reports(ended)), (7, 2), str(ended))

    def reports(self, ended: run.Ended) -> int:
        return len(re.findall(r"^hakmem: \w+\(0x", ended.stderr, re.MULTILINE))


if __name__ == "__main__":
    unittest.main()
