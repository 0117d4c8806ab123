# SPDX-License-Identifier: MIT
"""What docs/security.md says that each build stops, it stops; and SECURITY.md says the same in short.

Run as a test: --document FILE --short FILE --preload FOLDER --programs FOLDER.
"""

from __future__ import annotations

import argparse
import signal
import sys
import unittest
from pathlib import Path

from tests.attack import outcome, page
from tests.attack.kinds import SIZES, Kind, kinds
from tests.attack.outcome import Attack, Unjudgeable, Verdict

_STARTS = 150
_REPEATED = 5
"""A race may be lost by chance once in some hundred times, and where blocks are placed at random another end than those of
the table may come up: most of so many runs count."""

parsed: argparse.Namespace


class Attacks(unittest.TestCase):
    def check_build(self, build: str) -> None:
        library = parsed.preload / page.BUILDS[build]
        expected = page.parse(parsed.document.read_text(encoding="utf-8"))[build]

        def run(attacks: list[Attack], times: int) -> dict[Attack, Verdict]:
            found = outcome.run_all(attacks, parsed.programs, library, _STARTS, lambda kind: times)
            return {attack: verdicts.most_common(1)[0][0] for attack, verdicts in found.items()}

        attacks = outcome.attacks_of(kinds())
        print(f"{build}: {len(kinds())} kinds, {len(attacks)} attacks")
        found = run([attack for attack in attacks if not attack.kind.is_race], 1)
        again = [attack for attack in attacks if attack.kind.is_race or found[attack] not in expected[attack]]
        for attack, verdict in (found | run(again, _REPEATED)).items():
            with self.subTest(build=build, attack=str(attack)):
                self.assertIn(verdict, expected[attack], "bazel run //tests/attack:table writes what is")

    def test_default(self) -> None:
        self.check_build("default")

    def test_guard_exact(self) -> None:
        self.check_build("guard exact")

    def test_guard_full(self) -> None:
        self.check_build("guard full")

    def test_there_are_at_least_sixty_kinds(self) -> None:
        self.assertGreaterEqual(len({kind.name for kind in kinds()}), 60)


class Naive(unittest.TestCase):
    """Programs that gained under no allocator would prove nothing."""

    GAIN_UNDER_GLIBC = (
        "overflow_by_64_bytes",
        "overflow_read",
        "use_after_free_write",
        "use_after_free_read",
        "use_after_free_realloc",
        "free_interior_forged",
        "free_stack",
        "forged_next_mixed_with_address",
        "index_write_next_address",
        "canary_read_and_put_back",
    )

    def test_they_gain_under_glibc(self) -> None:
        for kind in kinds():
            if kind.name in self.GAIN_UNDER_GLIBC:
                with self.subTest(kind.name):
                    verdict = outcome.run(Attack(kind, "small"), parsed.programs, None, _STARTS)
                    self.assertEqual(verdict, Verdict.GAINED)


class Documents(unittest.TestCase):
    def test_the_short_table_follows_from_the_long_one(self) -> None:
        columns = page.parse(parsed.document.read_text(encoding="utf-8"))
        self.assertEqual(page.faults_of(parsed.short.read_text(encoding="utf-8")), page.faults(columns))

    def test_a_fault_names_kinds_that_there_are(self) -> None:
        names = {kind.name for kind in kinds()}
        for fault, of_fault in page.FAULTS.items():
            self.assertLessEqual(set(of_fault), names, fault)

    def test_a_cell_is_read_as_it_was_written(self) -> None:
        kind = Kind("some_kind")
        verdicts = (Verdict.GAINED, Verdict.LATER, Verdict.GAINED, Verdict.AT_ONCE)
        one = {Attack(kind, size): frozenset({verdict}) for size, verdict in zip(SIZES, verdicts)}
        mixed = {**one, Attack(kind, "huge"): frozenset({Verdict.AT_ONCE, Verdict.NOTHING})}
        same = {attack: frozenset({Verdict.LATER}) for attack in one}
        for column, text in (
            (one, "gained small, large; later medium; at once huge"),
            (mixed, "gained small, large; later medium; at once or nothing huge"),
            (same, "later"),
        ):
            self.assertEqual(page.cell(kind, column), text)
            self.assertEqual(page.parse_cell(kind, text), column)
        for wrong in ("gained small", "stopped", "later small; gained medium, large"):
            with self.assertRaises(ValueError):
                page.parse_cell(kind, wrong)


class Judge(unittest.TestCase):
    def test_mark_and_end_decide(self) -> None:
        for status, output, expected in (
            (0, "attack\nover\ngained: an address\n", Verdict.GAINED),
            (1, "attack\nover\n", Verdict.NOTHING),
            (3, "", Verdict.ABSENT),
            (-signal.SIGABRT, "attack\n", Verdict.AT_ONCE),
            (-signal.SIGSEGV, "attack\nover\n", Verdict.LATER),
        ):
            with self.subTest(status=status, output=output):
                self.assertEqual(outcome.judge(status, output), expected)

    def test_an_end_that_no_attack_has_is_not_judged(self) -> None:
        for status, output in ((0, "attack\nover\n"), (1, ""), (1, "attack\n"), (4, ""), (-signal.SIGABRT, "")):
            with self.subTest(status=status, output=output), self.assertRaises(Unjudgeable):
                outcome.judge(status, output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--document", "--short", "--preload", "--programs"):
        parser.add_argument(option, required=True, type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
