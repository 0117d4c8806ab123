# SPDX-License-Identifier: MIT
"""What stands at an address of a file that the compiler made for this test."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from tools.cli import symbols
from tools.cli.symbols import Place, Symbol

_SOURCE = """\
int sink;
#define KEPT __attribute__((noinline, used))
static inline __attribute__((always_inline)) void inner(int value) {
    __asm__ volatile(".globl marked\\nmarked: nop" : : "r"(value));
}
static inline __attribute__((always_inline)) void middle(int value) { inner(value + 1); }
KEPT void outer(int value) {
    middle(value);
    sink = value;
}
__asm__(".globl short_one\\n.type short_one, @function\\nshort_one: ret\\n.size short_one, 1\\n"
        ".globl behind\\nbehind: nop\\nnop\\n"
        ".globl endless\\n.type endless, @function\\nendless: nop\\nnop\\nret\\n");
int main(int count, char **words) {
    (void)words;
    outer(count);
    return sink;
}
"""


class SymbolsTest(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        (cls.folder / "source.c").write_text(_SOURCE)

    def compiled(self, *options: str) -> Path:
        program = self.folder / ("program" + "".join(options))  # each its own: what a file has is kept by its path
        subprocess.run(
            ["gcc", "-std=gnu11", "-O1", *options, "-Wl,--build-id", "-o", program, self.folder / "source.c"],
            check=True,
        )
        return program

    def address(self, program: Path, name: str) -> int:
        listed = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
        return int(next(line.split()[0] for line in listed.splitlines() if line.endswith(f" {name}")), 16)

    def test_inlined_functions_are_named_innermost_first(self) -> None:
        for form in ("-pie", "-no-pie"):
            program = self.compiled("-g", form)
            base = 0 if form == "-pie" else 0x400000
            place = Place(str(program), self.address(program, "marked") - base)
            found = symbols.resolve_all([place])[place]
            self.assertEqual([(one.function, one.line) for one in found], [("inner", 4), ("middle", 6), ("outer", 8)])
            self.assertEqual(symbols.resolve([place])[place], found[0])

    def test_without_lines_the_symbol_is_named(self) -> None:
        program = self.compiled("-g0", "-pie")
        place = Place(str(program), self.address(program, "outer") + 1)
        self.assertEqual(symbols.resolve_all([place])[place], (symbols.Symbol("outer", None, None),))

    def test_a_symbol_ends_where_it_says(self) -> None:
        program = self.compiled("-g0", "-pie")
        names = {"short_one": "short_one", "behind": None, "endless": "endless"}
        places = {name: Place(str(program), self.address(program, name)) for name in names}
        places["into"] = Place(str(program), self.address(program, "endless") + 2)
        known = symbols.resolve(places.values())
        found = {name: known[place].function for name, place in places.items()}
        self.assertEqual(found, {**names, "into": "endless"})

    def test_a_file_below_another_root(self) -> None:
        program = self.compiled("-g", "-pie")
        root = self.folder / "root"
        root.mkdir()
        shutil.move(program, root / "elsewhere")
        place = Place("/elsewhere", self.address(root / "elsewhere", "marked"), str(root))
        self.assertEqual(symbols.resolve([place])[place].function, "inner")
        self.assertIsNone(symbols.resolve([Place("/elsewhere", place.offset)]).popitem()[1].function)

    def test_debugging_information_in_a_file_of_its_own(self) -> None:
        program = self.compiled("-g", "-pie")
        offset = self.address(program, "marked")
        for number, folder in enumerate((self.folder, self.folder / ".debug")):
            folder.mkdir(exist_ok=True)
            bare, linked = self.folder / f"bare{number}", self.folder / f"linked{number}"
            apart = folder / f"apart{number}"
            subprocess.run(["objcopy", "--only-keep-debug", program, apart], check=True)
            subprocess.run(["strip", "-o", bare, program], check=True)
            subprocess.run(["objcopy", f"--add-gnu-debuglink={apart}", bare, linked], check=True)
            places = [Place(str(path), offset) for path in (bare, linked)]
            known = symbols.resolve_all(places)
            self.assertNotIn("inner", [one.function for one in known[places[0]]])
            found = [(one.function, one.line) for one in known[places[1]]]
            self.assertEqual(found, [("inner", 4), ("middle", 6), ("outer", 8)], folder.name)

    def test_build_id(self) -> None:
        program = self.compiled("-g", "-pie")
        notes = subprocess.run(["readelf", "--notes", program], capture_output=True, text=True, check=True).stdout
        wanted = re.search(r"Build ID: ([0-9a-f]+)", notes)
        assert wanted is not None
        self.assertEqual(symbols.build_id(str(program)), wanted[1])
        for path in (self.folder / "source.c", self.folder, self.folder / "none"):
            self.assertEqual(symbols.build_id(str(path)), "")

    def test_more_functions_at_an_address_than_anyone_writes(self) -> None:
        lines = "0x0000000000001000\n" + "f\na.c:1\n" * 5000 + "outermost\na.c:2\n"
        (answer,) = symbols.parsed(lines, 1)
        self.assertEqual((len(answer), answer[-1]), (64, ("outermost", "a.c:2")))

    def test_names_may_have_what_looks_like_the_end_of_a_line(self) -> None:
        for end in "\r\v\f\x1c\x85\u2028":
            text = f"0x0000000000001000\nf{end}0x0000000000002000\na{end}b.c:1\n"
            self.assertEqual(symbols.parsed(text, 1), [[(f"f{end}0x0000000000002000", f"a{end}b.c:1")]], ascii(end))

    def test_a_line_that_is_no_number_is_none(self) -> None:
        place = Place("/bin/true", 0)
        for line in ("\u00b2", "1" * 5000, "0", "?", ""):
            with mock.patch.object(symbols, "_answers", return_value=[[("f", f"a.c:{line}")]]):
                self.assertEqual(symbols.resolve([place]), {place: Symbol("f", None, None)}, line)

    def test_an_answer_that_does_not_fit_is_none(self) -> None:
        for text in (
            "",
            "f\na.c:1\n",
            "0x0000000000001000\nf\n",
            "0x0000000000001000\n",
            "0x0000000000001000\nf\na.c:1\n" * 2,
        ):
            self.assertEqual(symbols.parsed(text, 1), [[("??", "??:0")]], text)


if __name__ == "__main__":
    unittest.main()
