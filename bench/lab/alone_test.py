# SPDX-License-Identifier: MIT
"""Scaling and startup: runs are interleaved, figures are the rounds' own, and what did not run is not reported."""

from __future__ import annotations

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from bench.lab import contenders, plan, scaling, startup
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.testing import fake
from tools.measure import conditions, paired, process

_NAMES = ["hakmem", "mimalloc", "quick", "glibc"]


class FakeTest(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)

    def results(self, *names: str) -> Results:
        """Of a plan of these workloads, of the fake family."""
        family = fake.make(self.folder)
        return Results(
            plan.Plan(
                families={family.name: family},
                workloads={name: replace(fake.offered()[1], name=name) for name in names},
                slots={Slot(family.name, name): family.names() for name in names},
                rounds=15,
                seed=1,
                quick=True,
                operations=None,
            ),
            self.folder,
        )


class ScalingTest(FakeTest):
    def test_threads_that_wait_for_each_other_do_half(self) -> None:
        results = self.results(scaling.WORKLOAD)
        with mock.patch.object(conditions, "processors", lambda: [0, 1]), mock.patch.object(conditions, "pinned"):
            scaling.measure(results)
        # Each run, the discarded round's as well, is one of the worker's; the control is one library.
        runs = (self.folder / fake.RUNS).stat().st_size
        self.assertEqual(runs, len(_NAMES) * 2 * (paired.ROUNDS_MIN + 1))
        found = {row["contender"]: row for row in scaling.rows(results)}
        self.assertEqual(set(found), set(_NAMES))
        for row in found.values():
            self.assertEqual(row["rounds"], list(range(1, paired.ROUNDS_MIN + 1)))
            # The fake takes the operations of all threads one after another.
            self.assertAlmostEqual(row["per_thread"], 0.5, delta=0.01)
            self.assertLess(row["low"], row["high"])

    def test_it_is_measured_where_the_workload_is_asked_for(self) -> None:
        results = self.results("pair")
        scaling.measure(results)
        self.assertEqual((results.scaling, results.notes), ({}, []))

    def test_one_processor_is_told(self) -> None:
        results = self.results(scaling.WORKLOAD)
        with mock.patch.object(conditions, "processors", lambda: [0]):
            scaling.measure(results)
        self.assertEqual(results.scaling, {})
        self.assertIn("one processor", results.notes[0])

    def test_only_whole_rounds_count_and_few_have_no_interval(self) -> None:
        results = self.results(scaling.WORKLOAD)
        results.scaling = {"hakmem": {1: {1: 100, 2: 100, 3: 100}, 2: {1: 125, 2: 125}}, "glibc": {1: {1: 5}, 2: {}}}
        (row,) = scaling.rows(results)
        self.assertEqual((row["rounds"], row["per_thread"], row["low"]), ([1, 2], 0.8, None))


class StartupTest(FakeTest):
    def test_true_under_every_library(self) -> None:
        results = self.results()
        startup.measure(results)
        found = {row["contender"]: row for row in startup.rows(results)}
        self.assertEqual(set(found), set(_NAMES))
        for row in found.values():
            self.assertEqual(len(row["rounds"]), startup.ROUNDS[True])
            self.assertGreater(min(row["ns"]), 0)
            self.assertGreater(min(row["minor_faults"]), 0)
        # The fake libraries are copies of one that the loader maps, and relocates.
        self.assertGreater(found["hakmem"]["more_faults"], 0)
        none = found["glibc"]
        for key in ("more_ms", "more_ms_low", "more_ms_high", "more_faults"):
            self.assertEqual(none[key], 0)

    def rows(self, **figures: list[tuple[int, int]]) -> dict[str, Any]:
        results = self.results()
        results.startup = {name: dict(enumerate(of, 1)) for name, of in figures.items()}
        return {row["contender"]: row for row in startup.rows(results)}

    def test_differences_are_of_a_round(self) -> None:
        # The machine gets slower all the time; the library costs 0.2 ms in all rounds but a wild one.
        without = [(1_000_000 * number, 100) for number in range(1, 17)]
        under = [(ns + 200_000, faults + 7) for ns, faults in without[:-1]] + [(99_000_000, 500)]
        row = self.rows(hakmem=under, glibc=without)["hakmem"]
        self.assertEqual((row["more_ms"], row["more_faults"]), (0.2, 7))
        self.assertEqual((row["more_ms_low"], row["more_ms_high"]), (0.2, 0.2))

    def test_only_whole_rounds_count_and_few_have_no_interval(self) -> None:
        row = self.rows(hakmem=[(1_500_000, 9)], glibc=[(1_000_000, 4), (1_000_000, 4)])["hakmem"]
        self.assertEqual((row["rounds"], row["more_ms"], row["more_ms_low"], row["more_faults"]), ([1], 0.5, None, 5))
        # Interrupted before there was anything to compare with.
        self.assertEqual((self.rows(hakmem=[(1_500_000, 9)]), self.rows()), ({}, {}))

    def test_a_library_that_the_loader_refuses_is_a_failure(self) -> None:
        results = self.results()
        (self.folder / "libmimalloc.so").write_bytes(b"nothing")
        startup.measure(results)
        (failure,) = results.failures.rows
        self.assertEqual((failure.contender, failure.workload), ("mimalloc", startup.PROGRAM))
        self.assertRegex(failure.why, "said: .*cannot be preloaded")
        self.assertEqual({row["contender"] for row in startup.rows(results)}, set(_NAMES) - {"mimalloc"})

    def test_a_start_that_does_not_end_is_ended(self) -> None:
        limits = process.Limits(seconds=0.05)
        sleep = self.folder / "sleep"
        sleep.write_text("#!/bin/sh\nexec sleep 1000000\n")
        sleep.chmod(0o755)
        with self.assertRaisesRegex(process.Stopped, "took more than 0.05 s"):
            startup._started(str(sleep), {}, limits)

    def test_without_what_it_is_compared_with_nothing_runs(self) -> None:
        results = self.results()
        family = results.plan.families[contenders.LIBRARIES]
        left = contenders.narrowed(family, ["mimalloc"])
        assert left is not None
        results.plan.families[contenders.LIBRARIES] = left
        startup.measure(results)
        self.assertEqual(results.startup, {})


if __name__ == "__main__":
    unittest.main()
