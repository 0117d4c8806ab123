# SPDX-License-Identifier: MIT
"""docs/reliability.md: one promise a line, with tests that are there and the figure that they reached; each case that it names
stands in the file before it."""

from __future__ import annotations

import re
import unittest

from tests.docs import documents

_PAGE = "docs/reliability.md"
_HEAD = ["promise", "held by", "reached"]

# A link to a file, and the cases up to the next link.
_HOLDER = re.compile(r"\]\(\.\./([^)]+)\)(?:: ((?:`\w+`(?:, )?)+))?")

_LEAST_PROMISES = 90


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def promises(text: str) -> list[list[str]]:
    """The cells of the rows below each head of _HEAD; an AssertionError where a row is not one line of as many cells."""
    rows: list[list[str]] = []
    is_within = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("|") and _cells(line) == _HEAD:
            is_within = True
        elif not line.strip():
            is_within = False
        elif is_within and not line.startswith("|--"):
            is_row = line.startswith("| ") and line.endswith(" |") and len(_cells(line)) == len(_HEAD)
            if not is_row:
                raise AssertionError(f"line {number} is no row of {', '.join(_HEAD)}: {line}")
            rows.append(_cells(line))
    return rows


class Reliability(unittest.TestCase):
    def setUp(self) -> None:
        self.root = documents.checkout()
        self.rows = promises((self.root / _PAGE).read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(self.rows), _LEAST_PROMISES)

    def test_every_promise_has_a_test(self) -> None:
        for promise, held_by, _ in self.rows:
            with self.subTest(promise):
                self.assertRegex(held_by, _HOLDER)

    def test_every_promise_has_a_figure(self) -> None:
        for promise, _, reached in self.rows:
            with self.subTest(promise):
                self.assertRegex(promise, r"\w")
                self.assertRegex(reached, r"\d")

    def test_no_promise_stands_twice(self) -> None:
        found = [promise for promise, *_ in self.rows]
        self.assertEqual(sorted(found), sorted(set(found)))

    def test_every_case_is_in_its_file(self) -> None:
        for _, held_by, _ in self.rows:
            for path, cases in _HOLDER.findall(held_by):
                source = (self.root / path).read_text(encoding="utf-8")
                for case in re.findall(r"\w+", cases):
                    with self.subTest(f"{path}: {case}"):
                        self.assertRegex(source, rf"\bHAK_TEST\w*\(\w+, {case}\b|\bdef test_?{case}\(")


class RowsTest(unittest.TestCase):
    TABLE = "| promise | held by | reached |\n|---|---|---|\n| a | b | 1 |\n"

    def test_other_tables_hold_no_promises(self) -> None:
        self.assertEqual(promises(f"text\n\n{self.TABLE}\n| a | why |\n|---|---|\n| b | c |\n"), [["a", "b", "1"]])

    def test_a_row_that_is_not_one_line_is_an_error(self) -> None:
        for more in ("| a | b |\n", "| a | b | 1 | 2 |\n", "| a\nb | c | 1 |\n", "a | b | 1 |\n"):
            with self.subTest(more), self.assertRaises(AssertionError):
                promises(self.TABLE + more)


if __name__ == "__main__":
    unittest.main()
