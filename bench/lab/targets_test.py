# SPDX-License-Identifier: MIT
"""The goals, against reports whose figures are known."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar

from bench.lab import contenders, goals, targets, result_pages
from bench.lab.plan import Slot
from bench.lab.targets import Target
from bench.lab.testing import simulated
from bench.programs import outcome_file
from tools.measure.program import BenchError

Row = dict[str, Any]

_FACTORS = {"mimalloc": 1.25, "glibc": 0.8, contenders.GUARD: 1.04, contenders.GUARD_FULL: 2.5}


def _program(name: str, **by: tuple[float, float]) -> Row:
    """hakmem's time and memory by those of each peer."""

    def ratio(value: float) -> Row:
        return {"ratio": value, "ci95_low": value, "ci95_high": value}

    figures = {"seconds": 1.0, "cpu_seconds": 1.0, "peak_bytes": 1, "requests_per_second": None}
    return {
        "program": name,
        "task": "something",
        "peak_is_of": "largest process",
        "contenders": [{"name": one} | figures for one in ("hakmem", *by)],
        "hakmem_by": [
            {"peer": peer, "time": ratio(time), "cpu": ratio(1.0), "memory": ratio(memory)}
            for peer, (time, memory) in by.items()
        ],
    }


PROGRAMS: Row = {
    "benchmark": "programs",
    "rounds": 15,
    "seed": 1,
    "machine": {
        "processor": "x", "processors": 2, "memory_bytes": 1, "system": "x", "kernel": "1",
        "transparent_huge_pages": "never",
    },
    "contenders": [{"name": name, "version": "1"} for name in ("hakmem", "glibc", "mimalloc")],
    "programs": [
        _program("lua", glibc=(0.5, 1.2), mimalloc=(0.8, 0.9)),
        _program("redis", glibc=(0.8, 0.9), mimalloc=(1.25, 0.9)),
    ],
}  # fmt: skip


def by_name(found: dict[str, list[Target]]) -> dict[str, Target]:
    return {target.goal.name: target for of in found.values() for target in of}


class MeasuredTest(unittest.TestCase):
    found: ClassVar[dict[str, Target]]

    @classmethod
    def setUpClass(cls) -> None:
        report = simulated.make(simulated.results(_FACTORS))
        cls.found = by_name(targets.made(report, PROGRAMS))

    def check(self, name: str, value: float, verdict: str, remark: str = "") -> None:
        target = self.found[name]
        assert target.figure is not None, name
        # Times are made with some noise, all other figures without.
        self.assertAlmostEqual(target.figure.value, value, delta=0.01 * value, msg=name)
        self.assertEqual(target.verdict, verdict, name)
        self.assertIn(remark, target.figure.remark)

    def test_instructions(self) -> None:
        self.check("instructions_pair", 40, "met", "mimalloc 41.0, glibc 42.0")
        self.assertEqual(self.found["instructions_replacement"].verdict, "not measured")

    def test_time(self) -> None:
        self.check("time_mean", 1 / 1.25, "**not met**", "2 workloads; to the others: glibc 1.25")
        self.check("time_worst", 1 / 0.8, "**not met**", "glibc; 2 of 2 workloads are above the goal")
        self.check("time_best_mean", 1 / 0.8, "**not met**")

    def test_peak_memory(self) -> None:
        self.check("peak_mean", 2 / 2.5, "met", "2 workloads; to the others: glibc 1.25")
        self.check("peak_worst", 2 / 1.6, "**not met**", "pair, glibc; 2 of 2")

    def test_threads_start_and_what_is_kept(self) -> None:
        self.check("per_thread", 0.98, "met", "local; mimalloc 0.96, glibc 0.94")
        self.check("startup_ms", 0.3, "met", "mimalloc 0.200")
        self.check("startup_pages", 30, "met", "mimalloc 20")
        self.check("kept_after_second", 1, "met", "pair; mimalloc 2.0 (pair), glibc 3.0 (pair)")

    def test_builds_with_a_guard(self) -> None:
        self.check("guard_time", 1.04, "met", "2 workloads, the worst ")
        self.check("guard_peak", 2.1 / 2.0, "met", "the worst pair 1.05")
        self.check("guard_time_mimalloc", 1.04 / 1.25, "met")
        self.check("guard_peak_mimalloc", 2.1 / 2.5, "met")
        self.check("full_time", 2.5, "**not met**")

    def test_real_programs(self) -> None:
        self.check("program_time_glibc", (0.5 * 0.8) ** 0.5, "met")
        self.check("program_time_mimalloc", 1.0, "**not met**")
        self.check("program_memory_mimalloc", 0.9, "met")
        self.check("program_time_worst", 1.25, "**not met**", "redis, mimalloc; 1 of 2 programs are above")
        self.check("program_memory_worst", 1.2, "**not met**", "lua, glibc; 1 of 2 programs are above")

    def test_the_best_peer_is_another_on_each_workload(self) -> None:
        found = targets.to_best({"a": {"x": 0.9, "y": 0.5}, "b": {"x": 0.4, "y": 1.2}})
        self.assertEqual(found, {"b": ("y", 1.2), "a": ("x", 0.9)})

    def test_libraries_of_one_s_own_are_no_peers_of_the_goals(self) -> None:
        report = simulated.make(simulated.results(_FACTORS))
        for row in report["comparisons"]:
            row["other"] = {"glibc": "mine"}.get(row["other"], row["other"])
        self.assertEqual(set(targets.time_ratios(report)["pair"]), {"mimalloc"})


