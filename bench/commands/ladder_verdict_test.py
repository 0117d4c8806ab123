# SPDX-License-Identifier: MIT
"""The ladder's verdicts on steps whose times are made up: the laboratory's, and never "does not pay" for "not decided"."""

from __future__ import annotations

import math
import random
import unittest

from bench.commands import benchmark, ladder
from bench.commands.ladder import Step
from tools.measure import inference, paired
from tools.measure.inference import Estimate, Verdict


def by(factor: float, noise: float, seed: int) -> Estimate:
    """A step that takes `factor` of the time of the one before."""
    generator = random.Random(seed)
    return inference.estimate([math.log(factor) + generator.gauss(0, noise) for _ in range(paired.ROUNDS_MIN)], seed)


def step(estimate: Estimate | None, threshold: float) -> Step:
    row = benchmark.Row("pair", "hakmem", "static", "1.0", 10.0, paired.ONE, 1, 1, 0, 0, 1)
    return Step(row, "p0", 40.0, None, estimate, threshold)


class VerdictTest(unittest.TestCase):
    def verdicts(self, noise: float, *factors: float) -> list[tuple[Verdict | None, bool | None]]:
        """Of a first step and of others that take so much of the time before."""
        control = by(1.0, noise, 99)
        assert control.ratio is not None
        threshold = inference.reach(control.ratio)
        estimates = [None, *(by(factor, noise, 7 + number) for number, factor in enumerate(factors))]
        steps = [step(estimate, threshold) for estimate in estimates]
        return [(one.verdict, one.pays) for one in ladder.judged({"pair": steps}, [control])["pair"]]

    def test_what_is_decided(self) -> None:
        self.assertEqual(
            self.verdicts(0.001, 0.8, 1.25, 1.0),
            [(None, None), (Verdict.FASTER, True), (Verdict.SLOWER, False), (Verdict.EQUIVALENT, False)],
        )

    def test_what_is_not_decided_neither_pays_nor_does_not(self) -> None:
        self.assertEqual(self.verdicts(0.3, 0.97, 1.02)[1:], [(Verdict.UNDECIDED, None)] * 2)

    def test_steps_are_corrected_over_all_workloads(self) -> None:
        """A p-value that one comparison is decided by decides nothing among 2,000."""
        estimate = Estimate(0.5, paired.Ratio(0.5, 0.4, 0.6), 15, 0.0001)
        for count, verdict in ((1, Verdict.FASTER), (2000, Verdict.UNDECIDED)):
            found = ladder.judged({str(number): [step(estimate, 0.01)] for number in range(count)}, [])
            self.assertEqual({one.verdict for of in found.values() for one in of}, {verdict})


if __name__ == "__main__":
    unittest.main()
