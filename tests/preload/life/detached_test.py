# SPDX-License-Identifier: MIT
"""Detached threads that never call the allocator leave no record behind: see detached.c for who frees when they end.

The same program under a library that takes those frees for the program's shows that they come.
"""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from tests.preload import forms
from tests.preload.life import run

THREADS = 32

UNGUARDED = Path("tests/preload/life/libhakmem-unguarded.so")

# No thread of the library's own: the program waits until it has one thread.
VARIABLES = {"HAKMEM_STATS": "json", "HAKMEM_PURGE_THREAD": "0"}

WAYS = ("own", "cached")


def threads(ended: run.Ended) -> int:
    """How many have a record at exit."""
    return int(json.loads(ended.stderr.splitlines()[-1])["process"]["threads"])


class DetachedTest(forms.FormTest):
    folder = Path(__file__).parent

    def expect_one(self, ended: run.Ended) -> None:
        self.assertEqual(threads(ended), 1, str(ended))

    def expect_no_record(self, form_names: tuple[str, ...], variables: dict[str, str]) -> None:
        for way in WAYS:
            self.in_forms(
                "detached",
                way,
                forms=form_names,
                stdout="child 0\n",
                stderr=None,
                check=self.expect_one,
                variables=variables,
            )

    def test_threads_that_never_allocate_leave_no_record(self) -> None:
        self.expect_no_record(forms.FORMS, VARIABLES)

    def test_nor_where_every_block_is_sampled(self) -> None:
        profile = {"HAKMEM_PROFILE": "/dev/null", "HAKMEM_PROFILE_RATE": "1"}
        self.expect_no_record(("preloaded", "guard", "linked"), {**VARIABLES, **profile})

    def test_nor_in_a_static_program(self) -> None:
        """Nobody can tell there who frees."""
        for way in WAYS:
            with self.subTest(way):
                program = (self.folder / "detached_static").resolve()
                ended = run.run([program, way], library=None, variables=VARIABLES)
                self.assertEqual((ended.status, ended.stdout), (0, "child 0\n"), str(ended))
                self.expect_one(ended)

    def test_the_frees_come(self) -> None:
        ended = run.program("detached", "own", library=UNGUARDED, variables=VARIABLES)
        self.assertEqual(threads(ended), 1 + THREADS, str(ended))


if __name__ == "__main__":
    unittest.main()
