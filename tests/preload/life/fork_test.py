# SPDX-License-Identifier: MIT
"""fork, and every other way to start a program, out of a process whose threads allocate."""

import unittest

from tests.preload.life.case import LifeTest


class ForkTest(LifeTest):
    def expect_forks(self, program: str, mode: str, forks: int) -> None:
        ended = self.under_hakmem(program, mode, forks)
        self.assertEqual(ended.lines(), [{"forks": forks, "mode": mode}])

    def test_children_of_a_busy_process_live_on(self) -> None:
        self.expect_forks("fork_load", "main", 200)

    def test_threads_fork_at_the_same_time(self) -> None:
        self.expect_forks("fork_load", "threads", 30)

    def test_handlers_of_the_program_allocate(self) -> None:
        self.expect_forks("fork_load", "handlers", 40)

    def test_programs_start_in_every_other_way(self) -> None:
        ended = self.under_hakmem("spawn_load", 8)
        self.assertEqual(ended.lines(), [{"rounds": 8}])


class ForkUnderLocksOfTheCLibraryTest(LifeTest):
    """Some other thread holds one of the C library's locks at the moment of the fork."""

    def expect_forks(self, mode: str, forks: int = 100) -> None:
        ended = self.under_hakmem("fork_locks", mode, forks)
        self.assertEqual(ended.lines(), [{"forks": forks, "mode": mode}])

    def test_of_the_loader(self) -> None:
        self.expect_forks("modules")

    def test_of_streams(self) -> None:
        self.expect_forks("streams")

    def test_of_threads(self) -> None:
        self.expect_forks("threads", 200)


if __name__ == "__main__":
    unittest.main()
