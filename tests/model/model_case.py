# SPDX-License-Identifier: MIT
"""Models and their mutants as a table: each model is searched exhaustively in its configurations, each mutant until its
harm is found. A test of models derives its cases from ModelCase, and says what the table is."""

import dataclasses
import re
import sys
import unittest
from collections.abc import Mapping, Sequence
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model import spin  # noqa: E402

DEADLOCK = r"invalid end state"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """harm: what pan says of it, as a pattern. definitions: those of a configuration in which it does it."""

    harm: str
    definitions: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Model:
    file: str
    mutants: Mapping[str, Mutant]
    configurations: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=lambda: {"": []})
    # Statements that a copy of an inline never reaches, since an argument is constant there; as a pattern.
    unreachable: str = r"$^"


OPTIONS = ["-O1", "-DCOLLAPSE", "-DMEMLIM=490"]
TABLE = ["-w22"]

# The first error comes soon: speed does not pay.
MUTANT_OPTIONS = ["-O0", "-DMEMLIM=490"]
MUTANT_TABLE = ["-w20"]


class ModelCase(unittest.TestCase):
    models: Sequence[Model] = ()
    reports: dict[tuple[str, str], str]

    @classmethod
    def setUpClass(cls) -> None:
        searches = {
            " ".join([model.file, name]).strip(): (model, name) for model in cls.models for name in model.configurations
        }

        def search(label: str) -> str:
            model, name = searches[label]
            return spin.search(model.file, list(model.configurations[name]), OPTIONS, TABLE)

        reports = spin.search_each(searches, search)
        cls.reports = {(model.file, name): reports[label] for label, (model, name) in searches.items()}

    def test_HoldsInEveryReachableState(self) -> None:
        for key, report in self.reports.items():
            with self.subTest(key):
                self.assertIn("errors: 0\n", report)
                self.assertTrue(spin.is_complete(report), report)

    def test_EveryStatementIsReached(self) -> None:
        for model in self.models:
            with self.subTest(model.file):
                reports = [self.reports[model.file, name] for name in model.configurations]
                unreached = set.intersection(*map(spin.unreached, reports))
                unexpected = [place for place in unreached if re.search(model.unreachable, place[1]) is None]
                self.assertEqual(unexpected, [])

    def test_EveryMutantIsFoundByTheHarmItDoes(self) -> None:
        for model in self.models:
            self.assertEqual(spin.mutants_of([model.file]), set(model.mutants))

            def search(name: str, model: Model = model) -> str:
                definitions = ["MUTANT_" + name, *model.mutants[name].definitions]
                return spin.search(model.file, definitions, MUTANT_OPTIONS, MUTANT_TABLE)

            for name, report in spin.search_each(model.mutants, search).items():
                with self.subTest(name):
                    self.assertRegex(report, r"errors: [1-9]")
                    self.assertRegex(report, r"pan:\d+: .*" + model.mutants[name].harm)
