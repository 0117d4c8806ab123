# SPDX-License-Identifier: MIT
"""A process, or a thread of it, ends while somebody allocates."""

import signal
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.preload.life import run
from tests.preload.life.case import LifeTest

# Where it is chance what the other threads are at.
ROUNDS = 10

# A run takes some milliseconds, or for ever.
SECONDS_OF_A_RUN = 60

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


class ExitInHandlerTest(LifeTest):
    """A signal comes while the thread holds a lock of the allocator, and its handler calls exit."""

    # Most signals come at such a moment: the first dozen of runs has ten of them.
    WARNED_RUNS = 10
    MOST_RUNS = 300

    WARNING = "hakmem: warning: no statistics: a signal handler ended the process in the middle of an allocation\n"

    def end_one(self, milliseconds: int, file: Path) -> str:
        """What it said. There are either statistics or the warning that there are none."""
        ended = run.program(
            "exit_in_handler", milliseconds, variables={"HAKMEM_STATS": f"text:{file}"}, seconds=SECONDS_OF_A_RUN
        )
        self.assertEqual((ended.status, ended.allocator()), (0, "hakmem"), str(ended))
        self.assertIn(ended.stderr, ("", self.WARNING))
        self.assertEqual(file.exists(), ended.stderr == "")
        if ended.stderr == "":
            self.assertTrue(file.read_text().startswith("hakmem "))
        return ended.stderr

    def test_statistics_wait_for_no_lock_of_the_thread_that_ends_the_process(self) -> None:
        warned = runs = 0
        with tempfile.TemporaryDirectory() as place:
            while warned < self.WARNED_RUNS and runs < self.MOST_RUNS:
                runs += 1
                warned += self.end_one(1 + runs % 5, Path(place) / str(runs)) != ""
        self.assertEqual(warned, self.WARNED_RUNS, f"of {runs} runs")


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
