# SPDX-License-Identifier: MIT
"""A sample of mutants, the same for the same sources: the tests of the modules notice most. And the tool, on a few lines."""

import collections
import dataclasses
import random
import sys
import tempfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.mutate import broken, mutants, mutate  # noqa: E402
from tests.mutate.build_files import BuildFiles  # noqa: E402
from tests.mutate.modules import MODULES, SLOW  # noqa: E402
from tests.mutate.workshop import FLAVOURS, Workshop  # noqa: E402

SEED = 1
COUNT = 20
FILES = 8
SAMPLED = ("slab", "magazine", "region", "stats")
# What builds without guard never reach.
FULL_ALONE = ("hakmem/magazine/shuffle.c", "hakmem/slab/random.c")
# All tests of a module in all builds notice more; docs/decisions/033 has the figures. If three of four are noticed here, fewer
# than 10 of 20 are once in a hundred times: a change of the sources changes the sample.
LEAST = 10

_SOURCE = """\
#include "hakmem/base/assert.h"
#define TWICE(x) ((x) + (x))
static const int most = 7;
int sum(int a, int b);
int sum(int a, int b) {
    HAK_ASSERT(a + b < 100);
    if (a > b && b != 0) return a - b;
    while (a < most) a += 1;
    sum(1, 2);
    return TWICE(a);
}
int most_of(int a, int b);
int most_of(int a, int b) {
    if (a < b) {
        a = b;
    }
    if (a > 3) a = b;
    b = (a > b ? a - b : 0) + (a <= b ? b : a);
    return a < b ? a : 9;
}
"""


class ToolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        sys.setrecursionlimit(20000)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "small.c").write_text(_SOURCE, encoding="ascii")
            flags = ["-std=gnu11", f"-I{Path.cwd()}", "-DHAK_DEBUG=1"]
            cls.found = {one.after: one for one in mutants.find("small.c", root, flags)}

    found: dict[str, mutants.Mutant]

    def test_each_kind_of_change_is_found(self) -> None:
        for after, kind in {
            "static const int most = 8;": "constant",
            "if (a >= b && b != 0) return a - b;": "boundary",
            "if (a > b || b != 0) return a - b;": "operator",
            "if (a > b && b == 0) return a - b;": "operator",
            "if (a > b && b != 1) return a - b;": "constant",
            "if (!(a > b && b != 0)) return a - b;": "negated",
            "if (a > b && b != 0) return a + b;": "operator",
            "while (a <= most) a += 1;": "boundary",
            "while (!(a < most)) a += 1;": "negated",
            "while (a < most) ;": "removed",
            "while (a < most) a -= 1;": "operator",
            "while (a < most) a += 2;": "constant",
            ";": "removed",
        }.items():
            with self.subTest(after):
                self.assertEqual(kind, self.found[after].kind)

    def test_assertions_and_bodies_of_macros_are_left_alone(self) -> None:
        self.assertFalse([one for one in self.found.values() if "HAK_ASSERT" in one.before or "define" in one.before])

    def test_a_border_at_which_both_choices_are_equal_is_left_alone(self) -> None:
        borders = {one.after for one in self.found.values() if one.kind == "boundary" and one.function == "most_of"}
        self.assertEqual({"if (a >= 3) a = b;", "return a <= b ? a : 9;"}, borders)

    def test_a_change_is_of_its_place_alone(self) -> None:
        changed = self.found["while (a < most) a += 2;"].apply(_SOURCE)
        self.assertEqual(_SOURCE.replace("a += 1", "a += 2"), changed)

    def test_reasons_are_read(self) -> None:
        text = "# a remark\nf.c g: a => b\n    because\n    it is so\nf.c g: c => d\n    other\n"
        self.assertEqual({"f.c g: a => b": "because it is so", "f.c g: c => d": "other"}, mutate.listed(text))


class SampleTest(unittest.TestCase):
    def test_the_modules_tests_notice_most(self) -> None:
        listed = mutate.listed(mutate.SURVIVORS.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            # One build alone, without guard, and some of the files: the rest is for `bazel run //tests/mutate`.
            laboratory = mutate.Laboratory(Workshop(Path.cwd(), Path(folder)), ["off"])
            files = [(name, path) for name in SAMPLED for path in laboratory.files_of(MODULES[name])]
            files = [one for one in files if one[1] not in FULL_ALONE]
            self.assertGreater(len(files), 35)
            of_modules: dict[str, list[mutants.Mutant]] = collections.defaultdict(list)
            for name, path in random.Random(SEED).sample(files, FILES):
                found = laboratory.mutants_in(path, laboratory.flavours(MODULES[name])[0])
                of_modules[name] += [one for one in found if one.kind != "order"]
            self.assertGreater(sum(map(len, of_modules.values())), COUNT * 5)
            quick = {
                name: dataclasses.replace(
                    MODULES[name], tests=tuple(one for one in MODULES[name].tests if one not in SLOW)
                )
                for name in SAMPLED
            }
            verdicts = mutate.judge_all(laboratory, mutate.chosen(of_modules, SEED), COUNT, 2, quick)
        print(mutate.table(verdicts, listed))
        noticed = sum(one.status in ("killed", "timeout") or one.mutant.key in listed for one in verdicts)
        self.assertGreaterEqual(noticed, LEAST)


class ListTest(unittest.TestCase):
    def test_each_test_of_the_build_that_ships_is_found_once_for_each_guard(self) -> None:
        found = collections.Counter((one.label, one.guard) for one in BuildFiles(Path.cwd()).tests())
        self.assertGreater(len(found), 100)
        self.assertEqual({1}, set(found.values()))

    def test_each_survivor_that_is_listed_is_a_mutant_and_has_a_reason(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            laboratory = mutate.Laboratory(Workshop(Path.cwd(), Path(folder)))
            known = mutate.listed(mutate.SURVIVORS.read_text(encoding="utf-8"))
            off = FLAVOURS["off"]
            paths = {key.split()[0] for key in known}
            keys = {mutant.key for path in paths for mutant in laboratory.mutants_in(path, off)}
        for key, reason in known.items():
            with self.subTest(key):
                self.assertIn(key, keys)
                self.assertGreater(len(reason), 20)

    def test_each_broken_build_is_there_with_its_test(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            laboratory = mutate.Laboratory(Workshop(Path.cwd(), Path(folder)))
            found = broken.listed(laboratory, broken.LIST.read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(found), 15)


if __name__ == "__main__":
    unittest.main()
