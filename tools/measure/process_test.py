# SPDX-License-Identifier: MIT
"""A measured program that does not end well, or at all: what is said of it, and that nothing of it is left."""

from __future__ import annotations

import sys
import tempfile
import time
import unittest
from pathlib import Path

from tools.measure import process
from tools.measure.process import Limits
from tools.measure.program import BenchError

# Far beyond what a test waits for: such a program is ended, or the test never is.
_FOREVER = "1000000"


class FailureTest(unittest.TestCase):
    def why(self, *command: str, limits: Limits = Limits()) -> str:
        with process.limited(limits), self.assertRaises(process.Failed) as raised:
            process.start(command)
        self.assertTrue(str(raised.exception).startswith(" ".join(command)))
        return raised.exception.why


class EndTest(FailureTest):
    def test_a_status_and_a_signal(self) -> None:
        self.assertEqual(self.why("/bin/sh", "-c", "echo no >&2; exit 3"), "exited with status 3: no")
        self.assertEqual(self.why("/bin/sh", "-c", "kill -ABRT $$"), "was ended by SIGABRT: it printed no message")

    def test_no_result(self) -> None:
        for text in ("", "[]", "text"):
            with self.assertRaises(process.Failed) as raised:
                process.result(["/bin/echo", "-n", text])
            self.assertEqual(raised.exception.why, f"printed what is not a result: {text!r}")
        self.assertEqual(process.result(["/bin/echo", '{"a": 1}']), {"a": 1})

    def test_a_program_that_is_not_there(self) -> None:
        with self.assertRaisesRegex(BenchError, "/nowhere cannot be started"):
            process.start(["/nowhere"])

    def test_output_that_is_no_text(self) -> None:
        self.assertEqual(process.start(["/usr/bin/printf", "a\\377"]), "a\ufffd")


class LimitTest(FailureTest):
    def test_time(self) -> None:
        self.assertEqual(
            self.why("/bin/sleep", _FOREVER, limits=Limits(seconds=0.1)), "was ended: it took more than 0.1 s"
        )

    def test_memory(self) -> None:
        script = f"held = b'x' * (64 << 20); import time; time.sleep({_FOREVER})"
        limits = Limits(resident_bytes=32 << 20)
        self.assertEqual(self.why(sys.executable, "-c", script, limits=limits), "was ended: it took more than 32 MiB")

    def test_processes_and_all_of_them_are_ended(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pids = Path(folder, "pids")
            script = f"for i in 1 2 3 4 5 6; do sleep {_FOREVER} & echo $! >>{pids}; done; wait"
            limits = Limits(processes=4)
            self.assertEqual(
                self.why("/bin/sh", "-c", script, limits=limits), "was ended: it had more than 4 processes"
            )
            # They were sent a signal that nobody can ignore: it is only a matter of being scheduled.
            while any(map(_runs, map(int, pids.read_text().split()))):
                time.sleep(0.01)

    def test_limits_end_with_what_they_are_for(self) -> None:
        with process.limited(Limits(seconds=0.0)):
            pass
        self.assertEqual(process.start(["/bin/sleep", "0.01"]), "")

    def test_a_program_within_its_limits(self) -> None:
        with process.limited(Limits(seconds=1e6, resident_bytes=1 << 40, processes=10)):
            self.assertEqual(process.start(["/bin/sh", "-c", "sleep 0.4; echo well"]), "well\n")


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie that nobody has asked after."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


if __name__ == "__main__":
    unittest.main()
