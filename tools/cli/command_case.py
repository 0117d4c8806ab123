# SPDX-License-Identifier: MIT
"""Tests of the command hakmem: each runs it in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
COMMAND = str(ROOT / "tools/cli/hakmem")
STEPS = str(ROOT / "bench/trace/steps")
SECONDS = 600


class CommandCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trace = self.folder / "a.trace"

    def run_command(self, *line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *line],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder), **more},
        )

    def succeed(self, *line: str) -> subprocess.CompletedProcess[str]:
        done = self.run_command(*line)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, words: str, *line: str, status: int = 2) -> None:
        """Asserts the status, nothing on standard output, and `words` on standard error without a traceback."""
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
