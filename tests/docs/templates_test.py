# SPDX-License-Identifier: MIT
"""What stands in a generated document stands in its template: a sentence that was written into the document alone is
gone with the next `bazel run //bench:update_..`, which nobody reads for what it leaves out.

A sentence is known if most runs of four of its words stand in the template, or in a source of the laboratory. Those
with figures or names of workloads are left out: most of their words were filled in.
"""

from __future__ import annotations

import re
import unittest
from pathlib import Path

from tests.docs.documents import checkout

DOCUMENTS = checkout() / "docs"
BENCH = checkout() / "bench"
TEMPLATES = sorted(BENCH.glob("*/*.md.j2"))
RUN = 4
_PLACEHOLDER = re.compile(r"\{[%{#].*?[%}#]\}", re.DOTALL)


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z']+", text)


def runs(text: str) -> set[str]:
    found = words(text)
    return {" ".join(found[i : i + RUN]) for i in range(len(found) - RUN + 1)}


def quoted_out(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", text)


def sentences(text: str) -> list[str]:
    """Without tables and what stands between backquotes."""
    text = quoted_out(re.sub(r"(?ms)^```.*?^```", "", text))
    parts = (part for part in re.split(r"\n\s*\n", text) if not part.lstrip().startswith("|"))
    found = [sentence for part in parts for sentence in re.split(r"(?<=[.:;])\s+", part)]
    return [sentence for sentence in found if not re.search(r"[0-9_]", sentence) and len(words(sentence)) >= 6]


def is_known(sentence: str, known: set[str]) -> bool:
    its_own = runs(sentence)
    return 2 * len(its_own & known) >= len(its_own)


def known_to(template: Path) -> set[str]:
    """Of statements and placeholders their strings only. The sources' strings are broken where their lines end."""
    sources = sorted(BENCH.glob("*/*.py"))
    texts = [re.sub(r'"\s*\n\s*f?"', "", source.read_text(encoding="utf-8")) for source in sources]
    text = quoted_out(template.read_text(encoding="utf-8"))
    spoken = [string for placeholder in _PLACEHOLDER.findall(text) for string in re.findall(r'"([^"]*)"', placeholder)]
    return set().union(*map(runs, [_PLACEHOLDER.sub(" ", text), *spoken, *texts]))


class TemplatesTest(unittest.TestCase):
    def test_each_sentence_of_a_document_is_its_templates(self) -> None:
        for template in TEMPLATES:
            known = known_to(template)
            document = DOCUMENTS / template.name.removesuffix(".j2")
            for sentence in sentences(document.read_text(encoding="utf-8")):
                with self.subTest(document=document.name):
                    self.assertTrue(is_known(sentence, known), f"not in {template.name}: {sentence}")

    def test_templates_are_found(self) -> None:
        names = {template.name.removesuffix(".md.j2") for template in TEMPLATES}
        self.assertLessEqual({"guard", "programs", "results", "services", "tradeoffs"}, names)

    def test_a_sentence_of_the_documents_own_is_seen(self) -> None:
        known = runs("Made by the command, in 15 interleaved rounds of all workloads.")
        self.assertTrue(is_known("Made by the command, in 20 interleaved rounds of all programs.", known))
        self.assertFalse(is_known("Whoever adds this by hand loses it.", known))
        text = "| a table |\n\nIt is said in six words. Not these.\n"
        self.assertEqual(sentences(text), ["It is said in six words."])


if __name__ == "__main__":
    unittest.main()
