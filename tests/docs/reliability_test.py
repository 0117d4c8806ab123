# SPDX-License-Identifier: MIT
"""docs/reliability.md names tests that are there: each case stands in the file before it."""

from __future__ import annotations

import re
import unittest

from tests.docs import documents

_PAGE = "docs/reliability.md"

# A link to a file, and the cases up to the next link.
_HOLDER = re.compile(r"\]\(\.\./([^)]+)\)(?:: ((?:`\w+`(?:, )?)+))?")

_LEAST_PROMISES = 30


class Reliability(unittest.TestCase):
    def setUp(self) -> None:
        self.root = documents.checkout()
        text = (self.root / _PAGE).read_text(encoding="utf-8").partition("## Not promised")[0]
        self.rows = documents.table_rows(text)
        self.assertGreaterEqual(len(self.rows), _LEAST_PROMISES)

    def test_every_promise_has_a_test(self) -> None:
        for promise, held_by in self.rows:
            with self.subTest(promise):
                self.assertRegex(held_by, _HOLDER)

    def test_every_case_is_in_its_file(self) -> None:
        for _, held_by in self.rows:
            for path, cases in _HOLDER.findall(held_by):
                source = (self.root / path).read_text(encoding="utf-8")
                for case in re.findall(r"\w+", cases):
                    with self.subTest(f"{path}: {case}"):
                        self.assertRegex(source, rf"\bHAK_TEST\w*\(\w+, {case}\b|\bdef test_?{case}\(")


if __name__ == "__main__":
    unittest.main()
