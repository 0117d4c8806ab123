# SPDX-License-Identifier: MIT
"""functions: what is read of callgrind's output, and a real count of few operations."""

import json
import subprocess
import unittest

from bench.commands import functions
from bench.engine import valgrind

_CALLGRIND = """\
version: 1
events: Ir Dr
fl=a.c
fn=loop
10 30 2
cfn=malloc
calls=3 20
11 1200
fn=malloc
20 900 4
fn=refill
+5 300
fn=loop
12 5
totals: 1235 6
"""


class FunctionsTest(unittest.TestCase):
    def test_a_function_has_its_own_instructions_only(self) -> None:
        self.assertEqual(
            valgrind.parse_functions(_CALLGRIND.replace("+5", "5")), {"loop": 35, "malloc": 900, "refill": 300}
        )

    def test_no_functions_are_an_error(self) -> None:
        with self.assertRaises(ValueError):
            valgrind.parse_functions("events: Ir\ntotals: 0\n")

    def test_small_ones_are_one_line_and_all_is_the_sum(self) -> None:
        self.assertEqual(
            functions.shown({"malloc": 10.0, "a": 0.01, "b": 0.02}),
            {"malloc": 10.0, "others": 0.03, "all": 10.03} | {"others": 10.03 - 10.0},
        )

    def test_malloc_and_free_of_a_pair_are_those_of_the_hot_path(self) -> None:
        done = subprocess.run(
            ["bench/functions", "--workload=pair", "--iterations=9600", "--format=json"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
            text=True,
        )
        pair = json.loads(done.stdout)["workloads"]["pair"]
        self.assertGreater(pair["malloc"], 5)
        self.assertGreater(pair["free"], 5)
        self.assertLess(pair["malloc"] + pair["free"], 30)
        self.assertAlmostEqual(pair["all"], sum(count for name, count in pair.items() if name != "all"))

    def test_a_workload_that_there_is_not_is_an_error(self) -> None:
        done = subprocess.run(["bench/functions", "--workload=none"], stderr=subprocess.PIPE, check=False, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("invalid choice: 'none'", done.stderr)


if __name__ == "__main__":
    unittest.main()
