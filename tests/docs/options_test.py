# SPDX-License-Identifier: MIT
"""The options that documents name are those that HAKMEM_HELP=1 lists, and docs/operate.md names all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unittest

from tests.docs import documents

_LISTED = re.compile(r"^hakmem: option: (HAKMEM_[A-Z_]+) \((.*)\): ", re.MULTILINE)
_NAMED = re.compile(r"\bHAKMEM_[A-Z_]+\b")
_OPERATE = "docs/operate.md"

# Of CMake, by its own list of them.
_CMAKE = "CMakeLists.txt"
_OF_CMAKE = re.compile(r"^(?:option\((HAKMEM_[A-Z_]+)|set\((HAKMEM_[A-Z_]+) \w+ CACHE)", re.MULTILINE)

# Of builds that learn, which are none of the library that is asked.
_LEARNS = "hakmem/ladder/learn.c"
_OF_LEARNING = re.compile(r'\{"(HAKMEM_[A-Z_]+)",')

# Names of the build, which begin alike and are no options.
_OF_THE_BUILD = {"HAKMEM_VERSION", "HAKMEM_SONAME", "HAKMEM_MAINTAINER", "HAKMEM_RELEASE_DATE"}


def _options(library: str) -> dict[str, str]:
    """Each option that the library knows, with its allowed values and its default."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HAKMEM_")}
    environment = {**kept, "LD_PRELOAD": os.path.abspath(library), "HAKMEM_HELP": "1"}
    done = subprocess.run(["/bin/true"], env=environment, capture_output=True, text=True, check=True)
    return dict(_LISTED.findall(done.stderr))


class Options(unittest.TestCase):
    def setUp(self) -> None:
        self.known = _options(LIBRARY)
        self.documents = documents.documents(documents.checkout())
        self.assertGreater(len(self.known), 5)

    def test_every_option_that_a_document_names_exists(self) -> None:
        cmake = (documents.checkout() / _CMAKE).read_text(encoding="utf-8")
        learns = _OF_LEARNING.findall((documents.checkout() / _LEARNS).read_text(encoding="utf-8"))
        self.assertEqual(2, len(learns))
        known = {*self.known, *_OF_THE_BUILD, *learns, *(name for found in _OF_CMAKE.findall(cmake) for name in found)}
        for name, text in self.documents.items():
            if not documents.is_history(name):
                with self.subTest(document=name):
                    self.assertEqual(set(), set(_NAMED.findall(text)) - known)

    def test_the_operators_table_has_every_option_with_its_default(self) -> None:
        rows = documents.table_rows(documents.section(self.documents[_OPERATE], "All options"))
        defaults = {cells[0].strip("`"): cells[1].strip("`") for cells in rows}
        wanted = {name: allowed.rpartition("default ")[2] for name, allowed in self.known.items()}
        wanted["HAKMEM_GUARD"] = "all"  # of the build that has a choice
        self.assertEqual(wanted, defaults)


if __name__ == "__main__":
    LIBRARY = sys.argv.pop(1)
    unittest.main()
