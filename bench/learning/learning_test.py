# SPDX-License-Identifier: MIT
"""//bench/learning from its command line to its table, with few operations."""

from __future__ import annotations

import subprocess
import unittest
from pathlib import Path

_FOLDER = Path(__file__).parent
_WORKLOADS = "workloads_p0_p1_p2_p3_fine16_learn_elo"


def run(name: str, *line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_FOLDER / name, *line], capture_output=True, text=True, check=False)


def _rows(table: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


class LearningTest(unittest.TestCase):
    def test_each_workload_has_a_row_and_the_same_one_again(self) -> None:
        first, again = run("learning", "--quick"), run("learning", "--quick")
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertEqual(first.stdout, again.stdout)
        rows = _rows(first.stdout)
        self.assertEqual([row[0] for row in rows], ["burst", "pair", "handover", "growth", "forty", "changing"])
        for row in rows:
            self.assertEqual(len(row), 11)
        self.assertGreater(len({tuple(row[1:8]) for row in rows}), 4)
        self.assertGreater(len(set(rows[1][1:8])), 2, "the players are the same one")
        growth = [float(figure) for figure in rows[3][1:8]]
        self.assertLess(growth[6], 0.9 * min(growth[:6]), "whoever populates has no fewer page faults")

    def test_by_site_another_program_runs(self) -> None:
        by_class, by_site = run("learning", "--quick"), run("learning", "--quick", "--site")
        self.assertEqual((by_site.returncode, by_site.stderr), (0, ""))
        one, other = _rows(by_class.stdout), _rows(by_site.stdout)
        self.assertEqual(one[1], other[1], "pairs have one place")
        self.assertNotEqual(one[4][1], other[4][1], "forty sizes grow as their one place does")

    def test_wrong_arguments(self) -> None:
        for name, line in (("learning", ("--seed=-1",)), ("learning", ("x",)), (_WORKLOADS, ("burst",))):
            done = run(name, *line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn("usage: ", done.stderr)
        for words in (("none", "2"), ("burst", "1"), ("burst", "2x"), ("burst", "")):
            self.assertEqual(run(_WORKLOADS, *words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
