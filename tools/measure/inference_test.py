# SPDX-License-Identifier: MIT
"""Tests, correction and verdicts against data whose answer is known."""

from __future__ import annotations

import itertools
import math
import random
import unittest

from tools.measure import inference
from tools.measure.inference import Verdict
from tools.measure.paired import ROUNDS_MIN, Ratio


class SignedRankTest(unittest.TestCase):
    def test_all_rounds_on_one_side_give_the_least_p(self) -> None:
        for rounds in (15, 20):
            logs = [0.01 * (i + 1) for i in range(rounds)]
            self.assertAlmostEqual(inference.signed_rank(logs), inference.least_p(rounds), places=12)

    def test_it_is_the_exact_test(self) -> None:
        """Six rounds: of the 64 ways to sign the ranks, those whose sum is as far from the middle."""
        logs = [0.1, 0.2, 0.3, -0.4, 0.5, 0.6]
        ours = 1 + 2 + 3 + 5 + 6
        sums = [sum(itertools.compress(range(1, 7), signs)) for signs in itertools.product((0, 1), repeat=6)]
        as_far = sum(abs(total - 10.5) >= abs(ours - 10.5) for total in sums) / len(sums)
        self.assertAlmostEqual(inference.signed_rank(logs), as_far, places=12)

    def test_no_difference_at_all(self) -> None:
        self.assertEqual(inference.signed_rank([0.0] * 15), 1.0)

    def test_rounds_without_difference_speak_for_neither_side(self) -> None:
        self.assertEqual(inference.signed_rank([0.0, 0.0, *(0.1 * (i + 1) for i in range(15))]), inference.least_p(15))


