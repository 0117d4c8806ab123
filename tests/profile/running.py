# SPDX-License-Identifier: MIT
"""What the tests of running programs share: programs that wait, and the command that looks at them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.profile.case import SECONDS, ProfileCase, environment

COMMAND = Path("tools/cli/hakmem").absolute()


class RunningCase(ProfileCase):
    def start_waiting(self, *line: str | Path, **variables: str) -> int:
        """Starts a program, and waits until it says that it is ready; its number. It ends with its standard input."""
        return self.start_talking(*line, **variables).pid

    def start_talking(self, *line: str | Path, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            line, env=environment(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(process.communicate)
        self.wait_for(process)
        return process

    def wait_for(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.assertTrue(process.stdout.readline().startswith("ready"))

    def hakmem(self, *line: str, text: str = "", user: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *line],
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            user=user,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder)},
        )

    def start_hakmem(self, *line: str) -> subprocess.Popen[str]:
        """To be waited for by the caller."""
        return subprocess.Popen([COMMAND, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self, *line: str, text: str = "") -> str:
        done = self.hakmem(*line, text=text)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def sites(self, pid: int, *options: str) -> list[dict[str, Any]]:
        """The rows of an exact list of leaks."""
        found = json.loads(self.answer("leaks", "--format=json", *options, str(pid)))
        self.assertEqual((found["exact"], found["shortened"]), (True, 0))
        return list(found["sites"])
