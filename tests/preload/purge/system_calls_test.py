# SPDX-License-Identifier: MIT
"""A process of one thread needs no system call for what it frees that the C library's allocator does not make, and the child of
any kind of fork gives its memory back."""

from __future__ import annotations

import platform
import unittest
from pathlib import Path

from tests.preload import forms

# By the kernel's tables.
CALLS = {
    "x86_64": {
        "clone": 56, "clone3": 435, "futex": 202, "madvise": 28, "mincore": 27, "mprotect": 10, "rt_sigprocmask": 14,
    },
    "aarch64": {
        "clone": 220, "clone3": 435, "futex": 98, "madvise": 233, "mincore": 232, "mprotect": 226, "rt_sigprocmask": 135,
    },
}.get(platform.machine(), {})  # fmt: skip

# What guard full does to pages takes more than the C library's calls.
NOT_FULL = ("madvise", "mincore", "mprotect")
WITHOUT_FULL = tuple(form for form in forms.FORMS if form != "guard_full")


class SystemCallsTest(forms.FormTest):
    folder = Path(__file__).parent

    @unittest.skipUnless(CALLS, "the numbers of system calls are not known here")
    def test_program_that_forbids_itself_what_it_does_not_do_lives(self) -> None:
        if "no filters" in self.under_glibc("forbidden", CALLS["clone3"]).stdout:
            self.skipTest("the system has no filters")
        for name, number in CALLS.items():
            with self.subTest(name):
                kinds = WITHOUT_FULL if name in NOT_FULL else forms.FORMS
                self.in_forms(
                    "forbidden", number, forms=kinds, stdout="alive\n", variables={"HAKMEM_PURGE_DELAY_MS": "10"}
                )

    def test_child_of_any_kind_gives_memory_back(self) -> None:
        for kind in (0, 1, 2):
            self.in_forms("raw_child", kind, stdout="gone back\n", variables={"HAKMEM_PURGE_DELAY_MS": "100"})


if __name__ == "__main__":
    unittest.main()
