# SPDX-License-Identifier: MIT
"""The statistics against data whose answer is known."""

from __future__ import annotations

import itertools
import math
import random
import unittest

from tools.measure import paired, rounds


class RatioTest(unittest.TestCase):
    def test_constant_ratio_has_an_interval_of_one_point(self) -> None:
        baseline = [10.0 + i for i in range(paired.ROUNDS_MIN)]
        found = paired.ratio([2 * time for time in baseline], baseline, seed=1)
        for value in (found.estimate, found.low, found.high):
            self.assertAlmostEqual(value, 2.0, places=12)

    def test_drift_that_both_share_cancels(self) -> None:
        """The machine becomes 1.6 times slower half-way: the ratio does not see it."""
        drift = [1.0] * 8 + [1.6] * 7
        found = paired.ratio([0.9 * 5 * d for d in drift], [5 * d for d in drift], seed=1)
        self.assertAlmostEqual(found.estimate, 0.9, places=12)
        self.assertAlmostEqual(found.high, 0.9, places=12)

    def test_one_wild_round_moves_nothing(self) -> None:
        baseline = [10.0] * 15
        times = [9.0 + 0.01 * i for i in range(14)] + [900.0]
        found = paired.ratio(times, baseline, seed=1)
        self.assertLess(found.high, 1.0)

    def test_inverse_ratio_has_the_inverse_interval(self) -> None:
        generator = random.Random(5)
        a = [generator.uniform(3, 4) for _ in range(15)]
        b = [generator.uniform(5, 6) for _ in range(15)]
        there, back = paired.ratio(a, b, seed=1), paired.ratio(b, a, seed=1)
        self.assertAlmostEqual(there.estimate * back.estimate, 1.0, places=12)
        # The ends are order statistics of two resampling runs, equal up to their grain.
        self.assertTrue(math.isclose(there.low * back.high, 1.0, rel_tol=0.02))

    def test_equal_seeds_give_equal_figures(self) -> None:
        generator = random.Random(7)
        a = [generator.uniform(3, 4) for _ in range(20)]
        b = [generator.uniform(3, 4) for _ in range(20)]
        self.assertEqual(paired.ratio(a, b, seed=3), paired.ratio(a, b, seed=3))

    def test_interval_holds_the_true_ratio_nineteen_times_in_twenty(self) -> None:
        """200 experiments with log-normal noise; 90 % is three standard deviations below 95 %."""
        generator = random.Random(11)
        truth, held, experiments = 0.8, 0, 200
        for experiment in range(experiments):
            a = [truth * math.exp(generator.gauss(0, 0.05)) for _ in range(15)]
            found = paired.ratio(a, [1.0] * 15, seed=experiment)
            held += found.low <= truth <= found.high
        self.assertGreaterEqual(held, 0.9 * experiments)

    def test_fewer_than_fifteen_pairs_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            paired.ratio([1.0] * 14, [1.0] * 14, seed=1)

    def test_unpaired_times_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            paired.ratio([1.0] * 16, [1.0] * 15, seed=1)


class RoundsTest(unittest.TestCase):
    def test_each_round_has_every_key_once(self) -> None:
        for order in rounds.orders("abcd", 30, seed=1):
            self.assertEqual(sorted(order), list("abcd"))

    def test_every_key_comes_first_at_times(self) -> None:
        self.assertEqual({order[0] for order in rounds.orders("abcd", 60, seed=1)}, set("abcd"))

    def test_equal_seeds_give_equal_orders(self) -> None:
        self.assertEqual(rounds.orders("abcd", 9, seed=4), rounds.orders("abcd", 9, seed=4))
        self.assertNotEqual(rounds.orders("abcd", 9, seed=4), rounds.orders("abcd", 9, seed=5))

    def test_warm_up_is_discarded_and_results_stay_in_rounds_order(self) -> None:
        seen: list[tuple[str, int]] = []

        def measure(turn: rounds.Turn[str, str]) -> int:
            seen.append((turn.key, turn.number))
            return turn.number

        results = rounds.run("test", {"slot": ["a", "b"]}, 3, 1, measure)
        self.assertEqual(results, {"slot": {"a": [1, 2, 3], "b": [1, 2, 3]}})
        self.assertEqual([number for _, number in seen], [0, 0, 1, 1, 2, 2, 3, 3])

    def test_contenders_of_a_slot_stand_next_to_each_other(self) -> None:
        slots = {"one": list("abc"), "other": list("abcd"), "third": list("x")}
        turns = list(rounds.schedule(slots, 20, seed=1))
        runs = [slot for slot, _ in itertools.groupby(turn.slot for turn in turns)]
        # Two rounds may end and begin with the same slot; nothing else joins two groups of turns.
        self.assertGreaterEqual(len(runs), 3 * 21 - 20)
        self.assertEqual({slot for slot in runs}, set(slots))
        self.assertGreater(len({tuple(runs[at : at + 3]) for at in range(0, 30, 3)}), 1)

    def test_contenders_of_a_round_share_its_padding_and_rounds_differ(self) -> None:
        turns = list(rounds.schedule({"one": list("ab"), "other": list("cd")}, 20, seed=1))
        by_round = [{turn.padding for turn in turns if turn.number == number} for number in range(21)]
        self.assertEqual({len(lengths) for lengths in by_round}, {1})
        self.assertGreater(len(set.union(*by_round)), 15)


if __name__ == "__main__":
    unittest.main()
