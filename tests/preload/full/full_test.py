# SPDX-License-Identifier: MIT
"""What guard full promises of whole programs; the builds without it run what is the same in all of them."""

import re
import unittest
from pathlib import Path

from tests.preload import forms
from tests.preload.life import run

FULL = ["guard_full"]
SIZE_MAX = 2**64 - 1


class FullTest(forms.FormTest):
    folder = Path("tests/preload/full")

    def test_three_thousand_threads_have_room_in_the_mappings(self) -> None:
        def expect_few(ended: run.Ended) -> None:
            found = re.fullmatch(r"failed 0, mappings a thread (\S+)\n", ended.stdout)
            self.assertIsNotNone(found, str(ended))
            assert found is not None
            self.assertLessEqual(float(found[1]), 4, str(ended))  # of which the stack has two
            # Once, or never where the system's limit is larger.
            self.assertLessEqual(ended.stderr.count("\n"), 1, str(ended))
            self.assertIn(ended.stderr[:35], ("", "hakmem: warning: HAKMEM_GUARD=pages"), str(ended))

        self.in_forms("threads_map", 3000, forms=FULL, stderr=None, check=expect_few)

    def test_children_choose_otherwise_than_their_siblings(self) -> None:
        def expect_few(ended: run.Ended) -> None:
            found = re.fullmatch(r"(\d+) of 1360\n", ended.stdout)
            self.assertIsNotNone(found, str(ended))
            assert found is not None
            # The next of each size stays the next; a child that no handler knows of has all that lay at hand.
            self.assertLess(int(found[1]), 100 if how == "fork" else 600, str(ended))

        for how in ("fork", "clone"):
            self.in_forms("children_choose", how, forms=FULL, check=expect_few)

    def test_children_have_canaries_of_their_own_once_one_was_changed(self) -> None:
        self.in_forms(
            "renewed_canaries",
            forms=FULL,
            stdout="another's, 0 wrong\n" + 2 * "its own, 0 wrong\n",
            stderr=None,
            check=lambda ended: self.assertEqual(
                ended.stderr.count(": overflow: bytes behind the block"), 3, str(ended)
            ),
        )

    def test_one_of_two_threads_frees_a_block(self) -> None:
        rounds = 20000
        self.in_forms(
            "racing_frees",
            rounds,
            forms=forms.GUARDS,
            stdout="0 given out twice\n",
            stderr=None,
            variables={"HAKMEM_ON_MISUSE": "report"},
            check=lambda ended: self.assertEqual(
                ended.stderr.count("double free: the block"), rounds, ended.stderr[-2000:]
            ),
        )

    def test_realloc_leaves_alone_what_was_never_touched(self) -> None:
        def expect_small(ended: run.Ended) -> None:
            self.assertLess(ended.peak_bytes, 64 * run.MIB, str(ended))

        self.in_forms("realloc_sparse", stdout="right\n", check=expect_small)

    def test_no_size_is_taken_for_an_unknown_one(self) -> None:
        def expect_three(ended: run.Ended) -> None:
            self.assertEqual(ended.stderr.count("wrong size"), 3, str(ended))

        for size in (SIZE_MAX, SIZE_MAX - 1, 500):
            self.in_forms(
                "sized_frees",
                size,
                forms=forms.GUARDS,
                stdout="freed\n",
                stderr=None,
                variables={"HAKMEM_ON_MISUSE": "report"},
                check=expect_three,
            )
        self.in_forms("sized_frees", 64, forms=forms.GUARDS, stdout="freed\n")


if __name__ == "__main__":
    unittest.main()