class HolmTest(unittest.TestCase):
    def test_a_textbook_case(self) -> None:
        found = inference.holm([0.01, 0.04, 0.03, 0.005])
        for value, wanted in zip(found, [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(value, wanted, places=12)

    def test_it_decides_whatever_bonferroni_decides(self) -> None:
        generator = random.Random(1)
        for _ in range(100):
            values = [generator.random() ** 3 for _ in range(generator.randrange(1, 30))]
            for value, adjusted in zip(values, inference.holm(values)):
                self.assertLessEqual(value, adjusted)
                self.assertLessEqual(adjusted, min(1.0, len(values) * value) + 1e-15)

    def test_nothing_to_correct(self) -> None:
        self.assertEqual(inference.holm([]), [])
        self.assertEqual(inference.holm([0.03]), [0.03])

    def test_rounds_suffice_for_one_comparison_among_all_to_be_decided(self) -> None:
        for comparisons in (1, 10, 200, 500, 5000):
            rounds = inference.rounds_wanted(comparisons)
            self.assertLess(comparisons * inference.least_p(rounds), inference.ALPHA)
            if rounds > ROUNDS_MIN:
                self.assertGreaterEqual(comparisons * inference.least_p(rounds - 1), inference.ALPHA)


class FalsePositiveTest(unittest.TestCase):
    """Simulated reports in which no contender differs from any other."""

    def reports_with_a_verdict(self, comparisons: int, reports: int, shared: bool) -> int:
        generator = random.Random(5)
        wrong = 0
        for _ in range(reports):
            # One contender is in all comparisons: its noise makes them depend on each other.
            ours = [generator.gauss(0, 0.05) if shared else 0.0 for _ in range(15)]
            p_values = [
                inference.signed_rank([one - generator.gauss(0, 0.05) for one in ours]) for _ in range(comparisons)
            ]
            wrong += any(p < inference.ALPHA for p in inference.holm(p_values))
        return wrong

    def test_one_comparison(self) -> None:
        """5 % of 400 are 20; four standard deviations above are 37."""
        found = self.reports_with_a_verdict(1, 400, shared=False)
        self.assertLess(found, 37)
        self.assertGreater(found, 5, "a test that is never wrong sees nothing")

    def test_many_comparisons_that_share_a_contender(self) -> None:
        """150 reports of 20 comparisons: 7.5 may be wrong; four standard deviations above are 18."""
        self.assertLess(self.reports_with_a_verdict(20, 150, shared=True), 18)

    def test_without_correction_most_reports_would_be_wrong(self) -> None:
        """The control: the same data, each comparison judged by itself."""
        generator = random.Random(5)
        wrong = sum(
            any(inference.signed_rank([generator.gauss(0, 0.05) for _ in range(15)]) < 0.05 for _ in range(20))
            for _ in range(40)
        )
        self.assertGreater(wrong, 15)

    def test_a_difference_of_five_percent_is_found(self) -> None:
        """With noise of 2 % a round, among 50 comparisons."""
        generator = random.Random(7)
        found = 0
        for _ in range(50):
            logs = [math.log(0.95) + generator.gauss(0, 0.02) for _ in range(15)]
            found += inference.holm([inference.signed_rank(logs)] + [1.0] * 49)[0] < inference.ALPHA
        self.assertGreater(found, 45)


class VerdictTest(unittest.TestCase):
    def judge(self, low: float, estimate: float, high: float, p: float = 0.001, threshold: float = 0.002) -> Verdict:
        return inference.verdict(Ratio(estimate, low, high), p, threshold)

    def test_clear_cases(self) -> None:
        self.assertIs(self.judge(0.85, 0.9, 0.95), Verdict.FASTER)
        self.assertIs(self.judge(1.05, 1.1, 1.15), Verdict.SLOWER)
        self.assertIs(self.judge(0.995, 1.0, 1.005), Verdict.EQUIVALENT)
        self.assertIs(self.judge(0.9, 1.0, 1.1), Verdict.UNDECIDED)

    def test_equivalence_ends_at_one_percent(self) -> None:
        self.assertIs(self.judge(0.99, 1.0, 1.01, p=1.0), Verdict.EQUIVALENT)
        self.assertIs(self.judge(0.9899, 1.0, 1.01, p=1.0), Verdict.UNDECIDED)
        self.assertIs(self.judge(0.99, 1.0, 1.0101, p=1.0), Verdict.UNDECIDED)

    def test_a_sure_difference_that_does_not_matter_is_none(self) -> None:
        self.assertIs(self.judge(0.991, 0.993, 0.995), Verdict.EQUIVALENT)

    def test_an_interval_that_leaves_one_percent_and_is_sure_is_a_difference(self) -> None:
        self.assertIs(self.judge(0.985, 0.988, 0.995), Verdict.FASTER)

    def test_the_corrected_p_decides(self) -> None:
        self.assertIs(self.judge(0.85, 0.9, 0.95, p=0.0499), Verdict.FASTER)
        self.assertIs(self.judge(0.85, 0.9, 0.95, p=0.05), Verdict.UNDECIDED)

    def test_an_interval_that_holds_one_decides_nothing(self) -> None:
        self.assertIs(self.judge(0.9, 0.95, 1.0), Verdict.UNDECIDED)
        self.assertIs(self.judge(1.0, 1.05, 1.1), Verdict.UNDECIDED)

    def test_nothing_within_the_threshold_is_decided(self) -> None:
        threshold = math.log(1.1)
        self.assertIs(self.judge(0.85, 0.92, 0.95, threshold=threshold), Verdict.UNDECIDED)
        self.assertIs(self.judge(0.85, 0.90, 0.95, threshold=threshold), Verdict.UNDECIDED)
        self.assertIs(self.judge(0.85, 0.88, 0.90, threshold=threshold), Verdict.FASTER)
        self.assertIs(self.judge(1.12, 1.15, 1.20, threshold=threshold), Verdict.SLOWER)
        self.assertIs(self.judge(1.05, 1.1, 1.15, threshold=math.log(1.1)), Verdict.UNDECIDED)
        self.assertIs(self.judge(0.995, 1.0, 1.005, threshold=math.log(1.02)), Verdict.UNDECIDED)

    def test_the_threshold_is_the_interval_s_far_end(self) -> None:
        self.assertAlmostEqual(inference.reach(Ratio(1.0, 0.9, 1.05)), -math.log(0.9))
        self.assertAlmostEqual(inference.reach(Ratio(1.0, 0.99, 1.05)), math.log(1.05))


class EstimateTest(unittest.TestCase):
    def test_too_few_rounds_have_no_interval(self) -> None:
        found = inference.estimate([0.1] * 14, seed=1)
        self.assertEqual((found.ratio, found.rounds, found.p), (None, 14, 1.0))
        self.assertAlmostEqual(found.median, math.exp(0.1))


if __name__ == "__main__":
    unittest.main()
