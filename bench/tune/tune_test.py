# SPDX-License-Identifier: MIT
"""tune runs a program under every setting, and says which one it could not run under."""

import subprocess
import sys
import unittest


def _tune(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TUNE, "--rounds=1", *arguments], capture_output=True, text=True, check=False)


class Tune(unittest.TestCase):
    def test_it_prints_a_row_for_every_setting(self) -> None:
        done = _tune("/bin/sh", "-c", "case $LD_PRELOAD in */libhakmem.so) ;; *) exit 1 ;; esac")
        self.assertEqual("", done.stderr)  # the library says here what it does not know
        self.assertEqual(9, len(done.stdout.splitlines()))
        self.assertIn("\ndefault ", done.stdout)

    def test_a_program_that_fails_ends_it(self) -> None:
        done = _tune("/bin/sh", "-c", 'test "$HAKMEM_THP" != never')
        self.assertEqual(1, done.returncode)
        self.assertIn("ended with 1 under HAKMEM_THP=never", done.stderr)


if __name__ == "__main__":
    TUNE = sys.argv.pop(1)
    unittest.main()
