# SPDX-License-Identifier: MIT
"""What update_tradeoffs reads and names; its figures come from the parts that other tests hold."""

import unittest

from bench.commands import update_tradeoffs
from bench.engine.variants import COMBINATIONS, SWITCHES

_LISTING = """\
0000000000004010 0000000000000402 R hak_size_class_table
0000000000001200 00000000000000b9 t tiny_batch_run
                 U write
0000000000001300 T without_a_size
"""


class UpdateTradeoffsTest(unittest.TestCase):
    def test_sizes_are_hexadecimal_and_symbols_without_one_are_left_out(self) -> None:
        self.assertEqual(
            update_tradeoffs.symbol_sizes(_LISTING), {"hak_size_class_table": 1026, "tiny_batch_run": 0xB9}
        )

    def test_leaving_one_switch_out_names_a_combination(self) -> None:
        for switch in SWITCHES:
            name = update_tradeoffs.without(switch)
            self.assertNotIn(switch, COMBINATIONS[name].split("+"))
            self.assertEqual(len(COMBINATIONS[name].split("+")), 3)

    def test_what_a_build_says_of_itself(self) -> None:
        said = [update_tradeoffs.config(name) for name in update_tradeoffs.SPACINGS.values()]
        whole = "+".join(SWITCHES)
        self.assertEqual(said, [whole, whole, whole, f"{whole}+table=129", f"{whole}+table=65"])
        self.assertEqual(update_tradeoffs.config("p0_p2"), "p0+p2")


if __name__ == "__main__":
    unittest.main()
