# SPDX-License-Identifier: MIT
"""The outcome's three forms, the document, the plot and README's excerpt, from figures that are known."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import jsonschema

from bench.programs.measurement import Failure
from bench.services import plot, tables, update_docs
from bench.services.measurement import Cell, Missing, Outcome, Plan
from bench.services.registry import SERVICES
from tools.measure.contender import Contender
from tools.measure.program import BenchError
from tools.measure.table import MIB

_SCHEMA = json.loads(tables.SCHEMA.read_text())
_PEERS = ["mimalloc", "glibc"]
_README = Path(__file__).parents[2] / "README.md"


def cell(idle_mib: float | None, peak_mib: float = 400) -> Cell:
    line = [(0.0, 1 * MIB), (1.0, round(peak_mib * MIB)), (2.0, round((idle_mib or 1) * MIB))]
    return Cell(
        peak_bytes=round(peak_mib * MIB),
        mean_bytes=peak_mib / 2 * MIB,
        idle_bytes=None if idle_mib is None else round(idle_mib * MIB),
        cpu_seconds=2.5e-5,
        requests=12345,
        quantiles={"p50": 1e-6, "p99": 2e-6, "p999": 3e-3} if idle_mib is not None else None,
        idle_from=None if idle_mib is None else 1.5,
        line=line,
    )


def _idle(service: str, contender: str) -> float:
    own = {"spike": 50.0, "pool": 900.0}.get(service, 290.0)
    return {"hakmem": own, "mimalloc": 300.0, "glibc": 320.0}[contender]


def outcome() -> dict[str, Any]:
    """hakmem is best by far with `spike`, worst with `pool`, and has failed with `ruby`; MariaDB is not installed."""
    cells = {
        name: {
            contender: [cell(None if name == "rocksdb" else _idle(name, contender))]
            for contender in ["hakmem", *_PEERS]
            if (name, contender) != ("ruby", "hakmem")
        }
        for name in SERVICES
        if name != "mariadb"
    }
    contenders = [Contender(name, library=Path("/x"), version="1.0") for name in ("hakmem", *_PEERS)]
    plan = Plan(list(SERVICES), _PEERS, rounds=1, seed=1, seconds=60, idle=12)
    missing = [Missing("mariadb", "not installed: Debian's package mariadb-server-core")]
    failures = [Failure("ruby", "hakmem", "ruby under hakmem: it hung\nand more")]
    return tables.outcome_object(Outcome(plan, contenders, cells, missing, failures))


def printed(whole: dict[str, Any], form: str) -> str:
    out = io.StringIO()
    tables.print_object(whole, form, out)
    return out.getvalue()


class ReportTest(unittest.TestCase):
    def setUp(self) -> None:
        self.whole = outcome()

    def test_json_is_as_the_schema_says(self) -> None:
        jsonschema.validate(json.loads(printed(self.whole, "json")), _SCHEMA)
        self.whole["services"][0]["contenders"][0]["peak_bytes"] = 0
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(self.whole, _SCHEMA)

    def test_table_tells_figures_failures_and_what_is_missing(self) -> None:
        text = printed(self.whole, "table")
        for part in ("FAILED: 1", "it hung", "missing: 1", "mariadb-server-core", "1 round\n"):
            self.assertIn(part, text)
        self.assertRegex(text, r"ruby +hakmem +failed")
        self.assertRegex(text, r"spike +hakmem +400.0 +200.0 +50.0 +25 us +1 us +2 us +3 ms +12,345")
        self.assertRegex(text, r"rocksdb +glibc +400.0 +200.0 +– +25 us +– +– +–")

    def test_csv_has_a_line_a_service_and_allocator(self) -> None:
        lines = list(csv.DictReader(io.StringIO(printed(self.whole, "csv"))))
        self.assertEqual(len(lines), 3 * 9 - 1)
        self.assertEqual(lines[0]["service"], "redis")
        self.assertEqual(lines[0]["peak_bytes"], str(400 * MIB))

    def test_a_quantile_of_few_requests_is_none(self) -> None:
        few = dataclasses.replace(cell(50.0), requests=9_000)
        found = tables._cell_object("hakmem", few)
        self.assertEqual((found["p99_seconds"], found["p999_seconds"]), (2e-6, None))

    def test_long_lines_are_thinned_and_keep_peak_and_end(self) -> None:
        line = [(float(second), 10 + (second == 777) * 90) for second in range(5000)]
        found = tables.thinned(line)
        self.assertLessEqual(len(found), 300)
        self.assertEqual(max(size for _, size in found), 100)
        self.assertEqual(found[-1], [4999.0, 10])


class DocumentTest(unittest.TestCase):
    def setUp(self) -> None:
        self.whole = outcome()
        self.text = update_docs.page(self.whole)

    def test_every_service_has_its_rows(self) -> None:
        for service in self.whole["services"]:
            # Seven figures, what is given back, and the task.
            self.assertEqual(self.text.count(f"\n| {service['service']} |"), 7 + 1 + 1, service["service"])
            self.assertIn(service["task"], self.text)
        self.assertIn("ruby failed under hakmem: ruby under hakmem: it hung\n", self.text)
        self.assertIn("mariadb was not measured: not installed", self.text)
        self.assertNotIn("\n\n\n", self.text)

    def test_losses_are_bold_and_stand_first(self) -> None:
        idle = self.text.split("## Memory after 12 idle seconds")[1].split("##")[0]
        rows = [line for line in idle.splitlines() if line.startswith("| ")][1:]
        self.assertTrue(rows[0].startswith("| ruby | failed |"), rows[0])
        self.assertEqual(rows[1], "| pool | **900.0** | 300.0 | 320.0 | 3.00 |")
        known = [row for row in rows if "–" not in row]
        self.assertEqual(known[-1], "| spike | 50.0 | 300.0 | 320.0 | 0.17 |")
        self.assertIn("| ruby | failed | 300.0 | 320.0 | – |", rows)
        lost = self.text.split("## Where hakmem loses")[1].split("##")[0]
        self.assertIn("| idle | ruby failed, pool 3.00 of mimalloc's |", lost)

    def test_a_partial_run_is_no_document(self) -> None:
        self.whole["failures"] = []
        with self.assertRaisesRegex(BenchError, "ruby has no figure under hakmem"):
            update_docs.page(self.whole)

    def test_what_is_given_back_is_a_share_of_the_peak(self) -> None:
        rows = self.text.split("## Given back")[1].split("##")[0].splitlines()
        self.assertIn("| spike | 88 % | 25 % | 20 % |", [row.strip() for row in rows])
        self.assertIn("| ruby | failed | 25 % | 20 % |", [row.strip() for row in rows])
        self.assertIn("| rocksdb | – | – | – |", [row.strip() for row in rows])

    def test_tables_are_not_torn(self) -> None:
        lines = self.text.splitlines()
        for before, line in zip(lines, lines[1:]):
            if line.startswith("|") and before.startswith("|"):
                self.assertEqual(line.count("|"), before.count("|"), line)

    def test_a_service_that_nobody_mentions_is_refused(self) -> None:
        del self.whole["missing"][0]
        with self.assertRaisesRegex(BenchError, "missing: mariadb"):
            update_docs.page(self.whole)


class ReadmeTest(unittest.TestCase):
    def test_the_best_and_the_worst_are_shown(self) -> None:
        text = update_docs.excerpt(outcome())
        self.assertIn("\n| spike | 50.0 | 300.0 | 320.0 |\n| ruby | failed | 300.0 | 320.0 |\n| pool | 900.0 |", text)
        self.assertIn("in 2 of 8: ruby failed, pool 3.00 of mimalloc's.", text)
        self.assertIn("(docs/services.md)", text)

    def test_readme_has_one_place_for_it(self) -> None:
        readme = _README.read_text(encoding="utf-8")
        once = update_docs.marked(readme, update_docs.excerpt(outcome()))
        self.assertIn("| pool | 900.0 |", once)
        self.assertEqual(update_docs.marked(once, update_docs.excerpt(outcome())), once)
        with self.assertRaisesRegex(BenchError, "0 places"):
            update_docs.marked("no mark", "")


class PlotTest(unittest.TestCase):
    def test_every_service_has_a_line_of_each_allocator(self) -> None:
        whole = outcome()
        drawn = plot.draw(whole)
        root = ElementTree.fromstring(drawn)
        lines = [part for part in root.iter() if part.get("class", "").startswith("line c")]
        self.assertEqual(len(lines), 3 + sum(len(service["contenders"]) for service in whole["services"]))
        self.assertIn("prefers-color-scheme: dark", drawn)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for line in lines[3:]:
            points = [tuple(map(float, point.split())) for point in line.attrib["d"][1:].split("L")]
            self.assertEqual(len(points), 3)
            self.assertTrue(all(0 <= x <= width and 0 <= y <= height for x, y in points))

    def test_ends_of_axes(self) -> None:
        self.assertEqual([plot.rounded(value) for value in (0.3, 1, 3, 30, 1100)], [1, 1, 5, 50, 2000])


class ArgumentsTest(unittest.TestCase):
    def test_what_writes_a_document_prints_in_no_format(self) -> None:
        """It would be ignored, which nobody would notice."""
        error = io.StringIO()
        with (
            mock.patch.object(sys, "argv", [update_docs.NAME, "--format=json"]),
            contextlib.redirect_stderr(error),
            self.assertRaises(SystemExit) as ended,
        ):
            update_docs.main()
        self.assertEqual(ended.exception.code, 2)
        self.assertIn("unrecognized arguments: --format=json", error.getvalue())


if __name__ == "__main__":
    unittest.main()
