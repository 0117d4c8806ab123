# SPDX-License-Identifier: MIT
"""Each golden header is what the generator makes of its spec today.

The header that the build generates for the chosen switches lies beside this file in a test run of the build, and
is compared with what the generator makes of its spec too.
"""

import difflib
import unittest

from codegen.goldens import FOLDER, GOLDENS, Golden, fresh_header
from codegen.header_reader import Header

ADVICE = "if the change is meant, run: bazel run //codegen:update"
CHANGED_LINES_SHOWN = 40


def difference(golden: Golden, fresh: str) -> str:
    """A short unified diff from the golden to a fresh header; empty where they are equal."""
    path = FOLDER.parent / golden.path
    checked_in = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = difflib.unified_diff(
        checked_in.splitlines(keepends=True), fresh.splitlines(keepends=True), golden.path, "generated"
    )
    return "".join(list(lines)[:CHANGED_LINES_SHOWN])


class Goldens(unittest.TestCase):
    def test_goldens_are_up_to_date(self) -> None:
        for golden in GOLDENS:
            with self.subTest(golden.path):
                changed = difference(golden, fresh_header(golden))
                self.assertEqual("", changed, f"{golden.path} is not what is generated; {ADVICE}")

    def test_no_golden_is_left_over(self) -> None:
        present = {f"codegen/golden/{path.name}" for path in (FOLDER / "golden").iterdir()}
        self.assertEqual(present, {golden.path for golden in GOLDENS}, ADVICE)

    def test_the_build_generates_the_same(self) -> None:
        built = FOLDER / "hak_classes.h"
        if not built.exists():
            self.skipTest("run outside the build")
        text = built.read_text(encoding="utf-8")
        header = Header(text)
        golden = Golden(header.text("HAK_CLASSES_NAME").strip('"'), header.number("HAK_TABLE_GRANULARITY"))
        self.assertEqual(text, fresh_header(golden))


if __name__ == "__main__":
    unittest.main()
