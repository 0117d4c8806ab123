# SPDX-License-Identifier: MIT
"""All documents at once: which are written, from what, and when none is. What is measured for them other tests hold."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from bench.engine import identity
from bench.lab import command_line, documents, lab, update_results
from bench.lab.testing import simulated
from bench.programs import tables
from bench.programs.measurement import Comparison, Measurement, Outcome, Plan, Result, Row, WORKLOADS
from tools.measure.contender import Contender
from tools.measure.paired import Ratio
from tools.measure.program import BenchError

_OF_REPORT = {"results.md", "targets.md", "allocators.svg"}
_REST = {"tradeoffs.md": "switches", "guard.md": "guards"}


def outcome(names: list[str]) -> dict[str, Any]:
    """Of //bench/programs, with one peer."""
    one = Ratio(1.0, 0.9, 1.1)
    rows = [Row(name, Measurement(1.0, 1.0, 1 << 20, None)) for name in ("hakmem", "glibc")]
    results = [Result(WORKLOADS[name], rows, [Comparison("glibc", one, one, one)]) for name in names]
    contenders = [Contender(name, library=Path("/x"), version="1.0") for name in ("hakmem", "glibc")]
    return tables.outcome_object(Outcome(Plan(names, ["glibc"], 15, 1), contenders, results))


class DocumentsTest(unittest.TestCase):
    report: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.report = simulated.make(simulated.results({"mimalloc": 1.2}))

    def setUp(self) -> None:
        self.trees = ["a", "a"]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def measured(self, *line: str, complete: bool = True) -> dict[str, str]:
        """What a run writes whose measurements are known."""
        own = update_results._parser()
        report = self.report | {"complete": complete, "ended_by": "interrupted", "ended_in": "rounds"}
        with (
            mock.patch.object(command_line, "make_plan", return_value=None),
            mock.patch.object(lab, "measure", return_value=report),
            mock.patch.object(identity, "sources", side_effect=self.trees),
            mock.patch.object(tempfile, "mkdtemp", return_value=str(self.folder)),
            mock.patch.object(documents, "programs", return_value=outcome(list(WORKLOADS))),
            mock.patch.object(documents, "beside_the_laboratory", return_value=_REST),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            return update_results._measured(own, own.parse_args(line), Path("/nowhere"))

    def test_everything_is_written_from_one_run(self) -> None:
        found = self.measured()
        self.assertEqual(set(found), _OF_REPORT | {"programs.md"} | set(_REST))
        self.assertIn("# Real programs", found["programs.md"])
        self.assertIn("# Results", found["results.md"])

    def test_the_laboratory_alone(self) -> None:
        self.assertEqual(set(self.measured("--lab-only")), _OF_REPORT)

    def test_the_outcome_of_programs_is_kept(self) -> None:
        for given, name in ([f"--programs-json={self.folder}/mine.json"], "mine.json"), (list[str](), "programs.json"):
            self.measured(*given)
            self.assertEqual(len(json.loads((self.folder / name).read_text())["programs"]), len(WORKLOADS))

    def test_sources_that_change_meanwhile_leave_every_document(self) -> None:
        self.trees = ["a", "b"]
        with self.assertRaisesRegex(BenchError, "the sources changed .*no document is written"):
            self.measured()

    def test_sources_are_what_git_tracks(self) -> None:
        def git(*words: str) -> None:
            who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
            subprocess.run(["git", "-C", self.folder, *who, *words], check=True, capture_output=True)

        def sources() -> str | None:
            return identity.sources(str(self.folder))

        self.assertIsNone(sources())
        git("init")
        file = self.folder / "a.c"
        file.write_text("1")
        git("add", "a.c")
        git("commit", "-m", "one")
        first = sources()
        (self.folder / "report.json").write_text("beside the sources")
        self.assertEqual(sources(), first)
        file.write_text("2")
        second = sources()
        file.write_text("3")
        self.assertEqual(len({first, second, sources()}), 3)

    def test_readme_gets_the_figures_that_it_repeats(self) -> None:
        readme = (
            "| time, geometric mean of the ratios | | 1.5 | 2.5 |\n"
            "| instructions of a malloc and a free, loop included | 1 | 2 | 3 |\n"
            "| another | | 1.5 | 2.5 |\nThe mean is 0.1 of glibc's and 0.2 of mimalloc's.\n"
        )
        written = {
            "results.md": "| time, geometric mean | 0.5 | 0.6 |\n",
            "targets.md": "| instructions of malloc and free, 8 to 64 bytes, loop included | at most 42 | 37 | met "
            "| mimalloc 115, jemalloc 78 |\n",
            "programs.md": "# P\n\n## Time\n\n| program | by mimalloc | by glibc |\n|---|---|---|\n"
            "| geometric mean | 0.93 | 0.91 |\n",
        }
        self.assertEqual(
            documents.in_readme(readme, written),
            "| time, geometric mean of the ratios | | 0.5 | 0.6 |\n"
            "| instructions of a malloc and a free, loop included | 37 | 115 | 78 |\n"
            "| another | | 1.5 | 2.5 |\nThe mean is 0.91 of glibc's and 0.93 of mimalloc's.\n",
        )
        self.assertEqual(documents.in_readme(readme, {}), readme)

    def test_a_partial_report_leaves_every_document(self) -> None:
        with self.assertRaises(SystemExit) as end:
            self.measured(complete=False)
        self.assertNotEqual(end.exception.code, 0)

    def test_an_outcome_of_some_programs_is_no_page_of_programs(self) -> None:
        self.assertEqual(set(update_results.of_report(self.report, outcome(["lua"]))), _OF_REPORT)

    def test_the_laboratory_has_a_part_of_the_time(self) -> None:
        own = update_results._parser()
        self.assertEqual(own.parse_args([]).minutes, documents.LAB_MINUTES)
        self.assertEqual(own.parse_args(["--minutes=45"]).minutes, 45)


if __name__ == "__main__":
    unittest.main()
