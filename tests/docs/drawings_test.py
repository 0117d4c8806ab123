# SPDX-License-Identifier: MIT
"""The drawings that are checked in are those that their sources make now."""

import unittest

from docs.drawings import draw
from tests.docs import documents


class Drawings(unittest.TestCase):
    def test_each_is_what_its_sources_make(self) -> None:
        root = documents.checkout()
        for name, drawing in draw.DRAWINGS.items():
            with self.subTest(drawing=name):
                kept = (root / "docs/drawings" / f"{name}.svg").read_text(encoding="utf-8")
                self.assertTrue(kept == drawing(root), "stale: bazel run //docs/drawings:draw")

    def test_each_is_shown_in_a_document(self) -> None:
        text = documents.documents(documents.checkout())["docs/design.md"]
        for name in draw.DRAWINGS:
            self.assertIn(f"(drawings/{name}.svg)", text)


if __name__ == "__main__":
    unittest.main()
