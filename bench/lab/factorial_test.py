# SPDX-License-Identifier: MIT
"""Effects of switches from times that were made from known ones."""

from __future__ import annotations

import math
import random
import unittest

from bench.engine.variants import COMBINATIONS
from bench.lab import factorial

_MAIN = {"p0": 0.9, "p1": 0.8, "p2": 0.7, "p3": 1.0}
_TOGETHER: dict[tuple[str, ...], float] = {("p0", "p3"): 0.95}
"""What the two do together beyond the product of their own."""


def times(rounds: int, noise: float) -> dict[str, list[float]]:
    """Times of all combinations; each round has a speed of the machine of its own."""
    generator = random.Random(3)
    speeds = [generator.lognormvariate(0, 0.3) for _ in range(rounds)]
    result = {}
    for combination in COMBINATIONS.values():
        log = math.log(10)
        for switches, ratio in [((switch,), ratio) for switch, ratio in _MAIN.items()] + list(_TOGETHER.items()):
            log += factorial.sign(switches, combination) * math.log(ratio) / 2
        result[combination] = [math.exp(log + generator.gauss(0, noise)) * speed for speed in speeds]
    return result


class EffectsTest(unittest.TestCase):
    def test_effects_without_noise_are_what_was_put_in(self) -> None:
        found = times(2, 0.0)
        for switches in factorial.EFFECTS:
            wanted = _TOGETHER.get(switches, 1.0) if len(switches) == 2 else _MAIN[switches[0]]
            for contrast in factorial.contrasts(switches, found):
                self.assertAlmostEqual(math.exp(contrast), wanted, places=9, msg=str(switches))

    def test_intervals_hold_what_was_put_in(self) -> None:
        found = factorial.effects(times(20, 0.03), seed=1)
        for switches, estimate in found.items():
            wanted = _TOGETHER.get(switches, 1.0) if len(switches) == 2 else _MAIN[switches[0]]
            assert estimate.ratio is not None
            # Ten intervals of 95 %: a wider one, so that the test does not depend on luck.
            spread = estimate.ratio.high / estimate.ratio.low
            self.assertLess(abs(math.log(estimate.ratio.estimate / wanted)), math.log(spread), str(switches))
            self.assertLess(spread, 1.1)

    def test_every_effect_counts_half_of_the_combinations_for_it(self) -> None:
        for switches in factorial.EFFECTS:
            self.assertEqual(sum(factorial.sign(switches, name) for name in COMBINATIONS.values()), 0)

    def test_there_are_four_switches_and_six_pairs(self) -> None:
        self.assertEqual([len(switches) for switches in factorial.EFFECTS], [1] * 4 + [2] * 6)

    def test_a_missing_combination_is_refused(self) -> None:
        found = times(15, 0.0)
        del found["p0+p2"]
        with self.assertRaises(ValueError):
            factorial.effects(found, seed=1)


if __name__ == "__main__":
    unittest.main()
