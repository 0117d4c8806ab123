"""A process of one thread needs no system call for what it frees that the C library's allocator does not make, and the child of
any kind of fork gives its memory back."""

from __future__ import annotations

import platform
import unittest
from pathlib import Path

from tests.preload import forms

# By the kernel's tables. clone3 and madvise have the same number everywhere here.
CALLS = {
    "x86_64": {"clone3": 435, "madvise": 28, "futex": 202, "rt_sigprocmask": 14, "clone": 56},
    "aarch64": {"clone3": 435, "madvise": 233, "futex": 98, "rt_sigprocmask": 135, "clone": 220},
}.get(platform.machine(), {})

# The builds with guard ask for huge pages in their shadow when a block above 1 MiB is made, and by the same call.
WITHOUT_SHADOW = ("preloaded", "linked")


class SystemCallsTest(forms.FormTest):
    folder = Path(__file__).parent

    @unittest.skipUnless(CALLS, "the numbers of system calls are not known here")
    def test_program_that_forbids_itself_what_it_does_not_do_lives(self) -> None:
        if "no filters" in self.under_glibc("forbidden", CALLS["clone3"]).stdout:
            self.skipTest("the system has no filters")
        for name, number in CALLS.items():
            with self.subTest(name):
                kinds = forms.FORMS if name != "madvise" else WITHOUT_SHADOW
                for variables in ({}, {"HAKMEM_PURGE_DELAY_MS": "10"}):
                    self.in_forms("forbidden", number, forms=kinds, stdout="alive\n", variables=variables)

    def test_child_of_any_kind_gives_memory_back(self) -> None:
        for kind in (0, 1, 2):
            self.in_forms("raw_child", kind, stdout="gone back\n", variables={"HAKMEM_PURGE_DELAY_MS": "100"})


if __name__ == "__main__":
    unittest.main()
