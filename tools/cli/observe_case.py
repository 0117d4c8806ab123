# SPDX-License-Identifier: MIT
"""What the tests of observing share: programs that publish, and the command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from tools.cli import published

ROOT = Path(__file__).absolute().parents[2]
COMMAND = str(ROOT / "tools/cli/hakmem")
OBSERVED = str(ROOT / "tests/stats/observed")
LIBRARY = str(ROOT / "hakmem/preload/libhakmem.so")
SCHEMA = json.loads((ROOT / "hakmem/observe/stats.schema.json").read_text(encoding="utf-8"))
SECONDS = 600


def page_of(pid: int) -> Path:
    """Where the process has open what it publishes."""
    for one in Path(f"/proc/{pid}/fd").iterdir():
        if one.is_symlink() and os.readlink(one) == "/memfd:hakmem (deleted)":
            return one
    raise AssertionError(f"process {pid} publishes nothing")


class ObserveCase(unittest.TestCase):
    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self.started: list[int] = []
        """The numbers of the test's programs."""

    def start(
        self,
        *line: str,
        preload: str = LIBRARY,
        publish: str = "1",
        is_ready: bool = True,
        named: str | None = None,
        user: int | None = None,
    ) -> subprocess.Popen[str]:
        """A program that ends when its standard input does, at the end of the test at the latest; under another name
        than its own, and as another user."""
        environment = {**os.environ, "HAKMEM_PUBLISH": publish, "LD_PRELOAD": preload}
        process = subprocess.Popen(
            [named or line[0], *line[1:]],
            executable=line[0],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            user=user,
            extra_groups=None if user is None else [],
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        self.started.append(process.pid)
        if is_ready:
            self.said = self.line_of(process)
        return process

    def line_of(self, process: subprocess.Popen[str]) -> str:
        """The next line that a program says."""
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def until(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not true():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)

    def is_published(self, pid: int) -> bool:
        try:
            published.read(pid)
            return True
        except published.Unreachable as error:
            self.assertEqual(error.status, published.NOT_PUBLISHED, error)
            return False

    def observed(self, *line: str) -> subprocess.Popen[str]:
        """One that publishes."""
        process = self.start(OBSERVED, *line)
        self.until(lambda: self.is_published(process.pid), "published")
        return process

    def run_command(self, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *line],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **environment},
        )

    def succeed(self, *line: str) -> str:
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def of_all(self, *line: str, malformed: tuple[int, ...] = ()) -> str:
        """What a command prints that looks at every process: of those that other tests start meanwhile it may say that what
        they publish is malformed. Of this test's it says that of those numbers alone."""
        done = self.run_command(*line)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = re.compile(rf"hakmem {line[0]}: process (\d+): what it publishes is not hakmem's: .+")
        found = [said.fullmatch(one) for one in done.stderr.splitlines()]
        self.assertNotIn(None, found, done.stderr)
        numbers = [int(one[1]) for one in found if one is not None]
        ours = {os.getpid(), *self.started}
        self.assertEqual(sorted(one for one in numbers if one in ours), sorted(malformed), done.stderr)
        return done.stdout

    def refuse(self, status: int, words: str, *line: str) -> None:
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
