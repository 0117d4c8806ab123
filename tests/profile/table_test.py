# SPDX-License-Identifier: MIT
"""The table of planted leaks: reports of each form are read rightly, and the document has a row for each leak."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

from tests.profile import peers, table
from tests.profile.peers import Run
from tests.profile.shape_list import SHAPES, Shape

_SHAPE = Shape("templated<long>", 1, 800)

_VALGRIND = """\
==7== 800 bytes in 1 blocks are definitely lost in loss record 1 of 2
==7==    at 0x48: operator new(unsigned long) (in /usr/libexec/valgrind/vgpreload_memcheck.so)
==7==    by 0x10: void shapes::templated<long>() (shapes.cc:43)
==7==    by 0x11: shapes::make_all(char const*) (shapes.cc:207)
==7==
==7== 9 bytes in 1 blocks are still reachable in loss record 2 of 2
==7==    at 0x48: malloc (in /usr/libexec/valgrind/vgpreload_memcheck.so)
==7==    by 0x10: other() (shapes.cc:1)
"""

_SANITIZER = """\
Direct leak of 800 byte(s) in 1 object(s) allocated from:
    #0 0x7f in operator new(unsigned long) ../lsan_interceptors.cpp:248
    #1 0x7f  (/lib/libstdc++.so.6+0xd44a2)
    #2 0x55 in void shapes::templated<long>() tests/profile/shapes.cc:43

Direct leak of 9 byte(s) in 1 object(s) allocated from:
    #0 0x7f in malloc ../lsan_interceptors.cpp:75
"""


class ReadTest(unittest.TestCase):
    def test_folded(self) -> None:
        found = peers.folded("main;make_all;f(int, long) 4096\nmain;g 0\n")
        self.assertEqual(found, [["f(int, long)", "make_all", "main"]])

    def test_valgrind(self) -> None:
        first, second = [path for path in peers.reported(_VALGRIND, peers.VALGRIND_FRAME) if path]
        self.assertEqual(first[1:], ["void shapes::templated<long>()", "shapes::make_all(char const*)"])
        self.assertEqual(second, ["malloc", "other()"])

    def test_sanitizer(self) -> None:
        first, second = [path for path in peers.reported(_SANITIZER, peers.SANITIZER_FRAME) if path]
        self.assertEqual(first, ["operator new(unsigned long)", "?", "void shapes::templated<long>()"])
        self.assertEqual(second, ["malloc"])


class NamedTest(unittest.TestCase):
    def test_function_and_caller_are_on_one_path(self) -> None:
        inner, outer = "void shapes::templated<long>()", "shapes::make_all(char const*)"
        self.assertTrue(peers.is_named(_SHAPE, [["new", inner, outer, "main"]]))
        self.assertTrue(peers.is_named(_SHAPE, [["shapes::templated", "shapes::make_all"]]))
        misses: list[list[list[str]]] = [
            [],
            [[inner]],
            [[outer, inner]],
            [[inner], [outer]],
            [["shapes::untemplated<long>()", outer]],
            [[inner, "make_all_else"]],
        ]
        for paths in misses:
            with self.subTest(paths=paths):
                self.assertFalse(peers.is_named(_SHAPE, paths))


class DocumentTest(unittest.TestCase):
    def setUp(self) -> None:
        self.document = Path(DOCUMENT).read_text(encoding="utf-8")

    def test_has_a_row_for_each_leak_and_a_column_for_each_tool(self) -> None:
        rows = [line.strip("| ").split(" | ") for line in self.document.splitlines() if line.startswith("| ")]
        (head,) = [row for row in rows if row[0] == "leak"]
        self.assertEqual(head[3:], list(peers.TOOLS))
        named = {row[0]: row for row in rows if re.fullmatch(r"yes|no", row[-1])}
        self.assertEqual(list(named), [f"`{shape.function}`" for shape in SHAPES])
        every = head.index("hakmem, every block")
        self.assertEqual({row[every] for row in named.values()}, {"yes"})

    def test_only_the_table_is_replaced(self) -> None:
        text = table.table(Run([], 2, 1 << 20), {"tool": Run([["f", "g"]], 3, 2 << 20)})
        self.assertIn("| processor time by glibc's |  |  | 1.5 |", text)
        self.assertIn("| peak memory; glibc 1.0 MiB |  |  | 2.0 MiB |", text)
        changed = table.replaced(self.document, text)
        self.assertEqual(changed.split("<!--")[0], self.document.split("<!--")[0])
        self.assertEqual(changed.split("-->")[-1], self.document.split("-->")[-1])
        self.assertEqual(table.replaced(changed, text), changed)
        with self.assertRaisesRegex(ValueError, "has no place for the table"):
            table.replaced("no marks", text)


if __name__ == "__main__":
    DOCUMENT = sys.argv.pop(1)
    unittest.main()
