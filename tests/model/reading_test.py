# SPDX-License-Identifier: MIT
"""Searches the models of what is read beside the thread that writes it, on a machine that shows stores in any order:
readings of statistics and walks, reading.pml, beside threads that begin and end, record.pml, the published page,
publish.pml, and pairs of threads of which one must see the other, dekker.pml; and their mutants until each is found."""

import functools
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model import spin  # noqa: E402

# Each mutant with the fewest rounds in which it does harm: as many as it takes for what was to come back.
MODELS = {
    "reading.pml": {
        "LEAVE_RELAXED": 1,
        "NO_ACQUIRE_FENCE": 1,
        "NO_LOOK_AGAIN": 2,
        "NO_RELEASE_FENCE": 1,
        "PUSH_RELAXED": 1,
    },
    "dekker.pml": {"FIRST_RELAXED": 1, "SECOND_RELAXED": 1},
    "publish.pml": {"END_RELAXED": 2, "LOADS_RELAXED": 2, "NO_SECOND_LOOK": 2, "STORES_RELAXED": 2},
    "record.pml": {
        "ALLOW_RELAXED": 1,
        "COUNTS_MOVE": 2,
        "LEAVE_RELAXED": 1,
        "NO_ADD": 1,
        "NO_WAIT": 1,
    },
}

OPTIONS = ["-O1", "-DMEMLIM=490"]
TABLE = ["-w20"]


def search_mutant(model: str, name: str) -> str:
    """pan's report up to the first error, which comes soon: speed does not pay."""
    return spin.search(model, ["MUTANT_" + name, "ROUNDS=%d" % MODELS[model][name]], ["-O0"], TABLE)


class ReadingTest(unittest.TestCase):
    reports: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.reports = spin.search_each(MODELS, lambda model: spin.search(model, [], OPTIONS, TABLE))

    def test_ReadersAreRightInEveryReachableState(self) -> None:
        for model, report in self.reports.items():
            with self.subTest(model):
                self.assertIn("errors: 0\n", report)
                self.assertTrue(spin.is_complete(report), report)

    def test_EveryStatementOfTheModelsIsReached(self) -> None:
        for model, report in self.reports.items():
            with self.subTest(model):
                self.assertRegex(report, r"unreached in proctype reader")
                self.assertEqual(spin.unreached(report), set())

    def test_EveryMutantIsFound(self) -> None:
        for model, mutants in MODELS.items():
            self.assertEqual(spin.mutants_of([model]), set(mutants))
            reports = spin.search_each(mutants, functools.partial(search_mutant, model))
            for name, report in reports.items():
                with self.subTest(name):
                    self.assertRegex(report, r"assertion violated")


if __name__ == "__main__":
    unittest.main()
