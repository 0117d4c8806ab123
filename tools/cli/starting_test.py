# SPDX-License-Identifier: MIT
"""Signals that reach hakmem run and record around the moment at which the program starts."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from tools.cli import starting
from tools.cli.starting import Line

_ROOT = Path(__file__).absolute().parents[2]

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

        has_none = mock.patch.object(starting, "_has_terminal", return_value=False)
        has_none.start()
        self.addCleanup(has_none.stop)
        for number in (
            *(signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2),
            *(signal.SIGINT, signal.SIGQUIT),  # as from docker stop, of an image with such a STOPSIGNAL
        ):

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
            os.kill(os.getpid(), signal.SIGQUIT)
            return start(*words, **more)

        with (
            mock.patch.object(subprocess, "Popen", popen),
            mock.patch.object(starting, "_has_terminal", return_value=True),
        ):
            self.assertEqual(_line("-c", "").run({})[1], 0)

    def test_whose_foreground_it_is(self) -> None:
        """In a session without a terminal, and in that of one."""
        script = "from tools.cli import starting; print(starting._has_terminal())"
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        self.addCleanup(os.close, follower)
        for with_terminal in (False, True):

            def take() -> None:
                if with_terminal:  # pylint: disable=cell-var-from-loop
                    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)

            done = subprocess.run(
                [sys.executable, "-c", script],
                cwd=_ROOT,
                start_new_session=True,
                preexec_fn=take,
                pass_fds=[follower],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            self.assertEqual(done.stdout.strip(), str(with_terminal))

    def test_the_program_ignores_what_its_caller_does(self) -> None:
        names = ("SIGTERM", "SIGHUP", "SIGINT")
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0)
        self.ignore(signal.SIGHUP)
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0o10)
        self.ignore(signal.SIGINT)
        self.assertEqual(_line("-c", _IGNORING, *names).run({})[1], 0o110)
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_IGN)

    @unittest.skipUnless(os.geteuid() == 0, "becomes another user")
    def test_a_folder_that_may_not_be_entered_again(self) -> None:
        """As root's own is to the user of `sudo -u USER hakmem run -- PROGRAM`."""
        folder = TemporaryDirectory()  # for root alone
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        self.addCleanup(os.seteuid, 0)
        os.seteuid(65534)
        with self.assertRaises(PermissionError):
            os.chdir(folder.name)
        line = Line(["true"], "/bin/true", Path.cwd())
        self.assertEqual(line.run({})[1], 0)


if __name__ == "__main__":
    unittest.main()
