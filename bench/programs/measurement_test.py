# SPDX-License-Identifier: MIT
"""From runs to figures: servers by request, medians, ratios, and environments of equal length."""

from __future__ import annotations

import unittest
from pathlib import Path

from bench.engine import identity
from bench.programs import measurement
from bench.programs.measurement import Measurement
from bench.programs.workloads.process import Usage
from bench.programs.workloads.runner import Run
from bench.programs.workloads.workload import Outcome
from tools.measure import conditions, paired
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