class GoalTest(unittest.TestCase):
    def test_limits(self) -> None:
        for relation, below, at, above in (
            (goals.MOST, True, True, False),
            (goals.BELOW, True, False, False),
            (goals.LEAST, False, True, True),
        ):
            goal = goals.Goal("x", "x", relation, 2, "MiB", 1)
            self.assertEqual([goal.met_by(value) for value in (1.99, 2.0, 2.01)], [below, at, above])
        self.assertEqual((goal.wanted, goal.shown(1.25)), ("at least 2 MiB", "1.2 MiB"))

    def test_every_goal_has_a_figure_somewhere(self) -> None:
        """A goal whose name nothing is measured by would never be met, nor missed."""
        results = simulated.results(_FACTORS)
        results.counts += [row | {"workload": "replacement"} for row in results.counts]
        found = by_name(targets.made(simulated.make(results), PROGRAMS))
        self.assertEqual([name for name, target in found.items() if target.figure is None], [])
        self.assertEqual(len(found), len(goals.ALLOCATOR) + len(goals.GUARD) + 2 * 2 + 2)


class NotMeasuredTest(unittest.TestCase):
    def test_what_a_report_does_not_have_is_said(self) -> None:
        results = simulated.results({})
        results.samples.clear()
        results.scaling.clear()
        results.startup.clear()
        for rows in (results.counts, results.memory):
            rows.clear()
        report = simulated.make(results)
        found = targets.made(report, None)
        count = targets.count(found)
        self.assertEqual((count["met"], count["not_met"]), (0, 0))
        self.assertEqual(count["not_measured"], count["all"])
        self.assertIn(f"0 of {count['all']} goals are met", result_pages.render_targets(report, None))


class DocumentTest(unittest.TestCase):
    def test_a_goal_that_is_missed_is_said_in_plain_words(self) -> None:
        text = result_pages.render_targets(simulated.make(simulated.results(_FACTORS)), PROGRAMS)
        self.assertRegex(text, r"\| time over all workloads, .* \| at most 0.75 \| 0.80 \| \*\*not met\*\* \|")
        self.assertRegex(text, r"\*\*\d+ of \d+ goals are met; \d+ are not met, 1 were not measured\.\*\*")
        self.assertIn("| redis | mimalloc | 1.25 |", text)
        self.assertIn("| lua | glibc | 1.20 |", text)
        lines = text.splitlines()
        for before, line in zip(lines, lines[1:]):
            if before.startswith("|") and line.startswith("|"):
                self.assertEqual(before.count("|"), line.count("|"), f"{before}\n{line}")

    def test_only_what_is_above_the_goal_is_listed(self) -> None:
        results = simulated.results({"mimalloc": 1.25, "glibc": 1.25})
        for sample in results.samples[Slot(contenders.LIBRARIES, "local")][contenders.HAKMEM].values():
            sample["cpu_ns"] *= 2
        above = targets.shortfalls(simulated.make(results), None)[0]["above"]
        self.assertEqual(list(above), ["local"])


class KeptTest(unittest.TestCase):
    def test_an_outcome_that_was_kept_and_what_is_none(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "x.json"
            file.write_text(json.dumps(PROGRAMS))
            self.assertEqual(outcome_file.load(file), PROGRAMS)
            for text in ("", "{}", json.dumps(PROGRAMS | {"rounds": -1})):
                file.write_text(text)
                with self.assertRaisesRegex(BenchError, "is not an outcome"):
                    outcome_file.load(file)
            with self.assertRaisesRegex(BenchError, "No such file"):
                outcome_file.load(Path(folder) / "none.json")


if __name__ == "__main__":
    unittest.main()
