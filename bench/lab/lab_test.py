# SPDX-License-Identifier: MIT
"""The laboratory from end to end, with its real contenders and few operations: quick, and each kind of figure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import jsonschema

from bench.lab import contenders, views
from tools.measure import peers

_BENCH = Path(__file__).parents[1]
_LAB = str(_BENCH / "lab/lab_tested")
_UPDATE = str(_BENCH / "lab/update_results_tested")
_SCHEMA = json.loads((_BENCH / "schema/lab.schema.json").read_text())

_FEW = "--operations=3000"
_STEP = f"{contenders.COMPILED_IN}/p0+p1+p2"


def run(program: str, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *line], capture_output=True, text=True, check=False, env=os.environ | environment)


class LabTest(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)

    def measure(self, *line: str, has_page: bool = False) -> dict[str, Any]:
        """A whole run; its report, checked against the schema. Pages, which take long to draw, are those of some families."""
        file = self.folder / "report.json"
        pages = [f"--html={self.folder / 'report.html'}"] if has_page else []
        done = run(_LAB, *line, _FEW, f"--json={file}", *pages)
        self.assertEqual(done.returncode, 0, done.stderr)
        report: dict[str, Any] = json.loads(file.read_text())
        jsonschema.validate(report, _SCHEMA)
        self.assertTrue(report["complete"])
        return report

    def test_quick(self) -> None:
        report = self.measure("--quick", has_page=True)
        self.assertEqual({row["family"] for row in report["times"]}, {contenders.LIBRARIES})
        self.libraries(report)
        self.document(self.folder / "report.json")

    def libraries(self, report: dict[str, Any]) -> None:
        rows = {row["name"]: row for row in report["contenders"] if row["family"] == contenders.LIBRARIES}
        self.assertEqual(
            list(rows), ["hakmem", "hakmem-again", "hakmem-guard", "mimalloc", "jemalloc", "tcmalloc", "glibc"]
        )
        self.assertEqual(
            len({row["sha256"] for row in rows.values()}),
            6,
            "the control is one file under two names, all others differ",
        )
        self.assertTrue(all(re.search(r"\d\.\d", row["version"]) for row in rows.values()), rows)
        self.assertEqual(rows["hakmem"]["config"], contenders.ALL)
        for kind in ("startup", "memory", "latency", "system_calls", "counts"):
            self.assertTrue(report[kind], kind)
        self.assertTrue(all(len(row["samples"]) >= 50 for row in report["memory"]))
        for row in report["noise"]:
            self.assertGreaterEqual(row["noise_threshold"], 0)

    def test_switches(self) -> None:
        report = self.measure("--quick", "--workload=replacement_64k", "--contender=switches/*", has_page=True)
        configs = {row["name"]: row["config"] for row in report["contenders"] if row["family"] == "switches"}
        self.assertEqual(
            {name: configs.get(name) for name in contenders.STEPS}, {name: name for name in contenders.STEPS}
        )
        self.assertEqual(report["effects"], [], "they need all combinations")
        steps = views.ladder(report, "switches", "replacement_64k")
        instructions = [step["counts"]["instructions"] for step in steps]
        self.assertEqual(instructions, sorted(instructions, reverse=True), "each step saves instructions")

    def document(self, report: Path) -> None:
        """update_results from a report that was kept."""
        (self.folder / "docs").mkdir()
        (self.folder / "README.md").write_text("| time, geometric mean of the ratios | | of an earlier run |\n")
        done = run(_UPDATE, f"--from={report}", BUILD_WORKSPACE_DIRECTORY=str(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("## Memory", (self.folder / "docs/results.md").read_text())
        self.assertIn("mimalloc", (self.folder / "docs/allocators.svg").read_text())
        self.assertRegex((self.folder / "docs/targets.md").read_text(), r"\d+ of \d+ goals are met")
        self.assertRegex((self.folder / "README.md").read_text(), r"^\| time, .* \| \| [0-9.]+ \|")

    def test_compiled_in_and_a_peer_of_one_s_own(self) -> None:
        library = peers.installed("libjemalloc.so.2")
        report = self.measure(f"--peer=mine={library}", "--workload=pair", "--contender=mine", f"--contender={_STEP}")
        self.assertEqual({row["family"] for row in report["times"]}, {contenders.LIBRARIES, contenders.COMPILED_IN})
        self.assertEqual(
            [(row["one"], row["other"]) for row in report["comparisons"]],
            [("hakmem", "mine"), ("p0+p1+p2", "p0+p1")],
        )
        links = {row["name"]: row["link"] for row in report["contenders"] if row["family"] == contenders.COMPILED_IN}
        self.assertEqual((links["p0+p1"], links["p0+p1+p2"]), ("static", "inlined"))

    def test_builds_with_a_guard(self) -> None:
        report = self.measure("--workload=pair", "--contender=*-guard", "--contender=*-guard-full")
        self.assertEqual(
            [(row["family"], row["one"], row["other"]) for row in report["comparisons"]],
            [
                (contenders.LIBRARIES, contenders.GUARD, contenders.HAKMEM),
                (contenders.LIBRARIES, contenders.GUARD, peers.REFERENCE),
                (contenders.WITH_GUARD, contenders.GUARD_FULL, contenders.HAKMEM),
            ],
        )
        files = {row["name"]: row["file"] for row in report["contenders"]}
        self.assertEqual(files[contenders.GUARD], "libhakmem-guard.so")
        self.assertEqual(files[contenders.GUARD_FULL], "libhakmem-guard-full.so")

    def test_the_profile(self) -> None:
        report = self.measure("--workload=json", "--contender=hakmem-profile")
        self.assertEqual(
            [(row["family"], row["one"], row["other"]) for row in report["comparisons"]],
            [(contenders.WITH_PROFILE, contenders.SAMPLING, contenders.HAKMEM)],
        )

    def test_the_other_families_and_threads(self) -> None:
        report = self.measure("--workload=local", "--contender=spacings/*", "--contender=experiments/*", has_page=True)
        self.assertEqual({row["threads"] for row in report["workloads"]}, {2})
        self.assertEqual(
            [row["one"] for row in report["comparisons"]],
            ["fine", "fine16", "table-65", "capacity-fixed", "capacity-site"],
        )

    def test_a_recorded_program(self) -> None:
        report = self.measure("--workload=trace:perl", "--contender=glibc")
        self.assertEqual([row["family"] for row in report["workloads"]], ["traces"])
        self.assertTrue(report["comparisons"])

    def test_a_library_that_is_none_of_an_allocator_is_an_error(self) -> None:
        library = peers.installed("libm.so.6")
        file = self.folder / "report.json"
        done = run(_LAB, f"--peer=mine={library}", "--contender=mine", "--workload=pair", _FEW, f"--json={file}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("answers malloc where", done.stderr)
        failures = json.loads(file.read_text())["failures"]
        self.assertEqual([(row["contender"], row["phase"]) for row in failures], [("mine", "verify")])

    def test_update_results_refuses(self) -> None:
        done = run(_UPDATE, "--from=/nowhere/x.json")
        self.assertEqual(done.returncode, 2)
        self.assertIn("No such file", done.stderr)


if __name__ == "__main__":
    unittest.main()
