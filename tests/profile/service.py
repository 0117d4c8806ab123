# SPDX-License-Identifier: MIT
"""A service that obeys its standard input (switched.c), for tests that switch its profile."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from tests.profile.case import LIBRARY, SECONDS, environment
from tests.profile.running import RunningCase
from tools.cli import leaks, samples, switching
from tools.cli.command import InputError

PROGRAM = Path("tests/profile/switched").resolve()


class Service:
    """A program that obeys, line by line."""

    def __init__(self, process: subprocess.Popen[str], pid: int) -> None:
        self.process = process
        self.pid = pid

    def do(self, line: str) -> int:
        """The process that has done it: a child goes on where the line says so."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        word, pid = self.process.stdout.readline().split()
        assert word == "done", word
        self.pid = int(pid)
        return self.pid


class SwitchCase(RunningCase):
    def start_service(self, library: Path = LIBRARY, **variables: str) -> Service:
        process = subprocess.Popen(
            [PROGRAM],
            env=environment({"LD_PRELOAD": str(library), "HAKMEM_PUBLISH": "1", **variables}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        def end() -> None:
            process.communicate()

        self.addCleanup(end)
        assert process.stdout is not None
        return Service(process, int(process.stdout.readline().split()[1]))

    def service(self, library: Path = LIBRARY, **variables: str) -> Service:
        """That publishes already."""
        found = self.start_service(library, **variables)
        self.wait_for_page(found.pid)
        return found

    def wait_for_page(self, pid: int) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                switching.state(pid)
                return
            except InputError as error:
                # The second: its page is there, and not yet its number in it.
                if not re.search("publishes nothing yet|has closed its page", str(error)):
                    raise
                self.assertLess(time.monotonic(), end, str(error))
                time.sleep(0.02)

    def blocks(self, service: Service) -> dict[str, int]:
        """Live blocks by the function that made them, as `leaks` has them."""
        found = leaks.measure(samples.read(service.pid), 100, 0)
        self.assertFalse(found.is_exact)
        calls = [(one.path[0], one.live.blocks) for one in found.sites]
        return {
            str(frame.symbol.function): round(blocks)
            for frame, blocks in calls
            if frame.place is not None and frame.place.path == str(PROGRAM)
        }
