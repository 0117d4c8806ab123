# SPDX-License-Identifier: MIT
"""The thread that purges is never started by a free of the C library's own: see stack_cache.c for the moment.

The same program under a library that does start it there shows that the moment comes: it waits for itself for ever.
"""

import unittest
from pathlib import Path

from tests.preload.life import run
from tests.preload.life.case import LifeTest

UNGUARDED = Path("tests/preload/life/libhakmem-unguarded.so")

# What waits is not due while the program runs.
VARIABLES = {"HAKMEM_PURGE_DELAY_MS": "3600000", "HAKMEM_PURGE_THREAD": "1"}

FUTEX = "202"


def waits_for_itself(pid: int) -> bool:
    """One thread is left, and it waits for a lock without end."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        call = (tasks[0] / "syscall").read_text().split()
    except (OSError, IndexError):
        return False
    number, timeout = call[0], call[4] if len(call) > 4 else ""
    return len(tasks) == 1 and number == FUTEX and int(timeout, 16) == 0


class StackCacheTest(LifeTest):
    def test_free_under_the_lock_of_the_stacks_starts_no_thread(self) -> None:
        (report,) = self.under_hakmem("stack_cache", variables=VARIABLES).lines()
        self.assertEqual((report["decaying_before"], report["purged"]), (0, 0))
        self.assertGreater(report["decaying"], run.MIB)

    def test_the_moment_comes(self) -> None:
        with self.assertRaises(run.Hung) as hung:
            run.program("stack_cache", library=UNGUARDED, variables=VARIABLES, hangs=waits_for_itself)
        self.assertRegex(str(hung.exception), f"stack_cache S: {FUTEX} ")


if __name__ == "__main__":
    unittest.main()
