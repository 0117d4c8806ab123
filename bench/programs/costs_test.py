# SPDX-License-Identifier: MIT
"""costs: what is counted of a program of two processes, and what the command refuses."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from collections import Counter
from pathlib import Path

from bench.programs import costs, entrants
from bench.programs.workloads import allocator, runner
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Outcome, Workload
from tools.measure.contender import Contender

_PROGRAM = str(Path(__file__).parent / "costs")

_BLOCKS = 10_000

# The parent makes _BLOCKS strings, then a child of fork as many as it is told. Each is two blocks at least.
_SCRIPT = f"""
my @all = map {{ "x" x 100 . $_ }} 1 .. {_BLOCKS};
my $child = fork;
push @all, map {{ "y" x 100 . $_ }} 1 .. $ARGV[0] unless $child;
exit unless $child;
waitpid $child, 0;
print "done\\n";
"""


class _TwoProcesses(Workload):
    name = "two_processes"
    task = "makes strings in two processes"
    needs = ()
    programs = ("perl",)

    def __init__(self, child_blocks: int) -> None:
        self._child_blocks = child_blocks

    def run(self, session: Session) -> Outcome:
        return Outcome({"said": session.run("/usr/bin/perl", "-e", _SCRIPT, str(self._child_blocks)).stdout})


def _counted(child_blocks: int, peers: list[str]) -> dict[str, costs.Cost]:
    with runner.scratch_folder() as scratch:
        public = allocator.public_folder(scratch / "public")
        counting = costs.Counting(_TwoProcesses(child_blocks), allocator.tools(public), scratch / "program", 1)
        return {contender.name: counting.cost(contender) for contender in entrants.contenders(peers, {}, public)}


class CountsTest(unittest.TestCase):
    found: dict[str, costs.Cost]

    @classmethod
    def setUpClass(cls) -> None:
        cls.found = _counted(_BLOCKS, ["glibc"])

    def test_the_allocator_that_is_preloaded_is_counted(self) -> None:
        for name, cost in self.found.items():
            functions = cost.of_allocator()
            self.assertGreater(functions["malloc"], 2 * _BLOCKS * 5, name)
            self.assertGreater(cost.figures()["instructions"], functions.total(), name)
        self.assertIn("hak_pool_alloc_slow", " ".join(self.found["hakmem"].of_allocator()))
        self.assertFalse([name for name in self.found["glibc"].of_allocator() if name.startswith("hak_")])

    def test_both_processes_are_counted_once(self) -> None:
        found, idle = self.found["hakmem"], _counted(0, [])["hakmem"]
        self.assertEqual((found.calls["execve"], found.calls["clone"], found.calls["wait4"]), (1, 1, 1))
        # If a child of fork counted its parent's instructions again, this would be 1.5.
        ratio = found.of_allocator()["malloc"] / idle.of_allocator()["malloc"]
        self.assertGreater(ratio, 1.7)
        self.assertLess(ratio, 2.2)

    def test_pages_and_misses(self) -> None:
        for name, cost in self.found.items():
            figures = cost.figures()
            pages = 2 * _BLOCKS * 100 // os.sysconf("SC_PAGE_SIZE")
            self.assertGreater(figures["page_faults"], pages, name)
            self.assertLess(figures["page_faults"], 20 * pages, name)
            self.assertGreater(figures["first_level_misses"], figures["last_level_misses"], name)
            self.assertGreater(figures["last_level_misses"], 0, name)

    def test_functions_are_the_files_that_they_lie_in(self) -> None:
        contender = Contender("other", library=Path("/usr/lib/liba.so"))
        cost = costs.Cost(
            contender,
            0,
            Counter(),
            Counter(Ir=7),
            Counter({("/usr/lib/liba.so", "malloc"): 4, ("/usr/bin/p", "malloc"): 3}),
        )
        self.assertEqual(cost.of_allocator(), {"malloc": 4})


class CommandTest(unittest.TestCase):
    def refuse(self, arguments: list[str], status: int, *parts: str) -> None:
        done = subprocess.run([_PROGRAM, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (status, ""))
        self.assertNotIn("Traceback", done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_wrong_arguments(self) -> None:
        self.refuse([], 2, "usage: costs", "--programs")
        self.refuse(["--programs=perll"], 2, "'perll' is no program", "perl")
        self.refuse(["--programs=lua", "--peers=hoard"], 2, "'hoard' is no peer", "tcmalloc")
        self.refuse(["--programs=stress_ng", "--peers=guard-full"], 2, "stress_ng does not run under guard-full")
        self.refuse(["--programs=lua", "--json=/no/such/folder/file"], 1, "/no/such/folder/file")

    def test_what_is_written(self) -> None:
        cost = costs.Cost(
            Contender("glibc", library=Path("/lib/libc.so.6"), version="2.36"),
            12,
            Counter(brk=3, mmap=4),
            Counter(Ir=100, D1mr=5, D1mw=6, DLmr=1, DLmw=2),
            Counter({("/lib/libc.so.6", "malloc"): 40}),
        )
        whole = json.loads(json.dumps(costs.as_object({"lua": [cost]}, 9)))
        self.assertEqual(
            whole["programs"]["lua"],
            [
                {
                    "contender": "glibc",
                    "version": "2.36",
                    "instructions": 100,
                    "allocator_instructions": 40,
                    "first_level_misses": 11,
                    "last_level_misses": 3,
                    "page_faults": 12,
                    "system_calls": 7,
                    "calls": {"mmap": 4, "brk": 3},
                    "functions": {"malloc": 40},
                }
            ],
        )
        figures, functions = costs.grids(whole)
        self.assertEqual(figures.columns, ["", "glibc"])
        self.assertIn(["page faults", "12"], figures.lines)
        self.assertEqual(functions.lines, [["malloc", "40"]])


if __name__ == "__main__":
    unittest.main()
