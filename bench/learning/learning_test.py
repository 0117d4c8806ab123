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


class LearningTest(unittest.TestCase):
    def test_each_workload_has_a_row_and_the_same_one_again(self) -> None:
        first, again = run("learning", "--quick"), run("learning", "--quick")
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertEqual(first.stdout, again.stdout)
        rows = [line.strip("| ").split(" | ") for line in first.stdout.splitlines()[2:]]
        self.assertEqual([row[0] for row in rows], ["burst", "pair", "handover", "growth", "forty", "changing"])
        for row in rows:
            self.assertEqual(len(row), 10)
        self.assertGreater(len({tuple(row[1:7]) for row in rows}), 4)
        self.assertGreater(len(set(rows[1][1:7])), 2, "the players are the same one")

    def test_wrong_arguments(self) -> None:
        for name, line in (("learning", ("--seed=-1",)), ("learning", ("x",)), (_WORKLOADS, ("burst",))):
            done = run(name, *line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn("usage: ", done.stderr)
        for words in (("none", "2"), ("burst", "1"), ("burst", "2x"), ("burst", "")):
            self.assertEqual(run(_WORKLOADS, *words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
