# SPDX-License-Identifier: MIT
"""tune runs a program under every setting, and says which one it could not run under, and what it cannot run."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

_SECONDS = 600


def _tune(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    line = [TUNE, "--rounds=1", *arguments]
    return subprocess.run(line, env={**environment, **variables}, capture_output=True, text=True, check=False)


class Tune(unittest.TestCase):
    def refuse(self, status: int, words: str, *arguments: str) -> None:
        done = _tune(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_it_prints_a_row_for_every_setting(self) -> None:
        done = _tune("/bin/sh", "-c", "case $LD_PRELOAD in */libhakmem.so) ;; *) exit 1 ;; esac")
        self.assertEqual("", done.stderr)  # the library says here what it does not know
        self.assertEqual(9, len(done.stdout.splitlines()))
        self.assertIn("\ndefault ", done.stdout)

    def test_a_program_that_fails_ends_it(self) -> None:
        self.refuse(
            1, "tune: /bin/sh ended with 1 under HAKMEM_THP=never", "/bin/sh", "-c", 'test "$HAKMEM_THP" != never'
        )

    def test_what_cannot_be_run(self) -> None:
        self.refuse(1, "tune: ./none cannot be started: No such file or directory", "./none")
        self.refuse(1, "tune: ./none cannot be started: No such file or directory", "--", "./none", "--rounds=1")
        for rounds in ("0", "-1", "1001", "many"):
            self.refuse(2, "is not a whole number from 1 to 1000", f"--rounds={rounds}", "/bin/true")
        self.refuse(2, "unrecognized arguments: --round=1", "--round=1")

    def test_a_program_is_found_where_the_caller_is(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script"
            script.write_text('#!/bin/sh\ntest -e script && test -z "${BUILD_WORKING_DIRECTORY+0}"\n')
            script.chmod(0o755)
            done = _tune("--", "./script", BUILD_WORKING_DIRECTORY=folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_who_ends_it_ends_the_program(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            started = Path(folder) / "pid"
            script = 'echo $$ >"$0.new" && mv "$0.new" "$0" && exec sleep 100000'
            line = [TUNE, "/bin/sh", "-c", script, str(started)]
            for number in (signal.SIGINT, signal.SIGTERM):
                with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tune:
                    deadline = time.monotonic() + _SECONDS
                    while not started.exists():
                        self.assertLess(time.monotonic(), deadline)
                        self.assertIsNone(tune.poll())
                        time.sleep(0.02)
                    tune.send_signal(number)
                    out, error = tune.communicate(timeout=_SECONDS)
                self.assertEqual((tune.returncode, out), (128 + number, ""), error)
                self.assertNotIn("Traceback", error)
                self.assertFalse(Path(f"/proc/{started.read_text().strip()}").exists())
                started.unlink()


if __name__ == "__main__":
    TUNE = sys.argv.pop(1)
    unittest.main()
