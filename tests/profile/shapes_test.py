# SPDX-License-Identifier: MIT
"""Leaks of the shapes that C++ programs have: each is named by its function and line, and counted."""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Any

from tests.profile.running import RunningCase
from tests.profile.shape_list import SHAPES

_PROGRAM = Path("tests/profile/shapes").resolve()
_PLUGIN = Path("tests/profile/libshape_plugin.so").resolve()
_SOURCES = ("shapes.cc", "shapes_library.cc")


_LINES = {
    found[1]: number
    for name in _SOURCES
    for number, line in enumerate(Path("tests/profile", name).read_text(encoding="utf-8").splitlines(), 1)
    if (found := re.search(r"/\* line: (\w+) \*/", line))
}


def _named(frame: dict[str, Any], pattern: str) -> bool:
    """Whether it is a function of the program's own sources: names of templates have those of others within."""
    own = frame["file"] is not None and Path(frame["file"]).name in _SOURCES
    return own and re.fullmatch(rf"(.*\W)?{re.escape(pattern)}(\W.*)?", frame["function"] or "") is not None


class ShapesTest(RunningCase):
    def paths(self) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """Each row, and its functions."""
        pid = self.start_waiting(_PROGRAM, str(_PLUGIN), HAKMEM_LEAKS="1")
        return [(site, [site, *site["callers"]]) for site in self.sites(pid, "--depth=100", "--most=1000")]

    def test_each_is_named_with_its_line_and_counted(self) -> None:
        paths = self.paths()
        for shape in SHAPES:
            with self.subTest(shape.function):
                found = [(site, frames) for site, frames in paths if any(_named(one, shape.function) for one in frames)]
                for _, frames in found:
                    place = next(place for place, one in enumerate(frames) if _named(one, shape.function))
                    line = _LINES.get(shape.function.partition("<")[0].rpartition(":")[2])
                    self.assertIn(frames[place]["line"], {line} if line else _LINES.values())
                    outer = [one["function"] or "" for one in frames[place + 1 :]]
                    self.assertTrue(any(re.search(rf"\b{shape.caller}\b", name) for name in outer), outer)
                self.assertEqual(sum(site["blocks"] for site, _ in found), shape.blocks)
                self.assertGreaterEqual(sum(site["bytes"] for site, _ in found), shape.least_bytes)

    def test_what_a_cache_holds_is_below_what_fills_it(self) -> None:
        held = [
            site["bytes"]
            for site, frames in self.paths()
            if any(_named(one, "cache_grows") and one["line"] == _LINES["cache_grows"] for one in frames)
        ]
        self.assertGreaterEqual(sum(held), 20 * 777)


if __name__ == "__main__":
    unittest.main()
