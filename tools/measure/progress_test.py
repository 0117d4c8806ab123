# SPDX-License-Identifier: MIT
"""Lines of progress where standard error is no terminal: as often as asked for, by a clock that the test moves."""

from __future__ import annotations

import contextlib
import io
import unittest

from tools.measure import progress


class LinesTest(unittest.TestCase):
    def lines(self, seconds: float, *at: float) -> list[str]:
        """What is said of so many items, each over at such a time."""
        now = 0.0
        error = io.StringIO()
        progress.every(seconds)
        self.addCleanup(progress.every, 0)
        with contextlib.redirect_stderr(error), progress.line("rounds", len(at), lambda: now) as advance:
            for now in at:
                advance()
        return error.getvalue().splitlines()

    def test_one_after_so_many_seconds(self) -> None:
        self.assertEqual(
            self.lines(10, 4, 9, 12, 21, 23, 40),
            ["rounds: 3 of 6 after 12 s, some 12 s left", "rounds: 5 of 6 after 23 s, some 5 s left",
             "rounds: 6 of 6 after 40 s"],
        )  # fmt: skip

    def test_none_where_none_is_asked_for(self) -> None:
        self.assertEqual(self.lines(0, 4, 1e6), [])

    def test_what_is_said_beside_them(self) -> None:
        for seconds, text in ((10, "first\n"), (0, "")):
            error = io.StringIO()
            progress.every(seconds)
            with contextlib.redirect_stderr(error):
                progress.say("first")
            self.assertEqual(error.getvalue(), text)


if __name__ == "__main__":
    unittest.main()
