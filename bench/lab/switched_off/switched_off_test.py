# SPDX-License-Identifier: MIT
"""What is switched off leaves nothing behind: the objects of each build with a switch off are, byte for byte, those of
sources that the switch was taken out of. The controls show that the comparison can fail."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any

from bench.driver import disassembly
from bench.driver.variants import SWITCHES

_PROOFS = sorted(Path(__file__).parent.glob("*_in_*.json"))


def proofs(mode: str) -> list[dict[str, Any]]:
    return [proof for path in _PROOFS if (proof := json.loads(path.read_text()))["mode"] == mode]


class SwitchedOffTest(unittest.TestCase):
    def test_every_switch_is_taken_out_alone_and_where_all_others_are_on(self) -> None:
        self.assertEqual(sorted(proof["switch"] for proof in proofs("removed")), sorted(SWITCHES * 2))
        self.assertEqual(sorted(proof["switch"] for proof in proofs("variable")), sorted(SWITCHES))

    def test_nothing_is_left_of_it(self) -> None:
        for proof in proofs("removed"):
            with self.subTest(switch=proof["switch"], library=proof["library"]):
                self.assertEqual(proof["different_functions"], [])
                self.assertEqual(set(proof["hot"].values()), {True})
                self.assertEqual(proof["identical_objects"], proof["objects"])
                # A library has that many; fewer would mean that the comparison lost sight of most of it.
                self.assertGreater(proof["functions"], 150)

    def test_the_comparison_sees_code_that_stays(self) -> None:
        for proof in proofs("variable"):
            with self.subTest(switch=proof["switch"]):
                self.assertIn(False, proof["hot"].values())
                self.assertLess(proof["identical_objects"], proof["objects"])


_LISTING = """
Disassembly of section .text.one:

0000000000000000 <one>:
   0:\t48 81 ff 00 04 00 00 \tcmp    $0x400,%rdi
   7:\te8 00 00 00 00       \tcall   c <one+0xc>
\t\t\t8: R_X86_64_PLT32\tslow-0x4
   c:\t48 c7 04 25 00 00 00 \tmovq   $0x0,0x0
  13:\t00 00 00 00 00

Disassembly of section .text.unlikely.one:

0000000000000000 <one.cold>:
   0:\tc3                   \tret
"""


class ListingTest(unittest.TestCase):
    def test_bytes_and_relocations(self) -> None:
        found = disassembly.parse_sections(_LISTING.replace("00 00 00 00 00\n\n", "00 00 00 00 00 \n\n"))
        self.assertEqual(
            found,
            {
                ".text.one": [
                    "48 81 ff 00 04 00 00",
                    "e8 00 00 00 00",
                    "R_X86_64_PLT32 slow-0x4",
                    "48 c7 04 25 00 00 00",
                    "00 00 00 00 00",
                ],
                ".text.unlikely.one": ["c3"],
            },
        )


if __name__ == "__main__":
    unittest.main()
