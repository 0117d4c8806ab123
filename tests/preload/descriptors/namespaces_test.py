# SPDX-License-Identifier: MIT
"""What a process publishes belongs to it alone, whoever it has become and whatever number it has: it leaves no name behind."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.preload import forms
from tests.preload.life import run
from tools.cli import published, samples

_PROGRAM = Path("tests/preload/descriptors/drops_root").resolve()
_SECONDS = 600


@unittest.skipUnless(os.geteuid() == 0, "gives up root's rights, and makes namespaces")
class NamespacesTest(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.jail = place.name
        self.names = set(os.listdir("/dev/shm"))

    def start(self, form: str, *before: str) -> subprocess.Popen[str]:
        program = f"{_PROGRAM}_linked" if form == "linked" else str(_PROGRAM)
        process = subprocess.Popen(
            [*before, program, self.jail],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=run.environment(
                forms.LIBRARIES[form],
                {"HAKMEM_PUBLISH": "1", "HAKMEM_PROFILE": "/dev/null", "HAKMEM_PROFILE_RATE": "1"},
            ),
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        process.communicate(timeout=_SECONDS)
        self.assertEqual(process.returncode, 0)

    def line_of(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()

    def made(self, pid: int) -> list[str]:
        return [one for one in set(os.listdir("/dev/shm")) - self.names if str(pid) in one]

    def test_one_that_gives_up_root_is_seen_and_leaves_nothing(self) -> None:
        started = {form: self.start(form) for form in forms.FORMS}
        for form, process in started.items():
            with self.subTest(form):
                self.assertEqual(int(self.line_of(process)), process.pid)
                self.assertEqual(published.read(process.pid)["pid"], process.pid)
                if form != "guard_full":
                    self.assertTrue(samples.read(process.pid).records)
                self.assertEqual(self.made(process.pid), [])
                self.end(process)
                self.assertEqual(self.made(process.pid), [])

    def test_two_of_the_same_number_keep_their_own(self) -> None:
        started = [self.start(form, "unshare", "--pid", "--fork", "--kill-child") for form in ("preloaded", "guard")]
        inner = []
        for process in started:
            self.assertEqual(self.line_of(process), "1\n")
            inner.append(int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()))
        # A guard's table alone reserves more than all that a build without one maps.
        mapped = [published.read(pid)["process"]["mapped_bytes"] for pid in inner]
        self.assertLess(mapped[0], mapped[1])
        self.assertLessEqual(set(inner), set(published.processes()))
        self.end(started[0])
        self.assertEqual(published.read(inner[1])["process"]["mapped_bytes"], mapped[1])
        with self.assertRaises(published.Unreachable) as gone:
            published.read(inner[0])
        self.assertEqual(gone.exception.status, published.GONE)
        self.end(started[1])


if __name__ == "__main__":
    unittest.main()
