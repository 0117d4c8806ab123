# SPDX-License-Identifier: MIT
"""Who fails is out where it failed, is given up where it goes on failing, and nobody else is."""

from __future__ import annotations

import unittest
from typing import Any, NoReturn
from unittest import mock

from bench.lab import contenders, phases, workloads
from bench.lab.failures import Failures
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.testing import simulated
from tools.measure import process
from tools.measure.contender import ContenderError
from tools.measure.program import BenchError

_PAIR, _LOCAL = (Slot(contenders.LIBRARIES, name) for name in simulated.WORKLOADS)


def _fail() -> NoReturn:
    raise process.Failed(["worker"], "was ended by SIGABRT: no")


def _hang() -> NoReturn:
    raise process.Stopped(["worker"], "was ended: it took more than 1 s")


class FailuresTest(unittest.TestCase):
    def setUp(self) -> None:
        self.failures = Failures()

    def test_a_failure_is_out_there_and_nowhere_else(self) -> None:
        self.assertIsNone(self.failures.attempt(_PAIR, "mine", _fail))
        (row,) = self.failures.rows
        self.assertEqual((row.workload, row.contender, row.phase), ("pair", "mine", "verify"))
        self.assertEqual(row.why, "was ended by SIGABRT: no")
        self.assertTrue(self.failures.is_failed(_PAIR, "mine"))
        self.failures.phase = "rounds"
        self.assertIsNone(self.failures.attempt(_PAIR, "mine", lambda: 1))
        self.assertEqual(self.failures.attempt(_LOCAL, "mine", lambda: 1), 1)
        self.assertEqual(self.failures.attempt(_PAIR, "other", lambda: 1), 1)
        self.assertEqual(self.failures.attempt(Slot("switches", "pair"), "mine", lambda: 1), 1)

    def test_what_is_ended_by_a_limit_is_asked_no_more(self) -> None:
        self.failures.attempt(_PAIR, "mine", _hang)
        self.assertIsNone(self.failures.attempt(_LOCAL, "mine", lambda: 1))
        self.failures.phase = "memory"
        self.assertIsNone(self.failures.attempt(_LOCAL, "mine", lambda: 1))
        self.assertEqual(len(self.failures.rows), 1)

    def test_three_failures_are_enough(self) -> None:
        for number in range(9):
            self.failures.attempt(Slot("libraries", str(number)), "mine", _fail)
        self.assertEqual(len(self.failures.rows), 3)

    def test_a_later_phase_takes_nothing_from_the_ratios(self) -> None:
        self.failures.phase = "counts"
        self.failures.attempt(_PAIR, "mine", _hang)
        self.assertFalse(self.failures.is_failed(_PAIR, "mine"))
        self.assertIsNone(self.failures.attempt(_LOCAL, "mine", lambda: 1))
        self.failures.phase = "memory"
        self.assertEqual(self.failures.attempt(_PAIR, "mine", lambda: 1), 1)

    def test_what_is_nobody_s_failure_ends_the_run(self) -> None:
        def missing() -> NoReturn:
            raise BenchError("valgrind is not installed")

        with self.assertRaisesRegex(BenchError, "valgrind"):
            self.failures.attempt(_PAIR, "mine", missing)
        self.assertEqual(self.failures.rows, [])


class RoundsTest(unittest.TestCase):
    def test_a_contender_that_fails_in_a_late_round_has_no_ratio_and_the_others_have_all_rounds(self) -> None:
        results = Results(simulated.make_plan(), mock.Mock())
        results.operations = dict.fromkeys(results.plan.slots, 1)
        runs: dict[Any, int] = {}

        def run(family: Any, contender: Any, workload: Any, *_: Any, **__: Any) -> dict[str, int]:
            key = (family.name, contender.name, workload.name)
            runs[key] = runs.get(key, 0) + 1
            if key == (contenders.LIBRARIES, "glibc", "pair") and runs[key] == 9:
                raise ContenderError("glibc did other work")
            return simulated.sample(contender.name, 10.0)

        with mock.patch.object(workloads, "run", run):
            results.failures.phase = "rounds"
            phases.measure(results)
        self.assertEqual([row.why for row in results.failures.rows], ["glibc did other work"])
        times = results.times(_PAIR)
        self.assertNotIn("glibc", times)
        self.assertEqual({len(of) for of in times.values()}, {15})
        self.assertEqual({len(of) for of in results.times(_LOCAL).values()}, {15})
        self.assertEqual(runs[contenders.LIBRARIES, "glibc", "pair"], 9)


if __name__ == "__main__":
    unittest.main()
