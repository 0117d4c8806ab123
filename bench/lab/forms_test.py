# SPDX-License-Identifier: MIT
"""Further forms of a report: CSV, Markdown, a baseline of one's own, a history and its page."""

from __future__ import annotations

import contextlib
import csv
import io
import resource
import signal
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from bench.lab import command_line, contenders, forms, history, lab, overview, page, report_test, table, trend, views
from bench.lab.testing import simulated
from tools.measure import files
from tools.measure.program import BenchError

_FACTORS = {"mimalloc": 1.2, "glibc": 0.9}
_FAILURE = {
    "family": contenders.LIBRARIES,
    "workload": "pair",
    "contender": "mine",
    "phase": "verify",
    "why": "was ended by SIGABRT: banner\n\nno more\n",
}


def made(baseline: str | None = None) -> dict[str, Any]:
    """A report of the libraries alone."""
    results = simulated.results(_FACTORS)
    libraries = results.plan.families[contenders.LIBRARIES]
    if baseline is not None:
        libraries = contenders.against(libraries, baseline)
    slots = {slot: names for slot, names in results.plan.slots.items() if slot.family == libraries.name}
    results.plan = replace(results.plan, families={libraries.name: libraries}, slots=slots, baseline=baseline)
    results.samples = {slot: results.samples[slot] for slot in slots}
    return simulated.make(results)


class FormsTest(unittest.TestCase):
    report: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.report = made()

    def printed(self, form: str) -> str:
        out = io.StringIO()
        forms.write(self.report | {"failures": [_FAILURE]}, form, out)
        return out.getvalue()

    def test_csv_has_a_line_a_comparison_and_one_a_failure(self) -> None:
        lines = list(csv.DictReader(io.StringIO(self.printed("csv"))))
        self.assertEqual(len(lines), len(self.report["comparisons"]) + 1)
        first = next(line for line in lines if (line["workload"], line["other"]) == ("pair", "mimalloc"))
        self.assertAlmostEqual(float(first["ratio"]), 1 / 1.2, delta=0.01)
        self.assertEqual((first["clock"], first["verdict"]), ("processor", "faster"))
        self.assertEqual(float(first["other_peak_rss_bytes"]), simulated.PEAK_BYTES["mimalloc"])
        self.assertEqual(
            (lines[-1]["one"], lines[-1]["verdict"], lines[-1]["why"]),
            ("mine", "failed", "was ended by SIGABRT: no more"),
        )

    def test_markdown_has_the_tables_with_as_many_cells_in_each_line(self) -> None:
        text = self.printed("markdown")
        for part in ("## FAILED: 1", "## LOSSES: slower, 2", "## all by all", "| geometric mean |", "**Note**: mine"):
            self.assertIn(part, text)
        before = ""
        for line in text.splitlines():
            if line.startswith("|") and before.startswith("|"):
                self.assertEqual(line.count("|") - line.count("\\|"), before.count("|") - before.count("\\|"), line)
            before = line

    def test_absolute_figures_of_every_library(self) -> None:
        grids = {grid.title: grid for grid in table.made(self.report)}
        times = grids["ns an operation, medians"]
        self.assertEqual(times.columns, ["workload", "clock", "hakmem", "hakmem-guard", "mimalloc", "glibc"])
        self.assertTrue(all(float(cell) > 0 for line in times.lines for cell in line[2:]))
        self.assertEqual(grids["peak memory, MiB, medians"].lines[0][-1], "1.5")


class BaselineTest(unittest.TestCase):
    def test_every_library_by_the_one_that_is_named(self) -> None:
        report = made("mimalloc")
        report_test.validate(report)
        found = {(row["one"], row["workload"]): row["ratio"] for row in report["comparisons"]}
        self.assertEqual({one for one, _ in found}, {"hakmem", "hakmem-guard", "glibc"})
        self.assertAlmostEqual(found["glibc", "pair"], 0.9 / 1.2, delta=0.01)
        self.assertEqual(views.peers(report), ["hakmem", "hakmem-guard", "glibc"])
        self.assertEqual(views.losses(report), [])
        out = io.StringIO()
        table.write(report, out)
        self.assertIn("all workloads: time by mimalloc's", out.getvalue())
        self.assertIn("time by mimalloc", page.render(report).replace("&#39;s", "").lower())


class OverviewTest(unittest.TestCase):
    def test_each_library_stands_where_its_time_and_memory_are(self) -> None:
        report = made()
        found = overview.places(report)
        self.assertEqual(found[contenders.HAKMEM], (1.0, 1.0))
        self.assertAlmostEqual(found["mimalloc"][0], 1.2, delta=0.01)
        self.assertAlmostEqual(found["mimalloc"][1], 1.25, delta=0.001)
        text = overview.draw(report)
        root = ElementTree.fromstring(text)
        self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}circle")), 4)
        self.assertIn("prefers-color-scheme: dark", text)
        # It is a file of its own, and loads nothing.
        self.assertNotIn("href", text)


class HistoryTest(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.file = Path(held.name, "history")

    def test_a_line_a_report_and_a_page_of_them(self) -> None:
        report = made()
        for day in (1, 2, 3):
            history.add(self.file, report | {"created": f"2024-05-0{day}T00:00:00+00:00"})
        lines = history.load(self.file)
        self.assertEqual([line["created"][:10] for line in lines], ["2024-05-01", "2024-05-02", "2024-05-03"])
        self.assertAlmostEqual(lines[0]["workloads"]["pair"]["ratios"]["glibc"][0], 1 / 0.9, delta=0.01)
        text = trend.render(lines)
        self.assertIn("Trend over 3 reports", text)
        # Together, and each of two workloads; besides a key a library.
        self.assertEqual(text.count('<svg class="panel"'), 3)
        self.assertEqual(text, trend.render(lines))

    def test_what_is_no_history_is_refused_and_left_alone(self) -> None:
        self.file.write_text("text\n")
        with self.assertRaisesRegex(BenchError, "line 1, is none"):
            history.add(self.file, made())
        self.assertEqual(self.file.read_text(), "text\n")

    def test_a_part_of_a_line_is_taken_back(self) -> None:
        """As on a full disk."""
        history.add(self.file, made())
        before = self.file.read_text()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with self.assertRaises(OSError):
                history.add(self.file, made())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        self.assertEqual(self.file.read_text(), before)
        history.add(self.file, made())
        self.assertEqual(len(history.load(self.file)), 2)

    def test_different_baselines_are_refused_and_different_machines_told(self) -> None:
        one = history.line(made())
        with self.assertRaisesRegex(BenchError, "baselines"):
            trend.render([one, one | {"baseline": "mimalloc"}])
        self.assertIn("of different machines: none, other", trend.render([one, one | {"machine": "other"}]))


class UnwrittenTest(unittest.TestCase):
    def test_a_report_that_cannot_be_written_any_more_is_printed(self) -> None:
        out = io.StringIO()
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(sys, "argv", ["lab", f"--json={folder}/report.json"]),
            mock.patch.object(command_line, "make_plan"),
            mock.patch.object(lab, "measure", return_value=made()),
            mock.patch.object(files, "write_whole", side_effect=OSError("no room")),
            contextlib.redirect_stdout(out),
            self.assertRaisesRegex(OSError, "no room"),
        ):
            lab.main()
        self.assertIn("mimalloc", out.getvalue())


if __name__ == "__main__":
    unittest.main()
