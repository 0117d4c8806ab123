# SPDX-License-Identifier: MIT
"""mallinfo, mallinfo2, malloc_stats, malloc_info, malloc_trim and mallopt against known allocations."""

import errno
import os
import re
import tempfile
import unittest
import xml.etree.ElementTree
from typing import Any
from xml.etree.ElementTree import Element

from tests.preload import preloaded

LIBRARY = "hakmem/preload/libhakmem.so"
FIGURES = "tests/preload/surface/figures"
MALLOPT_RESULTS = "tests/preload/surface/mallopt_results"

# Nothing goes back to the system but where the program says so.
ENVIRONMENT = {"HAKMEM_PURGE_DELAY_MS": "-1"}

Shape = tuple[str, list[str], list[Any]]
"""An element's name, its attributes, and those of its children."""

BLOCKS = {"small": 3000 + 1000 + 200 + 20 + 3, "huge": 4}


class Figures(unittest.TestCase):
    xml: Element
    text: str
    steps: dict[str, dict[str, int]]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            path = os.path.join(folder, "info.xml")
            done = preloaded.run(FIGURES, LIBRARY, arguments=[path], env=ENVIRONMENT)
            assert done.status == 0, done.stderr
            assert not preloaded.bypasses(done), preloaded.bypasses(done)
            cls.xml = xml.etree.ElementTree.parse(path).getroot()
        cls.text = done.stderr
        cls.steps = {}
        for line in done.stdout.splitlines():
            fields = dict(field.split("=") for field in line.split())
            step = fields.pop("step")
            cls.steps[step] = {name: int(value) for name, value in fields.items()}

    def grown(self, name: str, step: str) -> int:
        return self.steps[step][name] - self.steps["start"][name]

    def test_every_step_holds_the_equations(self) -> None:
        self.assertEqual(list(self.steps), ["start", "made", "half", "none", "trimmed", "again", "large"])
        for step, info in self.steps.items():
            with self.subTest(step):
                self.assertEqual(info["arena"], info["uordblks"] + info["fordblks"])
                self.assertGreaterEqual(info["fordblks"], info["fsmblks"] + info["keepcost"])
                self.assertEqual(info["usmblks"], 0)
                self.assertEqual(info["smblks"] == 0, info["fsmblks"] == 0)

    def test_bytes_in_use_are_those_of_the_live_blocks(self) -> None:
        for step in ["made", "half", "none", "trimmed"]:
            with self.subTest(step):
                self.assertEqual(self.grown("uordblks", step), self.steps[step]["usable_small"])
                self.assertEqual(self.grown("hblkhd", step), self.steps[step]["usable_huge"])

    def test_huge_blocks_are_counted(self) -> None:
        self.assertEqual(
            [self.grown("hblks", step) for step in ["made", "half", "none", "large"]],
            [BLOCKS["huge"], BLOCKS["huge"] // 2, 0, 2],
        )

    def test_freed_bytes_are_free_bytes(self) -> None:
        made, half, none = self.steps["made"], self.steps["half"], self.steps["none"]
        self.assertGreater(half["fordblks"], made["fordblks"])
        self.assertGreater(half["ordblks"] + half["smblks"], made["ordblks"] + made["smblks"])
        self.assertGreaterEqual(none["fordblks"], made["usable_small"] + made["usable_huge"])

    def test_trim_gives_back_and_says_so(self) -> None:
        self.assertEqual([self.steps[step]["result"] for step in ["trimmed", "again"]], [1, 0])
        self.assertGreater(self.steps["none"]["keepcost"], 0)
        self.assertEqual(self.steps["trimmed"]["keepcost"], 0)
        self.assertLess(self.steps["trimmed"]["arena"], self.steps["none"]["arena"])

    def test_mallinfo_wraps_around_as_an_int(self) -> None:
        for step, info in self.steps.items():
            for name in ["arena", "hblkhd", "uordblks"]:
                with self.subTest(step=step, name=name):
                    self.assertEqual(info["int_" + name], (info[name] + 2**31) % 2**32 - 2**31)
        self.assertEqual(self.steps["large"]["result"], 1)
        self.assertLess(self.steps["large"]["int_hblkhd"], 0)

    def test_malloc_info_refuses_options(self) -> None:
        self.assertEqual(self.steps["made"]["result"], errno.EINVAL)
        self.assertEqual(self.steps["half"]["result"], 0)

    def child(self, element: Element, path: str) -> Element:
        found = element.find(path)
        assert found is not None, path
        return found

    def sum_of(self, element: Element, kind: str) -> tuple[int, int]:
        found = element.findall(f"total[@type='{kind}']")
        self.assertEqual(len(found), 1)
        return int(found[0].attrib["count"]), int(found[0].attrib["size"])

    def test_malloc_info_is_glibcs_document(self) -> None:
        def shape(element: Element) -> Shape:
            return element.tag, sorted(element.attrib), [shape(child) for child in element if child.tag != "size"]

        free: list[Shape] = [("total", ["count", "size", "type"], [])]
        system: list[Shape] = [("system", ["size", "type"], [])] * 2 + [("aspace", ["size", "type"], [])] * 2
        heap: Shape = ("heap", ["nr"], [("sizes", [], [])] + free * 2 + system)
        self.assertEqual(shape(self.xml), ("malloc", ["version"], [heap] + free * 3 + system))
        self.assertEqual(self.xml.get("version"), "1")
        for element in [self.xml, self.child(self.xml, "heap")]:
            self.assertEqual(
                [child.get("type") for child in element if child.tag not in ("heap", "sizes")],
                ["fast", "rest"] + ["mmap"] * (element is self.xml) + ["current", "max", "total", "mprotect"],
            )

    def test_malloc_info_says_what_mallinfo_says(self) -> None:
        info = self.steps["half"]
        for element in [self.xml, self.child(self.xml, "heap")]:
            self.assertEqual(self.sum_of(element, "fast"), (info["smblks"], info["fsmblks"]))
            self.assertEqual(self.sum_of(element, "rest"), (info["ordblks"], info["fordblks"] - info["fsmblks"]))
            self.assertEqual(int(self.child(element, "system[@type='current']").attrib["size"]), info["arena"])
            self.assertGreaterEqual(
                int(self.child(element, "system[@type='max']").attrib["size"]), info["arena"] + info["hblkhd"]
            )
        self.assertEqual(self.sum_of(self.xml, "mmap"), (info["hblks"], info["hblkhd"]))

    def test_malloc_info_lists_the_free_blocks_by_size(self) -> None:
        info = self.steps["half"]
        sizes = [
            {name: int(value) for name, value in size.attrib.items()}
            for size in self.child(self.xml, "heap/sizes").findall("size")
        ]
        self.assertGreater(len(sizes), 3)
        for smaller, larger in zip(sizes, sizes[1:]):
            self.assertLess(smaller["to"], larger["from"])
        for size in sizes:
            self.assertLessEqual(size["from"], size["to"])
            self.assertEqual(size["total"], size["count"] * size["to"])
        self.assertEqual(
            sum(size["count"] for size in sizes), info["smblks"] + info["ordblks"] - (info["keepcost"] != 0)
        )
        self.assertEqual(sum(size["total"] for size in sizes), info["fordblks"] - info["keepcost"])

    def test_malloc_stats_is_glibcs_text(self) -> None:
        info = self.steps["half"]
        found = re.fullmatch(
            r"Arena 0:\nsystem bytes     = +(\d+)\nin use bytes     = +(\d+)\n"
            r"Total \(incl\. mmap\):\nsystem bytes     = +(\d+)\nin use bytes     = +(\d+)\n"
            r"max mmap regions = +(\d+)\nmax mmap bytes   = +(\d+)\n",
            self.text,
        )
        assert found is not None, self.text
        most = self.steps["made"]
        self.assertGreater(most["hblks"], info["hblks"])
        self.assertEqual(
            [int(value) for value in found.groups()],
            [
                info["arena"],
                info["uordblks"],
                info["arena"] + info["hblkhd"],
                info["uordblks"] + info["hblkhd"],
                most["hblks"],
                most["hblkhd"],
            ],
        )


class Mallopt(unittest.TestCase):
    def test_results_are_those_of_glibc(self) -> None:
        with_hakmem, without = preloaded.run(MALLOPT_RESULTS, LIBRARY), preloaded.run(MALLOPT_RESULTS)
        self.assertFalse(preloaded.bypasses(with_hakmem))
        self.assertTrue(preloaded.bypasses(without))
        self.assertEqual((with_hakmem.status, without.status), (0, 0))
        self.assertGreater(len(without.stdout.splitlines()), 40)
        self.assertIn(" 0", without.stdout)
        self.assertEqual(with_hakmem.stdout, without.stdout)


if __name__ == "__main__":
    unittest.main()
