# SPDX-License-Identifier: MIT
"""What the laboratory says of libraries whose difference is known: of a copy of the same one, and of a slower one.

Times are drawn again and again from those of one library (a bootstrap of runs), so that wild runs are in them as a machine
has them. 1,000 reports are judged by their p-values first, by a table of Wilcoxon's statistic in place of scipy, which
would take a minute; what is left is judged as in a report.
"""

from __future__ import annotations

import math
import unittest
from collections.abc import Sequence
from typing import Any

import numpy

from tools.measure import inference, paired
from tools.measure.inference import Estimate, Verdict

_ROUNDS = 15
_REPORTS = 1000
_WORKLOADS = 6

# Runs of one library by their median: most within half a per cent, one in ten wild.
_RUNS = numpy.exp(
    numpy.concatenate(
        [0.005 * numpy.random.RandomState(1).normal(size=180), numpy.random.RandomState(2).exponential(0.08, size=20)]
    )
)


def drawn(generator: Any, *shape: int) -> Any:
    """Logarithms of runs, each a little of its own, so that no two are equal."""
    return numpy.log(generator.choice(_RUNS, size=shape)) + generator.normal(0, 0.0005, size=shape)


def _tails() -> Any:
    """Sum of the ranks of positive values -> two-sided p-value, by all ways to sign the ranks."""
    counts: Any = numpy.ones(1)
    for rank in range(1, _ROUNDS + 1):
        counts = numpy.convolve(counts, numpy.eye(1, rank + 1, rank).ravel() + numpy.eye(1, rank + 1).ravel())
    below = numpy.cumsum(counts) / 2.0**_ROUNDS
    above = numpy.cumsum(counts[::-1])[::-1] / 2.0**_ROUNDS
    return numpy.minimum(1.0, 2 * numpy.minimum(below, above))


_P = _tails()


def signed_rank(logs: Any) -> Any:
    """inference.signed_rank of each line."""
    ranks = 1 + numpy.argsort(numpy.argsort(abs(logs), axis=-1), axis=-1)
    return _P[numpy.sum(ranks * (logs > 0), axis=-1)]


def estimated(logs: Sequence[float]) -> Estimate:
    return inference.estimate([float(log) for log in logs], 1)


class SameLibraryTest(unittest.TestCase):
    def test_the_table_is_wilcoxon_s(self) -> None:
        for logs in drawn(numpy.random.RandomState(3), 20, _ROUNDS):
            self.assertAlmostEqual(float(signed_rank(logs)), inference.signed_rank(list(logs)), places=12)

    def verdicts(self, slower: float) -> tuple[int, int]:
        """Reports in which some p-value is below the limit, and in which something is decided; of a library, its control,
        and two copies, one of which takes so much more time."""
        generator = numpy.random.RandomState(4)
        looked_at = decided = 0
        for _ in range(_REPORTS):
            ours, again, *copies = (drawn(generator, _WORKLOADS, _ROUNDS) for _ in range(4))
            controls = again - ours
            logs = numpy.concatenate([controls, ours - copies[0], ours - copies[1] - math.log(slower)])
            adjusted = inference.holm([float(p) for p in signed_rank(logs)])
            asked = [place for place in range(_WORKLOADS, len(logs)) if adjusted[place] < inference.ALPHA]
            looked_at += bool(asked)
            for place in asked:
                reach = inference.reach(estimated(controls[place % _WORKLOADS]).ratio or paired.ONE)
                ratio = estimated(logs[place]).ratio or paired.ONE
                if inference.verdict(ratio, adjusted[place], reach) in (Verdict.FASTER, Verdict.SLOWER):
                    decided += 1
                    break
            if slower != 1 and looked_at >= 20:
                break
        return looked_at, decided

    def test_a_copy_is_never_found_different(self) -> None:
        looked_at, decided = self.verdicts(slower=1.0)
        self.assertEqual(decided, 0)
        self.assertGreater(looked_at, 5, "a test that sees no p-value below the limit tests nothing")

    def test_one_that_is_slower_is(self) -> None:
        """The control: the same reports with 10 %."""
        looked_at, decided = self.verdicts(slower=1.1)
        self.assertEqual((looked_at, decided), (20, 20))


class KnownDifferenceTest(unittest.TestCase):
    """An interval of 95 % holds the truth in 95 of 100 series; four standard deviations below are 86."""

    def held(self, truth: float) -> int:
        generator = numpy.random.RandomState(5)
        count = 0
        for _ in range(100):
            ratio = estimated(math.log(truth) + drawn(generator, _ROUNDS) - drawn(generator, _ROUNDS)).ratio
            count += ratio is not None and ratio.low <= truth <= ratio.high
        return count

    def test_twenty_nanoseconds_more(self) -> None:
        self.assertGreater(self.held((12.0 + 20.0) / 12.0), 86)

    def test_five_percent_more(self) -> None:
        self.assertGreater(self.held(1.05), 86)


if __name__ == "__main__":
    unittest.main()
