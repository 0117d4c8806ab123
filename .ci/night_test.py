# SPDX-License-Identifier: MIT
""".ci/night: what it asks Bazel for, what it counts, and what it refuses. Bazel is a script here: the commands take hours."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(".ci/night")


class NightTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def night(self, *line: str, failing: str = "nothing") -> subprocess.CompletedProcess[str]:
        """Runs it with a Bazel that fails where its arguments contain `failing`."""
        bazel = self.folder / "bazel"
        bazel.write_text(f'#!/bin/sh\necho "asked: $*"\ncase "$*" in *{failing}*) exit 3 ;; esac\n')
        bazel.chmod(0o755)
        path = f"{self.folder}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return subprocess.run([PROGRAM, *line], env={"PATH": path}, capture_output=True, text=True, check=False)

    def asked(self, *line: str) -> list[str]:
        done = self.night(*line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line for line in done.stdout.splitlines() if line.startswith("asked: ")]
        self.assertTrue(done.stdout.endswith(f"\n{len(lines)} passed, 0 failed\n"), done.stdout)
        return lines

    def test_all_of_it(self) -> None:
        parts = (
            "run --config=tsan //tests/races -- .*--seeds=300",
            "run //tests/preload/life:forks -- --forks=10000",
            "run //tests/soak -- --minutes=60 .*--judge-speed",
            "run --config=fuzz //tests/fuzz:calls_fuzzer -- --minutes=30",
            "run --config=fuzz //tests/fuzz:options_fuzzer -- --minutes=30",
            "test --nocache_test_results .*SEEDS=1000 //tests/stress:test_hostile_variants .*guard_full",
            "run //tests/mutate -- .*--count=100 --least=95 --kind=operator --kind=boundary",
            "run //tests/mutate:broken",
            "run //tests/coverage",
            "test --nocache_test_results //tests/model:slab_state_wide_test",
        )
        lines = self.asked()
        self.assertEqual(len(lines), len(parts))
        for part, line in zip(parts, lines):
            self.assertRegex(line, part)

    def test_a_share_of_it_is_one_at_least(self) -> None:
        lines = "\n".join(self.asked("--percent=1"))
        for part in (
            "--seeds=3\n",
            "--forks=100\n",
            "--minutes=1 ",
            "--minutes=1\n",
            "SEEDS=10 ",
            "--count=1 --least=0 ",
        ):
            self.assertIn(part, lines)

    def test_one_failure_is_counted_and_the_others_run(self) -> None:
        every = len(self.asked())
        done = self.night(failing="forks")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.endswith(f"\n{every - 1} passed, 1 failed\n"), done.stdout)

    def test_other_arguments_are_refused(self) -> None:
        for text in ("x", "--percent", "--percent=", "--percent=0", "--percent=101", "--percent=1x", "--percent=-1"):
            with self.subTest(text):
                done = self.night(text)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, "^night: .*\n$")


if __name__ == "__main__":
    unittest.main()
