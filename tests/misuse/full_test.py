# SPDX-License-Identifier: MIT
"""What guard=full finds besides invalid frees: each case is caught with everything on, and with the feature alone that is
there for it, and is not caught with everything but that feature.

Run as a test: --cases PROGRAM --library LIBRARY.
"""

from __future__ import annotations

import argparse
import sys
import unittest
from pathlib import Path

from tests.misuse import outcome
from tests.misuse.outcome import Outcome, Run

FEATURES = ("zero", "check", "canary", "quarantine", "random", "pages", "zero_size", "metadata")

OVERFLOW, WRITTEN = "overflow: ", "write after free: "

# Blocks from 512 KiB on are inaccessible while they are free.
INACCESSIBLE_POOLS = ("huge",)

parsed: argparse.Namespace


def feature_for(run: Run) -> str:
    """The feature that finds it."""
    name = run.case.name
    if name.startswith("overflow"):
        return "canary"
    if name == "write_after_free":
        return "pages" if run.pool in INACCESSIBLE_POOLS else "check"
    return "pages" if name == "read_after_free_large" else "zero_size"


def said_of(run: Run) -> str:
    """What the report says; empty where the processor's fault ends the program and there is none."""
    return {"canary": OVERFLOW, "check": WRITTEN}.get(feature_for(run), "")


class Full(unittest.TestCase):
    def runs(self) -> list[Run]:
        runs = outcome.runs_of(case for case in outcome.cases_of(parsed.cases) if case.kind == "full")
        self.assertGreater(len(runs), 10)
        print(f"{len(runs)} runs over pools")
        return runs

    def run_with(self, run: Run, features: str, on_misuse: str = "abort") -> outcome.Result:
        environment = {"HAKMEM_GUARD": features, "HAKMEM_ON_MISUSE": on_misuse}
        return outcome.run(run, parsed.cases, parsed.library, environment)

    def check_caught(self, run: Run, features: str) -> None:
        result = self.run_with(run, features)
        if said_of(run) == "":
            self.assertEqual((result.outcome, result.errors), (Outcome.CRASHED, ""))
        else:
            self.assertEqual(result.outcome, Outcome.AT_ONCE, result.errors)
            self.assertIn(f"({result.announced}): {said_of(run)}", result.errors.splitlines()[0])

    def test_each_is_caught_with_everything_on(self) -> None:
        for run in self.runs():
            with self.subTest(str(run)):
                self.check_caught(run, "all")

    def test_each_is_caught_by_its_feature_alone(self) -> None:
        for run in self.runs():
            with self.subTest(str(run)):
                self.check_caught(run, feature_for(run))

    def test_none_is_caught_without_its_feature(self) -> None:
        for run in self.runs():
            without = ",".join(feature for feature in FEATURES if feature != feature_for(run))
            with self.subTest(str(run)):
                result = self.run_with(run, without)
                self.assertEqual((result.outcome, result.errors), (Outcome.SILENT, ""))

    def test_report_says_so_once_and_goes_on(self) -> None:
        for run in self.runs():
            if said_of(run) == "":
                continue
            with self.subTest(str(run)):
                result = self.run_with(run, "all", "report")
                self.assertEqual(result.outcome, Outcome.SILENT, result.errors)
                self.assertEqual(result.errors.count(said_of(run)), 1)

    def test_other_builds_refuse_the_features(self) -> None:
        right = Run(outcome.Case(("control_right",), "exact", sized=True), "tiny")
        for library in (parsed.exact_library, parsed.library):
            for features in ("canary,pages", "canary,", "canaries", ""):
                result = outcome.run(right, parsed.cases, library, {"HAKMEM_GUARD": features})
                self.assertEqual(result.outcome, Outcome.SILENT)
                is_refused = library != parsed.library or features != "canary,pages"
                self.assertEqual("HAKMEM_GUARD" in result.errors, is_refused, result.errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", required=True, type=Path)
    parser.add_argument("--library", required=True, type=Path)
    parser.add_argument("--exact-library", required=True, type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
