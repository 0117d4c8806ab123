# SPDX-License-Identifier: MIT
"""The outcome's three forms and the document, from figures that are known."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema

from bench.programs import tables, update_docs
from bench.programs.measurement import Comparison, Measurement, Outcome, Plan, Result, Row, WORKLOADS
from tools.measure.contender import Contender
from tools.measure.paired import Ratio
from tools.measure.program import BenchError

_SCHEMA = json.loads(Path(__file__).with_name("programs.schema.json").read_text())


def outcome(programs: list[str], rounds: int = 15) -> dict[str, Any]:
    """An outcome with two peers; hakmem takes 0.5 and 2 of their times."""
    peers = {"glibc": 0.5, "jemalloc": 2.0}
    results = []
    for name in programs:
        throughput = 1234.5 if name == "redis" else None
        rows = [Row(peer, Measurement(1.25, 0.0021, 3 << 20, throughput)) for peer in ("hakmem", *peers)]
        comparisons = [
            Comparison(peer, Ratio(value, value - 0.1, value + 0.1), Ratio(1, 1, 1), Ratio(0.75, 0.7, 0.8))
            for peer, value in peers.items()
        ]
        results.append(Result(WORKLOADS[name], rows, comparisons if rounds else []))
    contenders = [Contender(name, library=Path("/x"), version="1.0") for name in ("hakmem", *peers)]
    return tables.outcome_object(Outcome(Plan(programs, list(peers), rounds, 1), contenders, results))


def printed(whole: dict[str, Any], form: str) -> str:
    out = io.StringIO()
    tables.print_object(whole, form, out)
    return out.getvalue()


class ReportTest(unittest.TestCase):
    def test_json_is_as_the_schema_says(self) -> None:
        for rounds in (0, 15):
            whole = json.loads(printed(outcome(["lua", "redis"], rounds), "json"))
            jsonschema.validate(whole, _SCHEMA)
            self.assertEqual(len(whole["programs"][0]["hakmem_by"]), 2 if rounds else 0)

    def test_schema_refuses_what_is_not_an_outcome(self) -> None:
        whole = outcome(["lua"])
        whole["programs"][0]["contenders"][0]["seconds"] = 0
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(whole, _SCHEMA)

    def test_table_has_ratios_means_and_medians(self) -> None:
        text = printed(outcome(["lua", "redis"]), "table")
        ratios = ("by glibc", "0.50 (0.40..0.60)", "2.00 (1.90..2.10)", "geometric mean")
        for part in (*ratios, "1,234", "2.1 ms", "1.25 s"):
            self.assertIn(part, text)

    def test_one_round_has_no_ratio(self) -> None:
        text = printed(outcome(["lua"], 0), "table")
        self.assertNotIn("by glibc", text)
        self.assertIn("no ratios", text)

    def test_csv_has_a_line_a_program_and_allocator(self) -> None:
        lines = list(csv.DictReader(io.StringIO(printed(outcome(["lua", "redis"]), "csv"))))
        self.assertEqual([line["allocator"] for line in lines], ["hakmem", "glibc", "jemalloc"] * 2)
        self.assertEqual([line["hakmem_by_it_time_ratio"] for line in lines[:3]], ["", "0.5", "2.0"])

    def test_geometric_mean(self) -> None:
        self.assertAlmostEqual(tables.means(outcome(["lua", "redis"]), "time")[1] or 0, 2.0)

    def test_a_program_that_failed_is_told_and_the_rest_is_there(self) -> None:
        whole = outcome(list(WORKLOADS))
        whole["failures"] = [{"program": "lua", "contender": "glibc", "why": "lua under glibc: no\nmore"}]
        lua = next(program for program in whole["programs"] if program["program"] == "lua")
        lua["hakmem_by"] = lua["hakmem_by"][1:]
        jsonschema.validate(whole, _SCHEMA)
        text = printed(whole, "table")
        self.assertIn("FAILED: 1", text)
        self.assertRegex(text, r"lua +failed +2.00")
        self.assertEqual(len(list(csv.DictReader(io.StringIO(printed(whole, "csv"))))), 3 * len(WORKLOADS))
        document = update_docs.page(whole)
        self.assertIn("lua failed under glibc: lua under glibc: no\n", document)
        self.assertIn("| lua | failed | 2.00", document)
        self.assertAlmostEqual(tables.means(whole, "time")[0] or 0, 0.5)

    def test_units_of_time(self) -> None:
        self.assertEqual([tables.seconds(v) for v in (12.345, 0.5, 0.00234, 4.2e-5, 1e-8)],
                         ["12.3 s", "500 ms", "2.34 ms", "42 us", "0.01 us"])  # fmt: skip


class DocumentTest(unittest.TestCase):
    def test_every_program_has_its_rows(self) -> None:
        text = update_docs.page(outcome(list(WORKLOADS)))
        for name, workload in WORKLOADS.items():
            # Time, processor time, memory, a line each of three allocators, and the task.
            self.assertEqual(text.count(f"| {name} |"), 3 + 3 + 1, name)
            self.assertIn(workload.task, text)
        for part in ("by glibc | by jemalloc", "| geometric mean | 0.50 | 2.00 |", "15 interleaved rounds"):
            self.assertIn(part, text)
        self.assertNotIn("\n\n\n", text)

    def test_an_outcome_of_a_newer_system_stands_below_with_its_versions(self) -> None:
        whole, newer = outcome(list(WORKLOADS)), outcome(["lua"])
        newer["machine"]["system"] = "Debian 13"
        newer["contenders"][1]["version"] = "2.41"
        alone, both = update_docs.page(whole), update_docs.page(whole, newer)
        self.assertTrue(both.startswith(alone.rstrip()))
        below = both[len(alone.rstrip()) :]
        self.assertIn("## Beside the peers of Debian 13", below)
        self.assertIn("| by glibc 2.41 | by jemalloc 1.0 |", below)
        self.assertIn("| lua | 0.50", below)
        self.assertIn("| geometric mean | 0.50 | 2.00 |", below)
        self.assertNotIn("\n\n\n", both)
        with self.assertRaisesRegex(BenchError, "no ratios"):
            update_docs.page(whole, outcome(["lua"], 0))

    def test_tables_are_not_torn(self) -> None:
        page = update_docs.page(outcome(list(WORKLOADS)), outcome(["lua"]))
        lines = page.splitlines()
        for before, line in zip(lines, lines[1:]):
            if line.startswith("|") and before.startswith("|"):
                self.assertEqual(line.count("|"), before.count("|"), line)

    def test_missing_programs_and_missing_ratios_are_refused(self) -> None:
        with self.assertRaisesRegex(BenchError, "missing: .*sqlite"):
            update_docs.page(outcome(["lua"]))
        with self.assertRaisesRegex(BenchError, "missing: ratios"):
            update_docs.page(outcome(list(WORKLOADS), 0))


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
