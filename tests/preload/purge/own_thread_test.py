# SPDX-License-Identifier: MIT
"""The allocator's own thread is not there where a program could tell it from the C library's allocator, and ends in time."""

from __future__ import annotations

import unittest
from pathlib import Path

from tests.preload import forms

# Guard full keeps what is freed for a while, so that less of it waits.
WITH_A_THREAD = ("preloaded", "guard", "linked")


class OwnThreadTest(forms.FormTest):
    folder = Path(__file__).parent

    def test_process_of_one_thread_stays_one(self) -> None:
        expected = "threads 1\nchild 1 alone\nparent 1 alone\n"
        self.assertEqual(self.under_glibc("one_thread").stdout, expected)
        self.in_forms("one_thread", stdout=expected)

    def test_option_brings_the_thread_back(self) -> None:
        """Or the test above would hold whatever the library does."""
        self.in_forms(
            "one_thread",
            forms=WITH_A_THREAD,
            stdout="threads 2\nchild 2 not alone\nparent 2 not alone\n",
            variables={"HAKMEM_PURGE_THREAD": "1", "HAKMEM_PURGE_DELAY_MS": "600000"},
        )

    def test_process_is_alone_when_its_second_thread_has_ended(self) -> None:
        last = "alone 3 of 3\nat last 1 alone\n"
        variables = {"HAKMEM_PURGE_DELAY_MS": "600000"}
        self.assertEqual(self.under_glibc("joined").stdout, f"at most 2, {last}")
        self.in_forms("joined", forms=WITH_A_THREAD, stdout=f"at most 3, {last}", variables=variables)
        self.in_forms("joined", stdout=f"at most 2, {last}", variables={**variables, "HAKMEM_PURGE_THREAD": "0"})

    def test_program_with_a_pthread_create_of_its_own(self) -> None:
        for delay in ("", "600000"):
            variables = {"HAKMEM_PURGE_DELAY_MS": delay} if delay else {}
            self.in_forms("wrapped_create", stdout="created 4\n", variables=variables)

    def test_exit_handlers_run_on_the_programs_last_thread(self) -> None:
        variables = {"HAKMEM_PURGE_DELAY_MS": "600000", "HAKMEM_PURGE_THREAD": "1"}
        for more in ({}, variables):
            self.in_forms("last_thread", stdout="exit: as ever\n", variables=more)

    def test_exit_handlers_run_there_also_where_statistics_are_published(self) -> None:
        self.in_forms("last_thread", "published", stdout="exit: as ever\n", variables={"HAKMEM_PUBLISH": "1"})

    def test_what_stays_locked_keeps_no_thread(self) -> None:
        for form in WITH_A_THREAD:
            self.in_forms(
                "locked", forms=[form], stdout="threads 3, then 2\n", variables={"HAKMEM_PURGE_DELAY_MS": "50"}
            )


if __name__ == "__main__":
    unittest.main()
