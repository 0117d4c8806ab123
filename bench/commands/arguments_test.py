# SPDX-License-Identifier: MIT
"""The programs' arguments: what is refused, with which message, and that a refusal measures nothing."""

from __future__ import annotations

import contextlib
import io
import sys
import unittest
from unittest import mock

from bench.commands import benchmark, benchmarks, ladder, output, update_guard, update_tradeoffs
from bench.commands.benchmarks import BENCHMARKS
from tools.measure import arguments


def _main(name: str) -> None:
    if name == "ladder":
        ladder.main()
    else:
        benchmarks.main(name)


class RefusalTest(unittest.TestCase):
    def refuse(self, name: str, line: list[str], *parts: str) -> None:
        """Asserts status 2, usage and every one of `parts` on standard error, and that nothing was measured."""
        error = io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["program", *line]),
            mock.patch.object(benchmark, "execute", side_effect=AssertionError("measured")),
            contextlib.redirect_stderr(error),
            self.assertRaises(SystemExit) as ended,
        ):
            _main(name)
        self.assertEqual(ended.exception.code, 2)
        for part in ("usage: ", *parts):
            self.assertIn(part, error.getvalue())

    def test_fewer_than_fifteen_rounds(self) -> None:
        for name in (*BENCHMARKS, "ladder"):
            self.refuse(name, ["--rounds=14"], "--rounds", "15")

    def test_what_is_not_a_whole_number(self) -> None:
        for text in ("", "x", "-1", "+1", " 15", "1.5", "1e9", "1_000", "٣", "0", "1" * 30, "1" * 5000):
            self.refuse("tiny", [f"--iterations={text}"], "--iterations", "whole number")

    def test_unknown_options_and_words(self) -> None:
        self.refuse("tiny", ["--itarations=5"], "--itarations")
        self.refuse("tiny", ["--iter=5"], "--iter")
        self.refuse("tiny_mt", ["json"], "json")
        self.refuse("tiny", ["--format=xml"], "--format", "table", "json", "csv")

    def test_a_format_where_a_document_is_written(self) -> None:
        """It would be ignored, which nobody would notice."""
        for module in (update_guard, update_tradeoffs):
            error = io.StringIO()
            with (
                mock.patch.object(sys, "argv", [module.NAME, "--format=json"]),
                contextlib.redirect_stderr(error),
                self.assertRaises(SystemExit) as ended,
            ):
                module.main()
            self.assertEqual(ended.exception.code, 2)
            self.assertIn("unrecognized arguments: --format=json", error.getvalue())

    def test_threads_where_there_is_one(self) -> None:
        self.refuse("tiny", ["--threads=2"], "--threads=2")

    def test_thread_counts_of_tiny_mt(self) -> None:
        for threads in ("0", "65"):
            self.refuse("tiny_mt", [f"--threads={threads}"], "--threads", "1 to 64")

    def test_unknown_workloads(self) -> None:
        self.refuse("allocators", ["--scenario=xml"], "--scenario", "json", "mir", "vm", "mixed")
        self.refuse("tiny", ["--workload=handover"], "--workload", "batch_lifo")


class PlanTest(unittest.TestCase):
    def plan(self, name: str, *line: str) -> benchmark.Plan:
        """The plan that the command line makes; nothing is run."""
        with (
            mock.patch.object(sys, "argv", ["program", *line]),
            mock.patch.object(benchmark, "execute") as execute,
            mock.patch.object(output, "print_outcome"),
        ):
            _main(name)
        plan: benchmark.Plan = execute.call_args.args[0]
        return plan

    def test_defaults(self) -> None:
        plan = self.plan("tiny")
        self.assertEqual((plan.benchmark, plan.threads, plan.rounds), ("tiny", 1, 15))
        self.assertEqual(list(plan.workloads), ["batch_lifo", "replacement"])
        self.assertEqual(self.plan("tiny_mt").threads, 2)
        self.assertEqual(list(self.plan("allocators").workloads), ["json", "mir", "vm", "mixed"])

    def test_what_is_given_is_used(self) -> None:
        plan = self.plan("allocators", "--scenario", "mir", "--scenario", "mir", "--iterations", "7", "--rounds", "20")
        self.assertEqual((plan.workloads, plan.rounds), ({"mir": 7}, 20))
        self.assertEqual(self.plan("tiny_mt", "--threads", "64").threads, 64)

    def test_numbers_at_their_limits(self) -> None:
        convert = arguments.whole_number(2, 5)
        self.assertEqual([convert("2"), convert("5"), convert("005")], [2, 5, 5])


if __name__ == "__main__":
    unittest.main()
