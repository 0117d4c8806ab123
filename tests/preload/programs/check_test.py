# SPDX-License-Identifier: MIT
"""The test's own program: its exit statuses and what it says."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import unittest
from pathlib import Path
from unittest import mock

from tests.preload.programs import check

_HERE = Path(__file__).parent


class CheckTest(unittest.TestCase):
    def run_main(self, *line: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        out, error = io.StringIO(), io.StringIO()
        before = signal.getsignal(signal.SIGTERM)
        with (
            mock.patch.object(sys, "argv", ["check", *line]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            self.assertRaises(SystemExit) as ended,
        ):
            check.main()
        signal.signal(signal.SIGTERM, before)
        status = ended.exception.code
        assert isinstance(status, int), status
        return status, out.getvalue(), error.getvalue()

    def test_sound_allocator(self) -> None:
        status, out, error = self.run_main(f"--preload={_HERE}/broken_sound.so", "lua")
        self.assertEqual((status, error), (0, ""))
        self.assertRegex(out, "lua: 2 outputs, [0-9]+ bytes, equal to those under glibc")

    def test_failure_is_said_and_the_other_families_still_run(self) -> None:
        status, out, error = self.run_main(f"--preload={_HERE}/broken_chatty.so", "lua", "perl")
        self.assertEqual((status, out), (1, ""))
        for family in ("lua", "perl"):
            self.assertRegex(error, f"{family}: {family} under the library: .* made the allocator say: hakmem:")

    def test_missing_library(self) -> None:
        status, _, error = self.run_main("--preload=/no/library.so", "lua")
        self.assertEqual(status, 1)
        self.assertIn("the library /no/library.so is missing", error)

    def test_wrong_arguments(self) -> None:
        for line, part in (
            (["--preload=x"], "FAMILY"),
            (["lua"], "--preload"),
            (["--preload=x", "cobol"], "'cobol'"),
            (["--preload=x", "--seed=y", "lua"], "--seed"),
        ):
            status, _, error = self.run_main(*line)
            self.assertEqual(status, 2)
            self.assertIn(part, error)


if __name__ == "__main__":
    unittest.main()
