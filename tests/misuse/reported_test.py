# SPDX-License-Identifier: MIT
"""From a wrong call to functions and lines: a program's own report, put before `hakmem explain`."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

SMALL, LARGE, HUGE = 64, 100_000, 5_000_000

_SOURCE = Path("tests/misuse/reported.c")

parsed: argparse.Namespace


def line_of(function: str, call: str) -> int:
    """Where `function` makes that call."""
    lines = _SOURCE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if re.search(rf"\b{function}\(.*\) {{$", line))
    return next(number for number in range(start, len(lines)) if f"{call}(" in lines[number]) + 1


class Reported(unittest.TestCase):
    def sites(self, library: str, case: str, size: int, **variables: str) -> dict[str, tuple[str, int]]:
        """What a report says of each call: "called", "allocated", "freed before" -> function and line."""
        environment = {"LD_PRELOAD": str(Path(library).absolute()), "PATH": "/usr/bin:/bin", **variables}
        done = subprocess.run(
            [parsed.program, case, str(size)], capture_output=True, text=True, check=False, env=environment
        )
        self.assertLess(done.returncode, 0, "not caught")
        self.assertTrue(done.stderr.startswith("hakmem: free("), done.stderr)
        said = subprocess.run(
            [parsed.command, "explain", "--format=json", "-"],
            input=done.stderr,
            capture_output=True,
            text=True,
            check=True,
        )
        found = {}
        for one in json.loads(said.stdout):
            what = re.match(r"hakmem:   (called|allocated|freed before) from ", one["text"])
            if what:
                self.assertEqual(Path(one["file"] or "").name, _SOURCE.name, one)
                found[what[1]] = (one["function"], one["line"])
        return found

    def test_the_wrong_call(self) -> None:
        again = ("release_again", line_of("release_again", "free"))
        for size in (SMALL, LARGE, HUGE):
            for library in (parsed.guard, parsed.full):
                with self.subTest(size=size, library=library):
                    self.assertEqual(self.sites(library, "twice", size), {"called": again})

    def test_an_overflow_is_named_by_the_free_that_finds_it(self) -> None:
        first = ("release_first", line_of("release_first", "free"))
        self.assertEqual(self.sites(parsed.full, "over", SMALL), {"called": first})

    def test_with_every_block_sampled_all_three_calls(self) -> None:
        for size in (SMALL, LARGE, HUGE):
            for variables in ({"HAKMEM_LEAKS": "1"}, {"HAKMEM_PROFILE": "/dev/null", "HAKMEM_PROFILE_RATE": "1"}):
                with self.subTest(size=size, variables=variables):
                    self.assertEqual(
                        self.sites(parsed.guard, "twice", size, **variables),
                        {
                            "called": ("release_again", line_of("release_again", "free")),
                            "allocated": ("make", line_of("make", "malloc")),
                            "freed before": ("release_first", line_of("release_first", "free")),
                        },
                    )

    def test_what_realloc_freed(self) -> None:
        for size in (SMALL, LARGE):
            with self.subTest(size=size):
                self.assertEqual(
                    self.sites(parsed.guard, "after_realloc", size, HAKMEM_LEAKS="1"),
                    {
                        "called": ("release_again", line_of("release_again", "free")),
                        "allocated": ("make", line_of("make", "malloc")),
                        "freed before": ("make_larger", line_of("make_larger", "realloc")),
                    },
                )

    def test_of_a_live_block_its_allocation(self) -> None:
        for size in (SMALL, LARGE, HUGE):
            with self.subTest(size=size):
                self.assertEqual(
                    self.sites(parsed.guard, "inside", size, HAKMEM_LEAKS="1"),
                    {
                        "called": ("release_inside", line_of("release_inside", "free")),
                        "allocated": ("make", line_of("make", "malloc")),
                    },
                )

    def test_no_site_of_an_earlier_life_where_blocks_are_passed_over(self) -> None:
        # A rate at which a block of this size is as good as surely sampled, and yet not every block.
        self.assertEqual(
            set(self.sites(parsed.guard, "twice", HUGE, HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE="2")),
            {"called"},
        )

    def test_as_text(self) -> None:
        done = subprocess.run(
            [parsed.program, "twice", "64"],
            capture_output=True,
            check=False,
            env={"LD_PRELOAD": str(Path(parsed.guard).absolute())},
        )
        said = subprocess.run([parsed.command, "explain", "-"], input=done.stderr, capture_output=True, check=True)
        report, explained = done.stderr.decode().splitlines(), said.stdout.decode().splitlines()
        self.assertEqual([line for line in explained if not line.startswith("    ")], report)
        self.assertRegex(explained[-1], rf"^    release_again at .*reported\.c:{line_of('release_again', 'free')}$")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--program", "--command", "--guard", "--full"):
        parser.add_argument(name, required=True)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
