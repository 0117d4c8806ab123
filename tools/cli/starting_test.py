# SPDX-License-Identifier: MIT
"""Signals that reach hakmem run and record around the moment at which the program starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from tools.cli.starting import Line

# Its status has an octal digit for each signal that is named: 1 where it is ignored.
_IGNORING = """
import signal, sys
ignored = [signal.getsignal(getattr(signal, name)) == signal.SIG_IGN for name in sys.argv[1:]]
sys.exit(sum(8**place for place, is_ignored in enumerate(ignored) if is_ignored))
"""
_SLEEPING = "import time; time.sleep(600)"


def _line(*words: str) -> Line:
    return Line([sys.executable, *words], sys.executable, Path("/"))


class StartingTest(unittest.TestCase):
    def ignore(self, number: signal.Signals) -> None:
        self.addCleanup(signal.signal, number, signal.signal(number, signal.SIG_IGN))

    def test_a_signal_that_comes_as_the_program_starts_is_passed_on(self) -> None:
        """The program runs, and this process has not gone on yet."""
        start = subprocess.Popen

        def lost(number: int, _: object) -> None:
            self.fail(f"signal {number} ends this process, and the program goes on")

        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):

            def popen(*words: Any, **more: Any) -> Any:
                process = start(*words, **more)
                self.addCleanup(process.kill)
                os.kill(os.getpid(), number)  # pylint: disable=cell-var-from-loop
                return process

            with self.subTest(number), mock.patch.object(subprocess, "Popen", popen):
                self.addCleanup(signal.signal, number, signal.signal(number, lost))
                self.assertEqual(_line("-c", _SLEEPING).run({})[1], 128 + number)
                self.assertEqual(signal.getsignal(number), lost)

    def test_control_c_is_the_programs_own(self) -> None:
        start = subprocess.Popen

        def popen(*words: Any, **more: Any) -> Any:
            os.kill(os.getpid(), signal.SIGINT)
            return start(*words, **more)

        with mock.patch.object(subprocess, "Popen", popen):
            self.assertEqual(_line("-c", "").run({})[1], 0)

    def test_the_program_ignores_what_its_caller_does(self) -> None:
        names = ("SIGTERM", "SIGHUP", "SIGINT")
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0)
        self.ignore(signal.SIGHUP)
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0o10)
        self.ignore(signal.SIGINT)
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0o110)
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)


if __name__ == "__main__":
    unittest.main()
