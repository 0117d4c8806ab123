# SPDX-License-Identifier: MIT
"""What a document points to is there: files, headings, targets' folders. And no place of a template is left open."""

from __future__ import annotations

import re
import unittest
from pathlib import Path

from tests.docs import documents

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"@[A-Z][A-Z_]+@|\{\{|\bTODO\b|\bFIXME\b")
_TOP = "hakmem|bench|tests|tools|codegen|docs"
_PATH = re.compile(rf"(?:{_TOP})/[\w.+/-]*\w(?:\.\w+|/)?")
_LABEL = re.compile(rf"//((?:{_TOP})(?:/[\w-]+)*)?(?::[\w.-]+)?")


def _anchor(heading: str) -> str:
    """As the usual viewers of Markdown name a heading."""
    words = re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower())
    return words.strip().replace(" ", "-")


class Links(unittest.TestCase):
    def setUp(self) -> None:
        self.root = documents.checkout()
        self.found = documents.documents(self.root)
        self.assertGreater(len(self.found), 20)

    def test_every_relative_link_leads_to_a_file_and_a_heading_of_it(self) -> None:
        seen = 0
        for name, text in self.found.items():
            folder = (self.root / name).parent
            for link in _LINK.findall(documents.without_code(text)):
                if re.match(r"[a-z]+:", link):
                    continue
                seen += 1
                path, _, anchor = link.partition("#")
                target = folder / path if path else self.root / name
                with self.subTest(document=name, link=link):
                    self.assertTrue(target.exists(), "leads nowhere")
                    if anchor:
                        headings = map(_anchor, _HEADING.findall(target.read_text(encoding="utf-8")))
                        self.assertIn(anchor, set(headings))
        self.assertGreater(seen, 50)

    def test_every_path_between_backticks_is_there(self) -> None:
        seen = 0
        for name, text in self.found.items():
            if documents.is_history(name):
                continue
            for span in documents.spans(text):
                if _PATH.fullmatch(span):
                    seen += 1
                    with self.subTest(document=name, path=span):
                        self.assertTrue(self._is_there(span), "no such file")
        self.assertGreater(seen, 20)

    def _is_there(self, path: str) -> bool:
        """As written; or without its ending, as in `hakmem/front/fork`; or of any ending, as in `exchange.*`."""
        whole = self.root / path
        return whole.exists() or any(whole.parent.glob(Path(path).name + ".*"))

    def test_every_package_of_a_label_has_a_build_file(self) -> None:
        seen = 0
        for name, text in self.found.items():
            if documents.is_history(name):
                continue
            for line in documents.command_lines(text):
                for label in _LABEL.finditer(line):
                    package = label[1]
                    if package is None or line[label.start() - 1 : label.start()] in (":", "@"):
                        continue
                    seen += 1
                    with self.subTest(document=name, label=label[0]):
                        folder = self.root / package
                        self.assertTrue((folder / "BUILD").is_file() or label[0] == line and folder.is_dir())
        self.assertGreater(seen, 20)

    def test_no_place_of_a_template_is_left_open(self) -> None:
        for name, text in self.found.items():
            with self.subTest(document=name):
                self.assertEqual([], _PLACEHOLDER.findall(documents.without_code(text)))


if __name__ == "__main__":
    unittest.main()
