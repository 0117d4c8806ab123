# SPDX-License-Identifier: MIT
"""Readers beside a program of which sixteen threads allocate: several at once, one that stands still, and some that are killed
in the middle of what they do."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import jsonschema

from tools.cli import published
from tools.cli.observe_case import COMMAND, SCHEMA, SECONDS, ObserveCase

_THREADS = 16
_SEED = 1
_ROUNDS = 4

# Most of a reader's life is less, so that some are killed at each part of it.
_LIFE_SECONDS = 0.6


def _allocations(statistics: dict[str, Any]) -> int:
    return sum(int(pool["allocations"]) for pool in statistics["pools"].values())


class ReadersTest(ObserveCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.process = self.observed("load", str(_THREADS))
        self.pid = str(self.process.pid)
        self.until(
            lambda: published.read(self.process.pid)["process"]["threads"] == _THREADS + 1, "all threads allocate"
        )
        # Whatever else runs on the machine, the readers before all, goes before sixteen threads that never wait.
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), 19)
        self.succeed("profile", "--on", self.pid)

    def lines(self) -> dict[str, tuple[str, ...]]:
        """A call of each command that reads a running program."""
        return {
            "stat": ("stat", "--format=json", self.pid),
            "prometheus": ("stat", "--format=prometheus", self.pid),
            "top": ("top", "--format=json", "--interval=0.5", "--count=5", self.pid),
            "profile": ("profile", "--view=folded", self.pid),
            "leaks": ("leaks", "--format=json", self.pid),
            "snapshot": ("snapshot", f"--output={self.folder}/map.html", self.pid),
            "export": ("export", "--listen=127.0.0.1:0"),
        }

    def begin(self, line: tuple[str, ...]) -> subprocess.Popen[str]:
        reader = subprocess.Popen(
            [COMMAND, *line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )

        def end() -> None:
            reader.kill()
            reader.communicate()

        self.addCleanup(end)
        return reader

    def opened(self) -> set[str]:
        """What the program has open."""
        return {os.readlink(one) for one in Path(f"/proc/{self.pid}/fd").iterdir() if one.is_symlink()}

    def expect_whole(self) -> None:
        """Somebody who reads twice now sees whole pages, and a program that goes on."""
        first = json.loads(self.succeed("stat", "--format=json", self.pid))
        jsonschema.validate(first, SCHEMA)
        self.assertEqual(first["process"]["threads"], _THREADS + 1)
        made = _allocations(first)
        self.until(lambda: _allocations(published.read(self.process.pid)) > made, "the program goes on")

    def end_program(self) -> None:
        self.process.communicate(timeout=SECONDS)
        self.assertEqual(self.process.returncode, 0)

    def test_all_at_once(self) -> None:
        lines = {name: line for name, line in self.lines().items() if name != "export"}
        before = self.opened()
        readers = [(name, self.begin(line)) for _ in range(2) for name, line in lines.items()]
        said: dict[str, list[str]] = {name: [] for name in lines}
        for name, reader in readers:
            output, errors = reader.communicate(timeout=SECONDS)
            self.assertEqual((reader.returncode, errors), (0, ""), name)
            said[name].append(output)
        for text in [*said["stat"], *(line for output in said["top"] for line in output.splitlines())]:
            found = json.loads(text)
            found.pop("rates", None)
            jsonschema.validate(found, SCHEMA)
            self.assertEqual(found["process"]["threads"], _THREADS + 1)
        for output in said["top"]:
            made = [_allocations(json.loads(line)) for line in output.splitlines()]
            self.assertEqual(made, sorted(made))
        for output in said["profile"]:
            self.assertRegex(output, r"(?m)replace_blocks \d+$")
        self.assertEqual(self.opened(), before)
        self.expect_whole()
        self.end_program()

    def test_that_are_killed_leave_nothing(self) -> None:
        draw = random.Random(_SEED)
        before = self.opened()
        shared = set(os.listdir("/dev/shm"))
        for _ in range(_ROUNDS):
            readers = [self.begin(line) for line in self.lines().values()]
            draw.shuffle(readers)
            for reader in readers:
                time.sleep(draw.uniform(0, _LIFE_SECONDS / len(readers)))
                reader.kill()
            for reader in readers:
                reader.communicate(timeout=SECONDS)
        self.assertEqual(self.opened(), before)
        self.assertFalse([one for one in set(os.listdir("/dev/shm")) - shared if self.pid in one])
        # What was asked for, and files that were not whole yet.
        self.assertLessEqual({one.name for one in self.folder.iterdir() if one.name[:8] != ".hakmem-"}, {"map.html"})
        self.expect_whole()
        self.end_program()

    def test_that_stand_still_keep_nobody_waiting(self) -> None:
        top = self.begin(("top", "--format=json", "--interval=0.5", self.pid))
        self.assertTrue(re.match(r"\{", self.line_of(top)))
        for _ in range(_ROUNDS):
            top.send_signal(signal.SIGSTOP)
            self.expect_whole()
            top.send_signal(signal.SIGCONT)
            self.line_of(top)
        top.send_signal(signal.SIGSTOP)
        self.end_program()


if __name__ == "__main__":
    unittest.main()
