# SPDX-License-Identifier: MIT
"""From runs to figures: servers by request, medians, ratios, and environments of equal length."""

from __future__ import annotations

import unittest
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from bench.engine import identity
from bench.programs import measurement
from bench.programs.measurement import Measurement
from bench.programs.workloads.errors import CheckError
from bench.programs.workloads.process import Usage
from bench.programs.workloads.runner import Run
from bench.programs.workloads.workload import Outcome
from tools.measure import conditions, paired, rounds
from tools.measure.contender import Contender


class MeasurementTest(unittest.TestCase):
    def test_program_with_a_fixed_task(self) -> None:
        found = measurement.measurement(Run(Outcome({"x": b""}), Usage(2.0, 3.0, 50)))
        self.assertEqual(found, Measurement(2.0, 3.0, 50, None))

    def test_server_counts_by_request(self) -> None:
        """The client's 4 s count, not the 10 s that the server lived."""
        found = measurement.measurement(Run(Outcome({"x": b""}, operations=1000, seconds=4.0), Usage(10.0, 3.0, 50)))
        self.assertEqual(found, Measurement(0.004, 0.003, 50, 250.0))

    def test_median_of_each_figure(self) -> None:
        runs = [Measurement(3.0, 1.0, 10, 5.0), Measurement(1.0, 2.0, 30, 7.0), Measurement(2.0, 9.0, 20, 6.0)]
        self.assertEqual(measurement.median(runs), Measurement(2.0, 2.0, 20, 6.0))
        self.assertIsNone(measurement.median([Measurement(1.0, 1.0, 1, None)]).throughput)

    def test_ratios_are_of_the_same_round(self) -> None:
        """The machine becomes slower from round to round; the ratios do not see it."""
        peer = [Measurement(1.0 + n, 2.0 + n, 1000 + n, None) for n in range(paired.ROUNDS_MIN)]
        hakmem = [Measurement(0.5 * m.seconds, 2 * m.cpu_seconds, 3 * m.peak_bytes, None) for m in peer]
        found = measurement.compare("glibc", hakmem, peer, seed=1)
        self.assertEqual(found.peer, "glibc")
        for ratio, known in ((found.time, 0.5), (found.cpu, 2.0), (found.memory, 3.0)):
            for value in (ratio.low, ratio.estimate, ratio.high):
                self.assertAlmostEqual(value, known, places=12)


class FailureTest(unittest.TestCase):
    def setUp(self) -> None:
        self.contenders = [Contender(name, library=Path(f"/{name}.so")) for name in ("hakmem", "glibc", "broken")]
        self.plan = measurement.Plan(["lua", "perl"], ["glibc", "broken"], 15, 1)
        self.failing: set[tuple[str, str, bool]] = set()
        self.runs = 0

    def found(self) -> tuple[dict[str, measurement.Result], list[tuple[str, str]]]:
        """What becomes of programs of which some fail: of (program, contender, watched)."""

        def run(program: str, contender: Contender, *, watched: bool, **_: Any) -> Run:
            self.runs += 1
            if (program, contender.name, watched) in self.failing:
                raise CheckError(f"{program} under {contender.name}: no")
            return Run(Outcome({"x": b"y"}), Usage(2.0, 3.0, 50))

        runners = {name: mock.Mock(run=partial(run, name)) for name in self.plan.programs}
        with mock.patch.object(measurement, "Runner", lambda workload, *_: runners[workload.name]):
            programs = measurement._Programs(self.plan, self.contenders, mock.Mock(), Path("/nowhere"))
        programs.verify()
        slots = {name: [one.name for one in self.contenders] for name in self.plan.programs}
        measured = rounds.run("programs", slots, self.plan.rounds, self.plan.seed, programs.measure)
        results = {name: measurement.result(name, of, self.plan) for name, of in measured.items()}
        return results, [(one.program, one.contender) for one in programs.failures]

    def peers(self, result: measurement.Result) -> list[str]:
        return [comparison.peer for comparison in result.comparisons]

    def test_one_that_fails_before_the_rounds_is_not_run_again_and_the_others_are(self) -> None:
        self.failing = {("lua", "broken", True)}
        results, failures = self.found()
        self.assertEqual(failures, [("lua", "broken")])
        self.assertEqual(self.peers(results["lua"]), ["glibc"])
        self.assertEqual(self.peers(results["perl"]), ["glibc", "broken"])
        # Both references, six checks, and sixteen rounds of what is left.
        self.assertEqual(self.runs, 2 + 6 + 16 * 5)

    def test_one_that_fails_in_a_round_has_no_figure(self) -> None:
        self.failing = {("perl", "glibc", False)}
        results, failures = self.found()
        self.assertEqual(failures, [("perl", "glibc")])
        self.assertEqual([row.contender for row in results["perl"].rows], ["hakmem", "broken"])
        self.assertEqual(self.peers(results["lua"]), ["glibc", "broken"])

    def test_without_hakmem_there_is_nothing_to_compare(self) -> None:
        self.failing = {("perl", "hakmem", True)}
        results, _ = self.found()
        self.assertEqual((self.peers(results["perl"]), len(results["perl"].rows)), ([], 2))


class PaddingTest(unittest.TestCase):
    def test_environments_are_equally_long(self) -> None:
        contenders = [Contender("a", library=Path("/lib/a.so")), Contender("b", library=Path("/usr/lib/longer/b.so"))]
        lengths = [
            conditions.size_bytes(
                {"LD_PRELOAD": str(contender.library), **measurement.padding(contender, contenders, 100)}
            )
            for contender in contenders
        ]
        self.assertEqual(lengths[0], lengths[1])
        shorter = measurement.padding(contenders[1], contenders, 40)
        self.assertEqual(len(shorter[conditions.PADDING]), 40)


class MachineTest(unittest.TestCase):
    def test_kernel_without_its_builder(self) -> None:
        self.assertEqual(identity.kernel_version("6.1.0-28-amd64"), "6.1.0")
        self.assertEqual(identity.kernel_version("6.18.44"), "6.18.44")

    def test_chosen_setting(self) -> None:
        self.assertEqual(identity.chosen_in("always [madvise] never\n"), "madvise")
        self.assertIsNone(identity.chosen_in(None))


if __name__ == "__main__":
    unittest.main()
