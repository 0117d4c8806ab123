# SPDX-License-Identifier: MIT
"""The report object and everything that is made of it, from times that were made up."""

from __future__ import annotations

import copy
import html.parser
import io
import json
import re
import unittest
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jsonschema

from bench.lab import contenders, page, table, result_pages, views
from bench.lab.plan import Slot
from bench.lab.results import Results
from bench.lab.testing import simulated

_SCHEMA = json.loads((Path(__file__).parents[1] / "schema/lab.schema.json").read_text())

_FACTORS = {
    "mimalloc": 1.2,
    "glibc": 0.9,
    "none": 2.0,
    "p0": 1.6,
    "p0+p1": 1.3,
    "p0+p1+p2": 1.1,
}


def validate(report: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(_SCHEMA).validate(report)


class ReportTest(unittest.TestCase):
    results: ClassVar[Results]
    report: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.results = simulated.results(_FACTORS)
        cls.report = simulated.make(cls.results)

    def row(self, kind: str, **wanted: Any) -> dict[str, Any]:
        found = views.find(self.report[kind], **wanted)
        assert found is not None, wanted
        return found

    def test_it_is_what_the_schema_says(self) -> None:
        jsonschema.Draft7Validator.check_schema(_SCHEMA)
        validate(json.loads(json.dumps(self.report, allow_nan=False)))

    def test_the_schema_refuses_what_is_missing_or_wrong(self) -> None:
        for path, value in ((("rounds",), 3), (("comparisons", 0, "verdict"), "won"), (("samples", 0, "ns", 0), -1)):
            broken = copy.deepcopy(self.report)
            place: Any = broken
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            with self.subTest(path=path), self.assertRaises(jsonschema.ValidationError):
                validate(broken)
        for key in _SCHEMA["required"]:
            broken = {name: value for name, value in self.report.items() if name != key}
            with self.subTest(key=key), self.assertRaises(jsonschema.ValidationError):
                validate(broken)

    def test_verdicts_are_those_of_the_times(self) -> None:
        for workload in simulated.WORKLOADS:
            compared = {
                row["other"]: (row["verdict"], row["ratio"])
                for row in self.report["comparisons"]
                if (row["family"], row["workload"], row["one"]) == (contenders.LIBRARIES, workload, contenders.HAKMEM)
            }
            self.assertEqual(compared["mimalloc"][0], "faster")
            self.assertAlmostEqual(compared["mimalloc"][1], 1 / 1.2, delta=0.01)
            self.assertEqual(compared["glibc"][0], "slower")
            self.assertAlmostEqual(compared["glibc"][1], 1 / 0.9, delta=0.01)

    def test_the_ladder_s_steps_are_compared_with_the_step_before(self) -> None:
        step = self.row("comparisons", family="switches", workload="pair", one="p0+p1", other="p0")
        self.assertAlmostEqual(step["ratio"], 1.3 / 1.6, delta=0.01)
        steps = views.ladder(self.report, "switches", "pair")
        self.assertEqual([one["step"] for one in steps], list(contenders.STEPS))
        self.assertEqual(steps[2]["by_previous"], step)
        self.assertIsNone(steps[0]["by_previous"])

    def test_the_control_does_not_differ_and_gives_the_threshold(self) -> None:
        control = self.row("noise", family=contenders.LIBRARIES, workload="pair")
        self.assertIn(control["verdict"], ("equivalent", "undecided"))
        self.assertAlmostEqual(control["noise_threshold"], max(1 / control["low"], control["high"]) - 1, delta=1e-4)

    def test_a_busy_machine_and_thresholds_that_hide_everything_are_told(self) -> None:
        self.assertEqual(views.disturbances(self.report), [])
        load = {"rounds": [1, 2, 3], "others": [0.0, 0.45, 0.5], "steal": [0.01, 0.0, 0.0], "waited": 0.6}
        noise = [
            row | {"noise_threshold": 0.2 if row["workload"] == "local" else 0.001} for row in self.report["noise"]
        ]
        busy, high = views.disturbances(self.report | {"load": self.report["load"] | load, "noise": noise})
        self.assertIn("others took 45% of its processors", busy)
        self.assertIn("no processor for 60% of their time", busy)
        self.assertIn("above 5% in 3 of 6 places", high)
        self.assertTrue(high.endswith(": local. --require-quiet waits for a quiet machine"), high)

    def test_ratios_of_one_thread_are_of_processor_time(self) -> None:
        results = simulated.results({})
        slot = Slot(contenders.LIBRARIES, "pair")
        for sample in results.samples[slot]["glibc"].values():
            sample["ns"] *= 10
        self.assertAlmostEqual(results.times(slot)["glibc"][0] / results.times(slot)["mimalloc"][0], 1, delta=0.05)
        results.plan.workloads["pair"] = replace(results.plan.workloads["pair"], threads=2)
        self.assertAlmostEqual(results.times(slot)["glibc"][0] / results.times(slot)["mimalloc"][0], 10, delta=0.5)

    def test_all_p_values_are_corrected_together(self) -> None:
        rows = self.report["noise"] + self.report["comparisons"] + self.report["effects"]
        # Two slots of each family: control and four pairs, control and the full guard, control, ten pairs and ten effects.
        self.assertEqual(len(rows), 2 * (1 + 4) + 2 * (1 + 1) + 2 * (1 + 10 + 10))
        self.assertEqual(self.results.plan.comparisons, len(rows))
        least = min(row["p"] for row in rows)
        smallest = [row["p_adjusted"] for row in rows if row["p"] == least]
        self.assertTrue(all(abs(value - min(1, len(rows) * least)) < 1e-6 for value in smallest))

    def test_raw_samples_give_the_ratios_again(self) -> None:
        rows = {
            row["contender"]: row
            for row in self.report["samples"]
            if (row["family"], row["workload"]) == (contenders.LIBRARIES, "pair")
        }
        ratios = sorted(a / b for a, b in zip(rows[contenders.HAKMEM]["ns"], rows["mimalloc"]["ns"]))
        found = self.row(
            "comparisons", family=contenders.LIBRARIES, workload="pair", one=contenders.HAKMEM, other="mimalloc"
        )
        self.assertAlmostEqual(ratios[7], found["ratio"], places=5)


class PartialTest(unittest.TestCase):
    def test_few_rounds_decide_nothing_and_everything_can_be_printed(self) -> None:
        results = simulated.results(_FACTORS, rounds=9)
        # The tenth round was interrupted: some contenders have run, the others have not.
        for kept in results.samples.values():
            first = next(iter(kept))
            kept[first][10] = kept[first][9]
        results.ended_in, results.ended_by = "rounds", "interrupted"
        report = simulated.make(results)
        validate(report)
        self.assertFalse(report["complete"])
        self.assertEqual({row["verdict"] for row in report["comparisons"] + report["effects"]}, {"incomplete"})
        self.assertEqual({row["rounds"] for row in report["comparisons"]}, {9})
        self.assertIn("Partial report", page.render(report))
        self.assertIn("**Partial**", result_pages.render(report))
        out = io.StringIO()
        table.write(report, out)
        self.assertIn("PARTIAL: interrupted during 'rounds'", out.getvalue())

    def test_nothing_measured_can_be_printed(self) -> None:
        results = simulated.results(_FACTORS)
        results.samples.clear()
        results.operations.clear()
        results.calibration.clear()
        results.said.clear()
        results.paddings.clear()
        for rows in (results.counts, results.memory, results.latency, results.system_calls):
            rows.clear()
        results.scaling.clear()
        results.startup.clear()
        results.ended_in, results.ended_by = "verify", "interrupted"
        report = simulated.make(results)
        validate(report)
        self.assertIn("Partial report", page.render(report))
        result_pages.render(report)
        table.write(report, io.StringIO())


class References(html.parser.HTMLParser):
    """Collects what a page would load or lead to, and its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"):
                self.found.append(value or "")
            self.found += re.findall(r"url\(([^)]*)\)", value or "")


class PageTest(unittest.TestCase):
    report: ClassVar[dict[str, Any]]
    page: ClassVar[str]
    references: ClassVar[References]

    @classmethod
    def setUpClass(cls) -> None:
        cls.report = simulated.make(simulated.results(_FACTORS))
        cls.page = page.render(cls.report)
        cls.references = References()
        cls.references.feed(cls.page)

    def test_it_needs_nothing_but_itself(self) -> None:
        self.assertTrue(self.references.found, "drawings refer to their own parts")
        for reference in self.references.found:
            self.assertTrue(reference.strip("'\"").startswith("#"), reference)
            self.assertIn(reference.strip("'\"")[1:], self.references.ids)
        self.assertTrue(self.references.tags.isdisjoint({"script", "link", "iframe", "img", "object", "embed", "base"}))
        self.assertNotIn("@import", self.page)
        # Names of the formats, which nobody follows, are all that looks like an address.
        addresses = set(re.findall(r"\w+://[^\s\"'<>]+", self.page))
        self.assertLessEqual(addresses, {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"})

    def test_every_id_is_there_once(self) -> None:
        self.assertEqual(len(self.references.ids), len(set(self.references.ids)))

    def test_losses_stand_before_wins(self) -> None:
        wins = self.page.index('<h2 id="wins"')
        self.assertLess(self.page.index('<h2 id="losses"'), wins)
        losses = self.page[self.page.index('<h2 id="losses"') : wins]
        self.assertIn("glibc", losses)
        self.assertNotIn("mimalloc</td>", losses.split("<h3>More memory")[0])

    def test_it_draws_all_that_was_measured(self) -> None:
        # A plot a peer, a ladder, the effects of two workloads.
        self.assertEqual(self.page.count("<svg xmlns"), 2 + 1 + 2)
        # The ratios of two workloads, and memory and the tails of two calls of one.
        self.assertEqual(self.page.count('<svg class="panel"'), 2 + 1 + 2)

    def test_single_calls_fit_a_phone(self) -> None:
        """Eight columns do at 400 pixels; with both calls in one line there were thirteen. And no word leaves a drawing."""
        calls = self.page.split('<table class="calls">')[1].split("</table>")[0]
        head, *lines = calls.split("</tr>")
        self.assertLessEqual(head.count("<th"), 8)
        rows = [line for line in lines if "<td" in line]
        self.assertEqual(len(rows), 2 * len(self.report["latency"]))
        self.assertEqual({row.count("<td") for row in rows}, {head.count("<th")})
        self.assertIn('text-anchor="end">longest</text>', self.page)

    def test_contents_lead_to_each_section(self) -> None:
        sections = re.findall(r'<h2 id="([^"]+)"', self.page)
        self.assertEqual(re.findall(r'<li><a href="#([^"]+)"', self.page), sections)

    def test_absolute_figures_and_all_by_all(self) -> None:
        absolute = self.page[self.page.index('id="absolute"') : self.page.index('id="guards"')]
        for name in ("mimalloc", "glibc", contenders.GUARD):
            self.assertIn(f"<th>{name}</th>", absolute)
        found = views.all_by_all(self.report)
        self.assertAlmostEqual(found["mimalloc"]["glibc"], 1.2 / 0.9, delta=0.01)
        self.assertAlmostEqual(found["glibc"]["mimalloc"], 0.9 / 1.2, delta=0.01)

    def test_equal_reports_give_equal_pages(self) -> None:
        self.assertEqual(self.page, page.render(self.report))

    def test_what_a_report_says_is_escaped(self) -> None:
        report = copy.deepcopy(self.report)
        report["notes"] = ["<b>bold</b>"]
        report["workloads"][0]["description"] = "<script>x</script>"
        found = page.render(report)
        self.assertNotIn("<b>bold", found)
        self.assertNotIn("<script>", found)


class TableTest(unittest.TestCase):
    def test_losses_first_then_wins_and_no_colour_in_a_file(self) -> None:
        out = io.StringIO()
        table.write(simulated.make(simulated.results(_FACTORS)), out)
        text = out.getvalue()
        self.assertLess(text.index("LOSSES: slower, 2"), text.index("WINS: faster, 2"))
        self.assertNotIn("\x1b", text)

    def test_memory_and_tails_are_losses_too(self) -> None:
        results = simulated.results(_FACTORS)
        # hakmem's tail of frees is longer in each run, that of allocations in two of three.
        for row in results.latency:
            if row["contender"] == contenders.HAKMEM:
                row["free"] = row["free"] | {"p99_ns": 60.0}
                row["alloc"] = row["alloc"] | {"p99_ns": 60.0 if row["run"] else 20.0}
        out = io.StringIO()
        table.write(simulated.make(results), out)
        self.assertRegex(out.getvalue(), r"LOSSES: memory, MiB, 4\n")
        self.assertRegex(out.getvalue(), r"LOSSES: tails, ns, 2\n")

    def test_a_control_that_differs_are_told(self) -> None:
        out = io.StringIO()
        table.write(simulated.make(simulated.results({contenders.HAKMEM + contenders.AGAIN: 1.1})), out)
        self.assertIn("two names of the same library differ on pair", out.getvalue())


class DocumentTest(unittest.TestCase):
    def test_tables_have_as_many_cells_in_each_line(self) -> None:
        text = result_pages.render(simulated.make(simulated.results(_FACTORS)))
        lines = text.splitlines()
        self.assertGreater(sum(line.startswith("|") for line in lines), 40)
        for before, line in zip(lines, lines[1:]):
            if before.startswith("|") and line.startswith("|"):
                self.assertEqual(before.count("|"), line.count("|"), f"{before}\n{line}")
        self.assertNotIn("\n\n\n\n", text)

    def test_a_report_of_a_newer_system_stands_below_with_its_versions(self) -> None:
        report = simulated.make(simulated.results(_FACTORS))
        newer = simulated.make(simulated.results({"mimalloc": 2.0}))
        newer["machine"]["distribution"] = "Debian 13"
        for row in newer["contenders"]:
            row["version"] = "3.0.1-0-g54eaed1d"
        alone, both = result_pages.render(report), result_pages.render(report, newer)
        self.assertTrue(both.startswith(alone.rstrip()))
        below = both[len(alone.rstrip()) :]
        self.assertIn("## Beside the peers of Debian 13", below)
        self.assertIn("| mimalloc 3.0.1 |", below)
        self.assertRegex(below, r"time, geometric mean \| 0\.5")
        for before, line in zip(below.splitlines(), below.splitlines()[1:]):
            if before.startswith("|") and line.startswith("|"):
                self.assertEqual(before.count("|"), line.count("|"), line)

    def test_the_section_of_a_newer_system_stays_where_it_is_not_measured_again(self) -> None:
        newer = simulated.make(simulated.results({"mimalloc": 2.0}))
        newer["machine"] |= {"distribution": "Debian 13", "cpu_model": "Another Processor"}
        both = result_pages.render(simulated.make(simulated.results(_FACTORS)), newer)
        later = simulated.make(simulated.results({"mimalloc": 3.0}))
        alone, standing = result_pages.render(later), result_pages.newer_section(both)
        self.assertIn("Another Processor", standing)
        self.assertEqual(result_pages.render(later, None, standing), f"{alone.rstrip()}\n\n{standing}\n")
        self.assertEqual(result_pages.newer_section(alone), "")

    def section(self, results: Results, heading: str) -> str:
        """The text below a heading."""
        text = result_pages.render(simulated.make(results))
        return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]

    def test_every_loss_in_time_is_marked(self) -> None:
        found = self.section(simulated.results(_FACTORS), "Time")
        row = r"^\| \w+ \| [\d.]+ \| 0\.8\d\d \+ \| \*\*1\.1\d\d -\*\* \|"
        self.assertEqual(len(re.findall(row, found, re.MULTILINE)), 2)

    def test_every_loss_in_memory_is_marked(self) -> None:
        found = self.section(simulated.results(_FACTORS), "Memory")
        # 2.0, 0.8 and 0.5 times a peak; 200,000 bytes after freeing by 100,000 and 66,666; equal after the wait.
        self.assertIn("| pair | 1.9 / 0.2 / 0.1 | 0.80 / **2.00** / 1.00 | **1.25** / **3.00** / 1.00 |", found)
        self.assertIn("| local | 1.9 / - / - | 0.80 / - / - | **1.25** / - / - |", found)

    def test_every_longer_tail_is_marked(self) -> None:
        results = simulated.results(_FACTORS)
        for row in results.latency:
            if row["contender"] == contenders.HAKMEM:
                row["free"] = row["free"] | {"p99_ns": 60.0}
                row["alloc"] = row["alloc"] | {"p99_ns": 60.0 if row["run"] else 20.0}
        found = self.section(results, "Single calls")
        # That of allocations is longer in two runs of three: no loss, and no secret.
        both = "3.00 / 1.00 / **3.00** / 1.00"
        self.assertIn(f"| pair | 60 / 30 / 60 / 30 | {both} | {both} |", found)

    def test_the_worst_workload_stands_first(self) -> None:
        results = simulated.results(_FACTORS)
        for sample in results.samples[Slot(contenders.LIBRARIES, "local")][contenders.HAKMEM].values():
            sample["cpu_ns"] *= 3
        found = self.section(results, "Time")
        self.assertLess(found.index("| local |"), found.index("| pair |"))

    def test_builds_with_a_guard_have_rows(self) -> None:
        factors = {contenders.GUARD: 1.1, contenders.GUARD_FULL: 1.8}
        found = self.section(simulated.results(factors), "Builds with a guard")
        exact, full = (rf"\*\*1\.{digits}\d -\*\*" for digits in ("(10|09)", "(80|79)"))
        self.assertRegex(found, rf"\| pair \| {exact} \| 1\.05 \| {exact} \| 0\.84 \| {full} \| 1\.00 \|")


if __name__ == "__main__":
    unittest.main()
