# SPDX-License-Identifier: MIT
"""//bench:next from its command line to its tables, with two experiments and few operations; and its verdicts."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from bench.engine import variants
from bench.next import measurement, next as next_program, tables, update_next
from bench.programs import entrants
from tools.measure.inference import Verdict
from tools.measure.program import BenchError

_PROGRAM = str(Path(__file__).with_name("next_tested"))
_FEW = ("--workload=pair", "--no-programs", "--operations=3000", "--quick")


def run(*line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_PROGRAM, *line], capture_output=True, text=True, check=False, env=os.environ)


class ProgramTest(unittest.TestCase):
    whole: dict[str, Any]
    printed: str

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "outcome.json"
            done = run(*_FEW, f"--json={file}")
            if done.returncode != 0:
                raise AssertionError(done.stderr)
            cls.printed = done.stdout
            cls.whole = json.loads(file.read_text())

    def test_each_experiment_that_is_built_has_a_line(self) -> None:
        self.assertEqual(self.whole["experiments"], ["table-65", "capacity-fixed"])
        for name in self.whole["experiments"]:
            self.assertIn(name, self.printed)

    def test_the_hot_path_is_that_of_the_build(self) -> None:
        """A table that is not of bytes takes an addition and a shift; the room of a magazine is the cold path's to know."""
        paths = self.whole["hot_paths"]
        shipped = paths["shipped"]
        for name, more in (("table-65", 2), ("capacity-fixed", 0)):
            self.assertEqual(paths[name]["malloc"]["instructions"], shipped["malloc"]["instructions"] + more)
            self.assertEqual(paths[name]["free"], shipped["free"])

    def test_every_kind_of_figure_is_there(self) -> None:
        for kind in ("instructions", "time", "peak"):
            found = [(row["experiment"], row["where"]) for row in self.whole[kind]]
            self.assertEqual(sorted(found), [("capacity-fixed", "pair"), ("table-65", "pair")], kind)
        self.assertEqual(self.whole["programs"], measurement.NO_PROGRAMS)

    def test_an_outcome_of_some_experiments_is_no_document(self) -> None:
        with self.assertRaisesRegex(BenchError, "missing: table-129, inline-hot"):
            update_next.page(self.whole)

    def test_an_outcome_that_was_ended_is_no_document(self) -> None:
        with self.assertRaisesRegex(BenchError, r"partial \(interrupted\)"):
            update_next.page(self.whole | {"complete": False, "ended_by": "interrupted"})

    def test_an_outcome_with_a_failure_is_no_document(self) -> None:
        some: list[dict[str, Any]] = [{"failures": ["one"]}, {"programs": {"failures": ["one"]}}]
        for failed in some:
            with self.assertRaisesRegex(BenchError, "nothing failed"):
                update_next.page(self.whole | failed)

    def test_what_lacks_a_part_is_no_outcome(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as kept:
            kept.write('{"benchmark": "next"}')
            kept.flush()
            with self.assertRaisesRegex(BenchError, "is no outcome of //bench:next"):
                update_next._loaded(Path(kept.name))  # pylint: disable=protected-access

    def test_a_whole_outcome_is_a_document(self) -> None:
        path = self.whole["hot_paths"]["table-65"]
        told = {"verdict": Verdict.UNDECIDED.value}  # of a measured row it may be a gain, by chance
        rows = [row | {"experiment": name} | told for name in variants.FLIPPED for row in self.whole["time"][:1]]
        made = update_next.page(
            self.whole
            | {"experiments": list(variants.FLIPPED), "time": rows, "peak": [row | told for row in self.whole["peak"]]}
            | {"hot_paths": dict.fromkeys(variants.FLIPPED, path) | {"shipped": path}}
        )
        for name in variants.FLIPPED:
            self.assertIn(f"| `{name}` |", made)
        self.assertRegex(made, r"`table-65`: [a-z ]+ \(0 \+, 0 - of 2\)")
        self.assertNotRegex(made, r"(?m)^\|.*[^|\n]$")

    def test_wrong_arguments(self) -> None:
        for line in ("--experiment=drain-*", "--workload=nothing", "--programs=nothing", "--rounds=3"):
            done = run(line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), line)
            self.assertIn("usage: ", done.stderr)


class StatusTest(unittest.TestCase):
    def test_it_says_who_ended_the_run(self) -> None:
        whole: dict[str, Any] = {
            "complete": True,
            "ended_by": None,
            "failures": [],
            "programs": measurement.NO_PROGRAMS,
        }
        ended = whole | {"complete": False}
        self.assertEqual(next_program.status(whole), 0)
        self.assertEqual(next_program.status(ended | {"ended_by": "interrupted"}), 130)
        self.assertEqual(next_program.status(ended | {"ended_by": "terminated"}), 143)
        some: list[dict[str, Any]] = [
            {"failures": ["one"]},
            {"programs": {"failures": ["one"]}},
            {"ended_by": "no room"},
        ]
        for failed in some:
            self.assertEqual(next_program.status(whole | failed), 1)


