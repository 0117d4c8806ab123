# SPDX-License-Identifier: MIT
"""Searches the model of the slab protocol, slab_state.pml, exhaustively, and its mutants until each is found.

    slab_state_test                 the test
    slab_state_test wide            the same with more threads, blocks and slabs, without mutants: minutes
    slab_state_test trace [-D...]   the shortest way to an error under these definitions, step by step
"""

import re
import sys
import tempfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.model import spin  # noqa: E402

MODEL = "slab_state.pml"
FILES = [MODEL, "slab_free_steps.pml", "slab_memory.pml", "slab_owner_steps.pml", "slab_thread.pml"]

# What each adds to the others: slabs that move between lists; FULL slabs with a free block; threads that claim
# what others detached.
CONFIGURATIONS = {
    "lists": ["BLOCKS=3", "LEVEL_2_COUNT=2"],
    "full": ["BLOCKS=3", "LEVEL_1_COUNT=2"],
    "owners": ["OWNERS=2", "FREERS=1"],
}

# Owners of two slabs, and lists of two; all of the above at once; more threads; more blocks.
WIDE_CONFIGURATIONS = {
    "descriptors": ["DESCRIPTORS=2", "FREERS=1"],
    "owners, lists": ["OWNERS=2", "FREERS=1", "BLOCKS=3", "LEVEL_2_COUNT=2"],
    "four threads": ["OWNERS=2", "FREERS=2"],
    "four blocks": ["BLOCKS=4", "LEVEL_1_COUNT=2", "LEVEL_2_COUNT=3"],
}

# The assertions that a mutant may violate, as pan spells them.
GIVEN_BACK_IN_USE = r"slabs\[slab\]\.out==0"
EMPTY_AT_WRONG_COUNT = r"slabs\[slab\]\.control>>4\)==\d"
FREE_WHILE_OUT = r"slabs\[slab\]\.out&\(slabs\[slab\]\.free_bits\|slabs\[slab\]\.remote_bits"
TOUCHED_BY_ANOTHER = r"slabs\[slab\]\.holder==_pid"
LISTED_WRONG = r"slabs\[0\]\.list==class\)!="
LEFT_BEHIND = r"slabs\[i\]\.control=="

# Each with the harm that it does, and a configuration in which it does it; [] is the smallest.
MUTANTS: dict[str, tuple[str, list[str]]] = {
    "CLAIM_KEEPS_COUNT": (EMPTY_AT_WRONG_COUNT, []),
    "COUNT_BEFORE_BITS": (GIVEN_BACK_IN_USE, []),
    "DETACH_BY_STORE": (LEFT_BEHIND, []),
    "DETACH_KEEPS_OWNER": (TOUCHED_BY_ANOTHER, []),
    "DETACH_WITHOUT_RECHECK": (LEFT_BEHIND, []),
    "DRAIN_SUBTRACTS_WHAT_IT_READ": (EMPTY_AT_WRONG_COUNT, []),
    "EMPTY_FROM_BITS": (GIVEN_BACK_IN_USE, []),
    "LEVEL_FROM_EARLIER_LOAD": (LEFT_BEHIND, ["BLOCKS=3"]),
    "PARTIAL_BY_STORE": (LEFT_BEHIND, []),
    "RELIST_IGNORES_CLASS": (LISTED_WRONG, []),
    "RELIST_IGNORES_STATE": (GIVEN_BACK_IN_USE, []),
    "RELIST_LOADS_BEFORE_LOCK": (GIVEN_BACK_IN_USE, []),
    "SPAN_FREED_BEFORE_BITS_CLEAR": (FREE_WHILE_OUT, []),
}

MEGABYTES_OF_EACH = 490
MEGABYTES_OF_EACH_WIDE = 1500


def search(definitions: list[str], options: list[str]) -> str:
    return spin.search(MODEL, definitions, options)


def search_mutant(name: str) -> str:
    """pan's report on the states up to the first error. It comes soon: neither speed nor a large table pays."""
    # Without the equations: what is found is the harm done, not the bookkeeping.
    return spin.search(MODEL, MUTANTS[name][1] + ["MUTANT_" + name, "UNCHECKED_EQUATIONS"], ["-O0"], ["-w18"])


def trace(definitions: list[str]) -> str:
    """A shortest execution that ends in an error: each thread's steps, and what they change."""
    with tempfile.TemporaryDirectory() as directory:
        spin.build_pan(MODEL, definitions, ["-O1", "-DBFS"], directory)
        report = spin.run(["./pan"], directory).stdout
        if "errors: 0" in report:
            return report
        replay = spin.spin(MODEL, definitions, ["-k", MODEL + ".trail", "-p"], directory).stdout
    step = re.compile(r"^\s*\d+:\tproc +(\d+) \(thread:1\) \S*?(\w+\.pml:\d+) \(state \d+\)\t\[(.*)\]$", re.MULTILINE)
    lines = [
        "thread %s  %-28s %s" % found
        for found in step.findall(replay)
        if re.match(r"\(*step==|(slabs|class_lock).* = |batch = |control = slabs", found[2])
    ]
    return "\n".join(lines + re.findall(r"^spin: .*", replay, re.MULTILINE))


class ProtocolTest(unittest.TestCase):
    reports: dict[str, str]

    configurations = CONFIGURATIONS
    # -O2 would take longer to compile than it saves here.
    options = ["-O1", "-DMEMLIM=%d" % MEGABYTES_OF_EACH]

    @classmethod
    def setUpClass(cls) -> None:
        cls.reports = spin.search_each(cls.configurations, lambda name: search(cls.configurations[name], cls.options))

    def test_ProtocolHoldsInEveryReachableState(self) -> None:
        for name, report in self.reports.items():
            with self.subTest(name):
                self.assertIn("errors: 0\n", report)

    def test_SearchIsComplete(self) -> None:
        for name, report in self.reports.items():
            with self.subTest(name):
                self.assertTrue(spin.is_complete(report), report)

    def test_EveryStatementOfTheModelIsReached(self) -> None:
        for name, report in self.reports.items():
            with self.subTest(name):
                self.assertRegex(report, r"unreached in proctype thread")
        self.assertEqual(set.intersection(*map(spin.unreached, self.reports.values())), set())


class WideProtocolTest(ProtocolTest):
    configurations = WIDE_CONFIGURATIONS
    options = ["-O2", "-DCOLLAPSE", "-DMEMLIM=%d" % MEGABYTES_OF_EACH_WIDE]


class MutantTest(unittest.TestCase):
    def test_EveryMutantIsFoundByTheHarmItDoes(self) -> None:
        for name, report in spin.search_each(MUTANTS, search_mutant).items():
            with self.subTest(name):
                self.assertRegex(report, r"errors: [1-9]")
                self.assertRegex(report, r"assertion violated .*" + MUTANTS[name][0])

    def test_EveryMutantOfTheModelIsTried(self) -> None:
        self.assertEqual(spin.mutants_of(FILES), set(MUTANTS))


if __name__ == "__main__":
    if sys.argv[1:2] == ["trace"]:
        print(trace([argument[2:] for argument in sys.argv[2:]]))
    elif sys.argv[1:] == ["wide"]:
        unittest.main(argv=sys.argv[:1], defaultTest="WideProtocolTest")
    else:
        unittest.main(defaultTest=["ProtocolTest", "MutantTest"])
