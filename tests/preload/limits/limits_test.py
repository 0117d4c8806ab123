# SPDX-License-Identifier: MIT
"""A limit of the system, or a lock on memory, meets a program with hakmem where it does with the C library."""

import platform
import resource
import unittest
from pathlib import Path
from typing import Any

from tests.preload import forms
from tests.preload.forms import FORMS
from tests.preload.life import run

# Full guard makes pages inaccessible by mprotect: that is what it is for.
WITHOUT_FULL = tuple(form for form in FORMS if form != "guard_full")

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4

# A small program, with its libraries; whole regions would be 66 MiB.
SMALL_DATA = 16 * run.MIB

# 16 regions, of four mappings each, and what describes them in the tables: two for eight regions, with guard two more for each.
MAPPINGS_MOST = {"preloaded": 76, "linked": 76, "guard": 110}


# A program limits itself to what it has and so much more. What was ready before is 1 MiB at most. And the last step by which a
# region becomes ready may pass the limit, by 4 MiB at most: the kernel takes from what it counts the pages that a mapping
# replaces, which are those of the reservation. A block of 10,000 bytes takes 10,240.
DATA_MIB = 20
DATA_MOST_MIB = (DATA_MIB + 1 + 4) * 10000 // 10240


# System calls of x86-64 that give and take memory.
REFUSED = {"mmap": 9, "mprotect": 10, "munmap": 11, "mremap": 25, "mincore": 27, "madvise": 28}


class LimitsTest(forms.FormTest):
    folder = Path("tests/preload/limits")

    def as_under_glibc(self, program: str, *arguments: object, forms: tuple[str, ...] = FORMS, **options: Any) -> None:
        expected = self.under_glibc(program, *arguments, **options)
        self.assertEqual((expected.status, expected.stderr), (0, ""))
        self.in_forms(program, *arguments, forms=forms, stdout=expected.stdout, **options)

    def test_data_that_is_limited_from_the_start(self) -> None:
        self.in_forms("impossible_sizes", stdout=None, limits={resource.RLIMIT_DATA: SMALL_DATA})

    def test_data_that_the_program_limits_itself(self) -> None:
        def first_part(ended: run.Ended) -> None:
            mib, rest = ended.stdout.split(" ", 1)
            self.assertEqual(rest, "MiB, ENOMEM 1, again 1\n")
            self.assertGreaterEqual(int(mib), 16)
            self.assertLessEqual(int(mib), DATA_MOST_MIB)

        self.in_forms("data_limit", DATA_MIB, check=first_part)

    def test_address_space_that_the_program_limits_itself(self) -> None:
        self.as_under_glibc("address_limit")

    def test_address_space_that_is_limited_past_the_library(self) -> None:
        """Then the program's own mappings are refused until hakmem itself was refused something, whatever that was."""
        self.as_under_glibc("address_limit", "raw")
        self.as_under_glibc("address_limit", "raw", "small")

    def test_threads_free_while_address_space_is_limited(self) -> None:
        self.as_under_glibc("address_limit_threads")

    def test_all_memory_is_locked(self) -> None:
        for flags in (MCL_CURRENT, MCL_FUTURE, MCL_CURRENT | MCL_FUTURE, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT):
            self.as_under_glibc("lock_all", flags)
        for flags in (0, MCL_ONFAULT, 8):
            self.as_under_glibc("lock_all", flags)

    def test_a_user_locks_all_memory(self) -> None:
        most = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        if most != resource.RLIM_INFINITY and most < 64 * run.MIB:
            self.skipTest("nobody may lock 64 MiB")
        for flags in (MCL_CURRENT, MCL_FUTURE, MCL_CURRENT | MCL_FUTURE):
            self.as_under_glibc("lock_all", flags, "user")

    def refused(self, *arguments: object, forms: tuple[str, ...] = FORMS) -> None:
        self.in_forms(
            "refusals",
            *arguments,
            forms=forms,
            stderr=None,
            check=self.lives,
        )

    def lives(self, ended: run.Ended) -> None:
        if ended.stdout == "not here\n":
            self.skipTest("the system has no such limit, or refuses a filter")
        self.assertEqual(ended.stdout, "alive\n", str(ended))

    def test_no_mapping_is_left(self) -> None:
        self.refused("mappings")

    @unittest.skipUnless(platform.machine() == "x86_64", "the numbers known here are those of x86-64")
    def test_a_filter_refuses_what_gives_memory(self) -> None:
        for name, number in REFUSED.items():
            # Full guard does not give out what it cannot make accessible again.
            self.refused(number, forms=WITHOUT_FULL if name == "mprotect" else FORMS)
        self.refused(*REFUSED.values(), forms=WITHOUT_FULL)

    def test_sizes_that_no_machine_has(self) -> None:
        self.as_under_glibc("impossible_sizes")

    def test_the_smallest_stack_of_a_thread(self) -> None:
        self.as_under_glibc("small_stack")

    def test_many_regions_take_few_mappings(self) -> None:
        for form, most in MAPPINGS_MOST.items():

            def few(ended: run.Ended, most: int = most) -> None:
                self.assertLessEqual(int(ended.stdout), most)

            self.in_forms("many_regions", forms=(form,), check=few)


if __name__ == "__main__":
    unittest.main()
