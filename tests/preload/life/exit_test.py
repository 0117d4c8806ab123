# SPDX-License-Identifier: MIT
"""A process, or a thread of it, ends while somebody allocates."""

import signal
import unittest
from collections.abc import Sequence
from typing import Any

from tests.preload.life.case import LifeTest

# Where it is chance what the other threads are at.
ROUNDS = 10

ITERATIONS = 4  # PTHREAD_DESTRUCTOR_ITERATIONS
KEYS = 3


class ExitTest(LifeTest):
    def expect_way(self, way: str, ran: Sequence[str], rounds: int = 1, status: int = 0, **options: Any) -> None:
        for _ in range(rounds):
            ended = self.under_hakmem("exit_paths", way, status=status, **options)
            self.assertEqual(ended.lines(), [{"ran": name} for name in ran])

    def test_handlers_of_exit_allocate(self) -> None:
        self.expect_way("exit", ["last", "first"])

    def test_handlers_of_quick_exit_allocate(self) -> None:
        self.expect_way("quick_exit", ["last", "first"], ROUNDS)

    def test__exit_runs_none(self) -> None:
        self.expect_way("_exit", [], ROUNDS)

    def test_main_returns_while_threads_run(self) -> None:
        self.expect_way("return", [], ROUNDS)

    def test_main_returns_while_detached_threads_run(self) -> None:
        self.expect_way("return_detached", [], ROUNDS)

    def test_process_ends_with_its_last_thread(self) -> None:
        """Threads of the allocator's own do not count."""
        self.expect_way("pthread_exit", ["first"], variables={"HAKMEM_PURGE_DELAY_MS": "200"})

    def test_abort_in_a_handler_in_the_middle_of_allocating(self) -> None:
        self.expect_way("abort", [], ROUNDS, -signal.SIGABRT)

    def test_exec_in_a_thread_while_others_allocate(self) -> None:
        for _ in range(ROUNDS):
            ended = self.under_hakmem("exit_paths", "exec")
            self.assertEqual(ended.lines(), [{"allocator": "hakmem"}, {"ran": "last"}, {"ran": "first"}])

    def test_main_returns_while_threads_fork(self) -> None:
        self.expect_way("return_forking", [], 2 * ROUNDS)

    def test_main_returns_while_threads_fork_with_handlers_of_the_program(self) -> None:
        self.expect_way("return_forking_handlers", [], 2 * ROUNDS)

    def test_quick_exit_while_threads_fork_with_handlers_of_the_program(self) -> None:
        self.expect_way("quick_exit_forking_handlers", [], ROUNDS)


class ThreadEndTest(LifeTest):
    def test_destructors_allocate_to_the_last_round(self) -> None:
        (report,) = self.under_hakmem("exit_paths", "keys").lines()
        self.assertEqual(report["rounds"], KEYS * ITERATIONS)
        # What the last round set is nobody's; all else was freed, and the records were used again.
        self.assertEqual(report["stayed"], KEYS * report["threads"])
        self.assertEqual(report["metadata_growth"], 0)

    def test_cancelled_threads_leave_nothing(self) -> None:
        (report,) = self.under_hakmem("exit_paths", "cancel").lines()
        self.assertEqual(report, {"stayed": 0, "metadata_growth": 0})


if __name__ == "__main__":
    unittest.main()