class DocumentArgumentsTest(unittest.TestCase):
    def test_what_can_give_no_document_is_refused_before_anything_is_measured(self) -> None:
        """An hour later it would have been refused all the same; and no file is not the wish to measure."""
        for argument, *others, why in (
            ("--experiment=table-*", "unrecognized arguments: --experiment"),
            ("--from=", "argument --from: .* is no file"),
            ("--from=/nowhere.json", "argument --from: '/nowhere.json' is no file"),
            (f"--from={__file__}", "--quick", "--no-programs", "cannot go with --programs, --quick"),
        ):
            errors = io.StringIO()
            with (
                self.subTest(argument),
                mock.patch.object(sys, "argv", [update_next.NAME, argument, *others]),
                mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY="/nowhere"),
                mock.patch.object(next_program, "outcome", side_effect=AssertionError("measured")),
                contextlib.redirect_stderr(errors),
                self.assertRaises(SystemExit) as ended,
            ):
                update_next.main()
            self.assertEqual(ended.exception.code, 2, argument)
            self.assertRegex(errors.getvalue(), why)

    def test_an_outcome_that_gives_no_document_is_kept(self) -> None:
        """It took an hour all the same."""
        whole = {"complete": False, "ended_by": "interrupted"}
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(sys, "argv", [update_next.NAME]),
            mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY="/nowhere"),
            mock.patch.object(tempfile, "mkdtemp", return_value=folder),
            mock.patch.object(next_program, "measured", return_value=whole),
            contextlib.redirect_stderr(io.StringIO()) as said,
        ):
            with self.assertRaisesRegex(BenchError, "this one is partial"):
                update_next.main()
            (kept,) = Path(folder).iterdir()
            self.assertEqual(json.loads(kept.read_text()), whole)
            self.assertIn(f"next.json will be kept as {kept}", said.getvalue())


class VerdictTest(unittest.TestCase):
    def rows(self, noise: float, **factors: float) -> dict[str, str]:
        """Experiment -> verdict, of one that takes the logarithm of so much more; every second round by `noise` more."""
        logs = {(name, "pair"): [factor + noise * (i % 2) for i in range(20)] for name, factor in factors.items()}
        control = {(measurement.AGAIN, "pair"): [noise * (-1) ** i for i in range(20)]}
        return {row["experiment"]: row["verdict"] for row in measurement.compared(control | logs, 1)}

    def test_what_lies_beyond_the_noise_is_decided(self) -> None:
        self.assertEqual(self.rows(0.001, a=-0.1, b=0.1), {"a": "faster", "b": "slower"})

    def test_what_lies_within_it_is_not(self) -> None:
        self.assertEqual(self.rows(0.2, a=-0.1, b=0.1), {"a": "undecided", "b": "undecided"})

    def test_without_a_control_nothing_is(self) -> None:
        found = measurement.compared({("a", "pair"): [0.1] * 20}, 1)
        self.assertEqual([row["verdict"] for row in found], [Verdict.INCOMPLETE.value])

    def test_an_experiment_s_rows_together(self) -> None:
        def said(*verdicts: str) -> str:
            return measurement.verdict([{"verdict": verdict} for verdict in verdicts])

        self.assertEqual(said("faster", "undecided"), "gains")
        self.assertEqual(said("slower", "equivalent"), "loses")
        self.assertEqual(said("slower", "faster"), "both")
        self.assertEqual(said("undecided", "equivalent"), "no difference found")
        self.assertEqual(said("undecided", "incomplete"), "no difference found")

    def test_an_experiment_of_which_nothing_was_compared_has_no_verdict(self) -> None:
        self.assertEqual(measurement.verdict([]), "not measured")
        self.assertEqual(measurement.verdict([{"verdict": Verdict.INCOMPLETE.value}]), "not measured")

    def test_the_furthest_from_1_comes_first(self) -> None:
        def row(ratio: float) -> dict[str, Any]:
            return {"experiment": "a", "where": "pair", "ratio": ratio, "verdict": "slower"}

        whole = {"time": [row(1.1)], "peak": [row(1.5)], "programs": measurement.NO_PROGRAMS}
        self.assertEqual([one["ratio"] for one in tables.decided(whole, Verdict.SLOWER)], [1.5, 1.1])


class LibrariesTest(unittest.TestCase):
    def test_a_library_with_many_thread_local_variables_serves_programs(self) -> None:
        """capacity=site has more of them than the loader keeps free for a library that is opened late."""
        for value in variants.EXPERIMENTS["capacity"][1:]:
            library = Path(__file__).parents[1] / "lab" / f"libhakmem_{variants.flipped('capacity', value)}"
            with self.subTest(value), tempfile.TemporaryDirectory() as folder:
                (found,) = entrants.contenders([], {entrants.HAKMEM: library}, Path(folder))
                self.assertRegex(found.version or "", r"^\d+\.\d+")


if __name__ == "__main__":
    unittest.main()
