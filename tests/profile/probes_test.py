# SPDX-License-Identifier: MIT
"""Static probes: a build with the flag has those that docs/profile.md lists, and one without has none."""

from __future__ import annotations

import re
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path

from tools.cli import symbols


def probes(library: Path) -> list[tuple[str, str, str]]:
    """Provider, name and arguments of each, as the section .note.stapsdt has them."""
    found: list[tuple[str, str, str]] = []

    def read(elf: object) -> None:
        section = elf.get_section_by_name(".note.stapsdt")  # type: ignore[attr-defined]
        for note in section.iter_notes() if section else ():
            # Behind the addresses of the probe, of the section .stapsdt.base, and of a semaphore.
            texts = note["n_descdata"][3 * 8 :].split(b"\0")
            provider, name, arguments = (text.decode() for text in texts[:3])
            found.append((provider, name, arguments))

    symbols.read_elf(str(library), read)
    return found


class ProbesTest(unittest.TestCase):
    def test_a_build_with_the_flag_has_those_that_are_documented(self) -> None:
        text = Path(DOCUMENT).read_text(encoding="utf-8")
        rows = text.partition("## Probes")[2].partition("\n## ")[0]
        documented = set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE))
        found = probes(Path(WITH))
        self.assertEqual({provider for provider, _, _ in found}, {"hakmem"})
        self.assertEqual({name for _, name, _ in found}, documented)
        self.assertGreater(len(documented), 3)
        self.assertEqual(Counter(len(arguments.split()) for _, _, arguments in found), {3: len(found)})

    def test_a_build_without_it_has_none(self) -> None:
        self.assertEqual(probes(Path(WITHOUT)), [])

    def test_a_missing_header_is_said(self) -> None:
        done = subprocess.run(
            ["gcc", "-E", "-nostdinc", "-DHAK_USDT=1", "-I.", HEADER], capture_output=True, text=True, check=False
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("install Debian's package systemtap-sdt-dev, or build without the flag", done.stderr)


if __name__ == "__main__":
    WITH, WITHOUT, HEADER, DOCUMENT = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
