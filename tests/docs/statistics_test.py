# SPDX-License-Identifier: MIT
"""docs/statistics.md has every figure that the library writes and the screen shows, and no other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

from tests.docs import documents
from tools.cli import export, exposition, figures

_PAGE = "docs/statistics.md"
_METRIC = re.compile(r"^# TYPE (hakmem_\w+) ", re.MULTILINE)
_WORDS = {"exact", "always", "bound", ""}


def _written(form: str) -> str:
    """What a small program under the library says of itself when it ends."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HAKMEM_")}
    environment = {**kept, "LD_PRELOAD": os.path.abspath(LIBRARY), "HAKMEM_STATS": form}
    return subprocess.run(["/bin/ls", "/"], env=environment, capture_output=True, text=True, check=True).stderr


class Page(unittest.TestCase):
    def setUp(self) -> None:
        self.text = (documents.checkout() / _PAGE).read_text(encoding="utf-8")
        self.found: dict[str, Any] = json.loads(_written("json"))

    def _rows(self, title: str) -> list[list[str]]:
        return documents.table_rows(documents.section(self.text, title))

    def _fields(self, title: str) -> set[str]:
        return {cells[0].strip("`") for cells in self._rows(title)}

    def test_every_field_of_the_json_is_explained_and_no_other(self) -> None:
        self.assertEqual(set(self.found), self._fields("The whole object"))
        self.assertEqual(set(self.found["process"]), self._fields("The process"))
        blocks = set(self.found["pools"]["tiny"]) | set(self.found["classes"][0])
        self.assertEqual(blocks, self._fields("A pool, a class"))
        self.assertEqual(set(self.found["threads"][0]), self._fields("A thread"))

    def test_every_metric_of_prometheus_is_explained_and_no_other(self) -> None:
        named = set(re.findall(r"`(hakmem_\w+)`", self.text))
        written = _written("prometheus")
        self.assertEqual(set(_METRIC.findall(written)), named)
        labels = {label for group in re.findall(r"{(.*?)}", written) for label in re.findall(r"(\w+)=", group)}
        self.assertEqual(labels, set(re.findall(r"label `(\w+)`", self.text)))

    def test_every_metric_and_label_of_the_exporter_is_explained_and_no_other(self) -> None:
        exported = exposition.Exposition()
        with mock.patch("tools.cli.published.read", return_value=self.found):
            export.add(exported, os.getpid(), with_threads=True)
        ours = set(_METRIC.findall(exported.text() + export.text(False))) - set(_METRIC.findall(_written("prometheus")))
        text = (documents.checkout() / "docs/observe.md").read_text(encoding="utf-8")
        rows = documents.table_rows(documents.section(text, "To Prometheus"))
        named = {cells[0].strip("`"): cells for cells in rows}
        self.assertEqual(ours | set(export.labels_of(os.getpid())), set(named))
        for name in ours:
            self.assertEqual(named[name][1], "counter" if name.endswith("_total") else "gauge")

    def test_every_row_says_how_exact_it_is(self) -> None:
        for title in ("The whole object", "The process", "A pool, a class", "A thread"):
            for cells in self._rows(title):
                with self.subTest(field=cells[0]):
                    self.assertEqual(5, len(cells))
                    self.assertIn(cells[4], _WORDS)
                    self.assertNotEqual("", cells[3])

    def test_every_column_of_the_text_is_named_and_no_other(self) -> None:
        heads = "".join(line for line in _written("text").splitlines() if re.match(r"  pool |thread", line))
        (row,) = [cells for cells in self._rows("What each figure means") if cells[0] == "text"]
        own = dict(re.findall(r"`([\w ]+)` is `(\w+)`", row[2]))
        fields = {*self.found["classes"][0], *self.found["threads"][0]}
        self.assertLessEqual(set(own.values()), fields)
        for name in own:
            self.assertIn(name, heads)
        left = heads
        for name in sorted([*own, *(field.replace("_", " ") for field in fields)], key=len, reverse=True):
            left = left.replace(name, "")
        self.assertEqual(left.strip(), "")

    def test_every_rate_of_top_is_named_and_no_other(self) -> None:
        found = figures.rates({**self.found, "clock_ms": self.found["clock_ms"] - 1000}, self.found)
        named = re.search(r"with `rates` besides: (.*?) a second", self.text, re.DOTALL)
        assert named is not None
        self.assertEqual(set(re.findall(r"`(\w+)`", named[1])), set(found))

    def test_every_column_of_the_screen_is_explained_and_no_other(self) -> None:
        before = {**self.found, "clock_ms": self.found["clock_ms"] - 1000}
        history = figures.history_of(before, resident=1)
        for reading in ({**before, "clock_ms": before["clock_ms"] + 500}, self.found):
            history.add(reading, 1)
        shown = {
            (re.split("[,:]", grid.title)[0], column)
            for grid in figures.grids(history)
            for column in grid.columns
            if column
        }
        named = {(cells[0], cells[1]) for cells in self._rows("The screen of top and stat")}
        self.assertEqual(shown, named)


if __name__ == "__main__":
    LIBRARY = sys.argv.pop(1)
    unittest.main()
