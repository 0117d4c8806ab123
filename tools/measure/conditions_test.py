# SPDX-License-Identifier: MIT
"""What a measured process finds: layout, length of the environment, processors."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tools.measure import conditions
from tools.measure.program import BenchError

# Prints where the stack lies.
_STACK = "print([line for line in open('/proc/self/maps') if '[stack]' in line][0].split('-')[0])"

# Starts a program that prints it, after the layout was made the same for every process.
_FIXED = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).personality(0x0040000)
if {randomise}:
    from tools.measure import conditions
    conditions.randomise_layout()
for _ in range(4):
    subprocess.run([sys.executable, "-c", {stack!r}], check=True)
"""


def _stacks(randomise: bool) -> set[str]:
    script = _FIXED.format(randomise=randomise, stack=_STACK)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.split())


class LayoutTest(unittest.TestCase):
    def test_programs_lie_at_random_places_even_where_they_did_not(self) -> None:
        self.assertEqual(len(_stacks(randomise=False)), 1, "the control: without it all lie at one place")
        self.assertGreater(len(_stacks(randomise=True)), 1)

    def test_a_system_that_lays_out_all_processes_alike_is_refused(self) -> None:
        with tempfile.NamedTemporaryFile("w+") as setting:
            setting.write("0\n")
            setting.flush()
            with (
                mock.patch.object(conditions, "_RANDOMIZE", Path(setting.name)),
                self.assertRaisesRegex(BenchError, "is 0"),
            ):
                conditions.randomise_layout()


class PaddingTest(unittest.TestCase):
    def test_environments_of_all_contenders_are_equally_long(self) -> None:
        environments = [{"LD_PRELOAD": "x" * length, "HOME": "/"} for length in (0, 7, 100)]
        for padding in (0, 1, 4095):
            total = conditions.total_bytes(environments, padding)
            sizes = {conditions.size_bytes(conditions.padded(one, total)) for one in environments}
            self.assertEqual(sizes, {total})
            longest = conditions.padded(environments[-1], total)
            self.assertEqual(len(longest[conditions.PADDING]), padding)

    def test_a_program_gets_as_many_bytes(self) -> None:
        environment = {"PATH": "/usr/bin:/bin", "Ä": "ö"}
        whole = conditions.padded(environment, conditions.total_bytes([environment], 100))
        done = subprocess.run(["/usr/bin/env", "-0"], env=whole, capture_output=True, check=True)
        self.assertEqual(len(done.stdout), conditions.size_bytes(whole))

    def test_what_does_not_fit_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            conditions.padded({"A": "x" * 100}, 50)

    def test_lengths_differ_from_round_to_round_and_come_again_with_the_seed(self) -> None:
        lengths = conditions.paddings(30, seed=1)
        self.assertGreater(len(set(lengths)), 25)
        self.assertTrue(all(0 <= length < conditions.PADDING_BYTES for length in lengths))
        self.assertEqual(lengths, conditions.paddings(30, seed=1))
        self.assertNotEqual(lengths, conditions.paddings(30, seed=2))


class PinnedTest(unittest.TestCase):
    def test_one_thread_gets_one_processor_and_gives_it_back(self) -> None:
        before = conditions.processors()
        with conditions.pinned(1) as held:
            self.assertTrue(held)
            self.assertEqual(conditions.processors(), [before[-1]])
            done = subprocess.run(
                [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"],
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(done.stdout, "1\n")
        self.assertEqual(conditions.processors(), before)

    def test_several_threads_get_all(self) -> None:
        with conditions.pinned(2):
            self.assertEqual(conditions.processors(), conditions.pinned_to(2))

    def test_a_machine_that_does_not_allow_it_is_no_error(self) -> None:
        with (
            mock.patch.object(os, "sched_setaffinity", side_effect=PermissionError(1, "Operation not permitted")),
            mock.patch.object(sys, "stderr"),
            conditions.pinned(1) as held,
        ):
            self.assertFalse(held)


if __name__ == "__main__":
    unittest.main()
