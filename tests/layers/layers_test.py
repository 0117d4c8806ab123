# SPDX-License-Identifier: MIT
"""Whether hakmem's folders include only what stands below them in the table of hakmem/README.md.

The table lists the folders in the order of a call. An include may lead to a folder in a later row; so no two folders include
each other, not even by way of others, and folders that share a row know nothing of each other.
"""

import pathlib
import re
import tempfile
import unittest

HAKMEM = pathlib.Path("hakmem")
PUBLIC = "include"
"""The public header's folder: everybody may include it, and it includes nothing of ours."""

CIRCLES = {"front", "guard", "region", "slab"}
"""Folders of which some files include each other; the files of all others stand in an order."""


def rows(readme: str) -> list[list[str]]:
    """The folders of each row, from the first column: "| `tiny/` `l2/` | ..."."""
    found = re.findall(r"^\| ((?:`[a-z_0-9/]+/` ?)+)\|", readme, re.MULTILINE)
    return [re.findall(r"`([a-z_0-9]+)/", row) for row in found]


def includes(file: pathlib.Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', file.read_text(encoding="utf-8"), re.MULTILINE)


def faults(table: list[list[str]], files: list[pathlib.Path]) -> list[str]:
    """A line for each include that leads up, aside or out of hakmem, and for each folder that the table has not once."""
    names = [folder for row in table for folder in row if folder != PUBLIC]
    rank = {folder: number for number, row in enumerate(table) for folder in row}
    said = [
        f"{folder}/ is in the table {names.count(folder)} times" for folder in set(names) if names.count(folder) > 1
    ]
    folders = {file.relative_to(HAKMEM).parts[0] for file in files} - {PUBLIC}
    said += [f"{folder}/ is not in the table" for folder in sorted(folders - set(names))]
    said += [f"{folder}/ is in the table, and there is no such folder" for folder in sorted(set(names) - folders)]
    for file in files:
        own = file.relative_to(HAKMEM).parts[0]
        for include in includes(file):
            parts = include.split("/")
            if parts[0] in ("bench", "tests", "tools"):
                said.append(f"{file} includes {include}, which does not ship")
            if parts[0] != "hakmem" or len(parts) < 3:
                continue
            if own == PUBLIC or (parts[1] != own and rank.get(parts[1], -1) <= rank.get(own, len(table))):
                said.append(f"{file} includes {include}, which is not below {own}/")
    return sorted(said)


def circles(files: list[pathlib.Path]) -> list[str]:
    """The modules that include themselves by way of others of their folder. A module is the source and the header of a name."""
    below: dict[str, set[str]] = {}
    for file in files:
        module = str(file.with_suffix(""))
        here = {
            include.rsplit(".", 1)[0] for include in includes(file) if str(file.parent) == include.rpartition("/")[0]
        }
        below.setdefault(module, set()).update(here - {module})
    while True:
        further = {
            module: set().union(reached, *(below.get(one, set()) for one in reached))
            for module, reached in below.items()
        }
        if further == below:
            return sorted(module for module, reached in below.items() if module in reached)
        below = further


class LayersTest(unittest.TestCase):
    def setUp(self) -> None:
        self.table = rows((HAKMEM / "README.md").read_text(encoding="utf-8"))
        self.files = sorted(file for file in HAKMEM.rglob("*") if file.suffix in (".c", ".h", ".cc"))

    def test_every_include_leads_down(self) -> None:
        self.assertGreater(len(self.table), 10)
        self.assertGreater(len(self.files), 100)
        self.assertEqual(faults(self.table, self.files), [])

    def test_an_arrow_up_a_folder_aside_and_one_not_in_the_table_are_found(self) -> None:
        upside_down = faults(list(reversed(self.table)), self.files)
        self.assertIn("hakmem/process/begin.c includes hakmem/os/os.h, which is not below process/", upside_down)
        in_one_row = faults([[folder for row in self.table for folder in row]], self.files)
        self.assertIn("hakmem/process/begin.c includes hakmem/os/os.h, which is not below process/", in_one_row)
        without = faults([row for row in self.table if row != ["os"]], self.files)
        self.assertIn("os/ is not in the table", without)
        self.assertIn("front/ is in the table 2 times", faults(self.table + [["front"]], self.files))
        self.assertIn(
            "attic/ is in the table, and there is no such folder", faults(self.table + [["attic"]], self.files)
        )

    def test_no_file_includes_itself_by_way_of_others(self) -> None:
        in_circles = {module.split("/")[1] for module in circles(self.files)}
        self.assertEqual(in_circles - CIRCLES, set())

    def test_a_circle_is_found(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for source, included in {
                "one.h": "two.h",
                "two.c": "three.h",
                "three.h": "one.h",
                "four.h": "one.h",
            }.items():
                (folder / source).write_text(f'#include "{folder}/{included}"\n', encoding="utf-8")
            found = circles(sorted(folder.iterdir()))
        self.assertEqual(found, [str(folder / module) for module in ("one", "three", "two")])


if __name__ == "__main__":
    unittest.main()
