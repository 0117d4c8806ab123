# SPDX-License-Identifier: MIT
"""The test case that all tests here derive from."""

from __future__ import annotations

import unittest
from typing import Any

from tests.preload.life import run


class LifeTest(unittest.TestCase):
    """Runs programs; what is wrong with a run is shown with all that it printed."""

    maxDiff = None

    def expect_end(self, ended: run.Ended, status: int = 0, stderr: str = "") -> run.Ended:
        self.assertEqual((ended.status, ended.stderr), (status, stderr), f"after {ended.stdout}")
        return ended

    def under_hakmem(
        self, name: str, *arguments: object, status: int = 0, stderr: str = "", **options: Any
    ) -> run.Ended:
        """A program of this folder that ran under the library to its end, as expected, and knows that it did."""
        ended = self.expect_end(run.program(name, *arguments, **options), status, stderr)
        self.assertEqual(ended.allocator(), "hakmem")
        return ended

    def under_glibc(self, name: str, *arguments: object, **options: Any) -> run.Ended:
        """The same without the library."""
        ended = self.expect_end(run.program(name, *arguments, library=None, **options))
        self.assertEqual(ended.allocator(), "other")
        return ended
