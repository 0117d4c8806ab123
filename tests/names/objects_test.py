# SPDX-License-Identifier: MIT
"""No object that a program links with hakmem has a global name that is neither hakmem's, nor one that it has to define.

objects_test.py LIST ARCHIVE...: hakmem's names begin with hak_; LIST has those of libc and of C++ that it takes the place of.
"""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

_OWN_PREFIX = "hak_"
# What each form has, besides much else: where it is missing, the wrong archives were read.
_LANDMARK = "hak_alloc"
# Weak, and the same in every object of C++ with a try: the compiler's own.
_OF_THE_COMPILER = {"DW.ref.__gxx_personality_v0"}


def global_names(archives: list[str]) -> dict[str, set[str]]:
    """For each archive its global names."""
    command = ["nm", "--print-file-name", "--extern-only", "--defined-only", "--format=posix", *archives]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found: dict[str, set[str]] = {archive: set() for archive in archives}
    for line in lines:  # ARCHIVE[MEMBER]: NAME TYPE VALUE SIZE
        place, name = line.split()[:2]
        found[place.partition("[")[0]].add(name)
    return found


class Objects(unittest.TestCase):
    def test_global_names_are_hakmems_or_those_that_it_replaces(self) -> None:
        allowed = set(Path(LIST).read_text(encoding="ascii").split()) | _OF_THE_COMPILER
        found = global_names(ARCHIVES)
        self.assertIn(_LANDMARK, set().union(*found.values()))
        for archive, names in found.items():
            with self.subTest(archive):
                others = {name for name in names if not name.startswith(_OWN_PREFIX)} - allowed
                self.assertEqual(sorted(others), [])


if __name__ == "__main__":
    LIST, *ARCHIVES = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
