# SPDX-License-Identifier: MIT
"""README's figures are those of the measured documents and of the golden of the hot path."""

from __future__ import annotations

import json
import re
import unittest

from tests.docs import documents

_GOLDEN = "bench/golden/hot_path.json"


def _cells(text: str, first: str) -> list[str]:
    """The cells of the table's row that begins with `first`."""
    found = re.search(rf"^\| {re.escape(first)} *\|(.*)\|$", text, re.MULTILINE)
    if found is None:
        raise AssertionError(f"no row '{first}'")
    return [cell.strip() for cell in found[1].split("|")]


class Figures(unittest.TestCase):
    def setUp(self) -> None:
        self.root = documents.checkout()
        self.found = documents.documents(self.root)
        self.readme = self.found["README.md"]

    def test_ratios_are_those_of_the_results(self) -> None:
        results = documents.section(self.found["docs/results.md"], "In short")
        for row in ("time, geometric mean", "peak memory, geometric mean"):
            self.assertEqual(_cells(results, row), _cells(self.readme, f"{row} of the ratios")[1:])

    def test_instructions_with_the_loop_are_those_of_the_targets(self) -> None:
        _, mine, _, others = _cells(
            self.found["docs/targets.md"], "instructions of malloc and free, 8 to 64 bytes, loop included"
        )
        shown = _cells(self.readme, "instructions of a malloc and a free, loop included")
        names = ("mimalloc", "jemalloc", "tcmalloc", "glibc")
        measured = dict(one.split(" ") for one in others.split(", "))
        self.assertEqual([mine, *(measured[name] for name in names)], shown)

    def test_instructions_of_the_hot_path_are_the_golden_ones(self) -> None:
        golden = json.loads((self.root / _GOLDEN).read_text(encoding="utf-8"))["combinations"]["p0+p1+p2+p3"]
        counts = (golden["malloc"]["instructions"], golden["free"]["instructions"])
        flat = " ".join(self.readme.split())
        self.assertIn("malloc takes {} instructions and free {},".format(*counts), flat)
        flat = " ".join(self.found["docs/design.md"].split())
        self.assertIn("{} instructions for malloc and {} for free".format(*counts), flat)

    def test_means_over_programs_are_those_of_the_page(self) -> None:
        time = documents.section(self.found["docs/programs.md"], "Time")
        means = dict(zip(_cells(time, "program"), _cells(time, "geometric mean")))
        wanted = f"is {means['by glibc']} of glibc's and {means['by mimalloc']} of mimalloc's"
        self.assertIn(wanted, " ".join(self.readme.split()))


if __name__ == "__main__":
    unittest.main()
