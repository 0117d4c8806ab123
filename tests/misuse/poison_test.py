# SPDX-License-Identifier: MIT
"""AddressSanitizer finds what a program does wrong with blocks of a debug build of hakmem, and nothing in one that is right.

Run as a test: --program watched.c --header hakmem.h --shipped LIBRARY FILE.., where the files are the library in one file. Each
compiler makes the program with the sanitizer, with hakmem compiled with and without it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

# Of watched.c: a block of each pool.
SIZES = (100, 10_000, 200_000, 3_000_000)

_READ, _WRITE = (f"use-after-poison on address .*\n{access} of size 1 at " for access in ("READ", "WRITE"))

# What the sanitizer reports of a case.
ACCESSES = {
    "read_after_free": _READ,
    "read_after_realloc": _READ,
    "write_past_end": _WRITE,
    "write_before_start": _WRITE,
}

# What hakmem reports of a case, after the sanitizer's list of calls. Of a huge block the size is gone when it is free.
CALLS = {
    "double_free": r"free\(0x[0-9a-f]+\): double free: the block{of_size} is free already\n",
    "interior_free": r"free\(0x[0-9a-f]+\): interior pointer: not the start of the block of [0-9]+ bytes\n",
    "realloc_after_free": r"realloc\(0x[0-9a-f]+\): double free: the block{of_size} is free already\n",
}

_SANITIZER = "-fsanitize=address"
_COMPILERS = ("gcc", "clang")

parsed: argparse.Namespace


def compiled(compiler: str, *words: str | Path) -> None:
    """pre: the compiler accepts the words"""
    command = [compiler, "-O1", "-g1", "-D_GNU_SOURCE", "-fno-optimize-sibling-calls", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "", f"{' '.join(command)}\n{done.stdout}"


def has_sanitizer(compiler: str, folder: Path) -> bool:
    """Whether it is installed, and what its sanitizer links with."""
    command = [compiler, _SANITIZER, "-x", "c", "-", "-o", str(folder / "empty")]
    found = shutil.which(compiler) is not None
    return found and subprocess.run(command, input=b"int main(void) { return 0; }\n", check=False).returncode == 0


def run(program: str | Path, *arguments: str | Path, options: str = "") -> tuple[int, str]:
    """The exit status, and what it says."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HAKMEM_")}
    # Memory stays, so that a huge block can still be read when it is free. Names of functions come from binutils, where LLVM's
    # program for them is not installed.
    sanitizer = f"detect_leaks=0:allow_addr2line=1:{options}"
    variables.update({"HAKMEM_PURGE_DELAY_MS": "-1", "ASAN_OPTIONS": sanitizer})
    done = subprocess.run(
        [program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=variables,
    )
    return done.returncode, done.stdout


class Poison(unittest.TestCase):
    folder: Path
    programs: dict[str, Path]
    object: Path
    """hakmem, compiled without the sanitizer."""
    plain: Path
    """The program without the sanitizer."""
    replaced: Path
    """That whose malloc is hakmem's as well."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR")))
        cls.programs = {}
        library = next(path for path in parsed.library if path.suffix == ".c")
        include = f"-I{parsed.header.parent.parent}"
        objects = {}
        for form, words in {"not instrumented": (), "instrumented": (_SANITIZER,)}.items():
            objects[form] = cls.folder / f"{form.split()[0]}.o"
            compiled("gcc", "-DHAK_DEBUG=1", "-DHAKMEM_API_ONLY", *words, "-c", library, "-o", objects[form])
        cls.object = objects["not instrumented"]
        cls.plain = cls.folder / "plain"
        program = [include, parsed.program, "-lpthread"]
        compiled("gcc", *program, cls.object, "-o", cls.plain)
        cls.replaced = cls.folder / "replaced"
        compiled("gcc", "-DHAK_DEBUG=1", "-fno-builtin", "-c", library, "-o", cls.folder / "replaced.o")
        compiled("gcc", _SANITIZER, *program, cls.folder / "replaced.o", "-o", cls.replaced)
        for compiler in _COMPILERS:
            if not has_sanitizer(compiler, cls.folder):
                continue
            for form, file in objects.items():
                # One compiler's instrumented objects are for its own sanitizer.
                if form == "instrumented" and compiler != "gcc":
                    continue
                name = f"{compiler}, {form}"
                cls.programs[name] = cls.folder / name.replace(", ", "_").replace(" ", "_")
                compiled(compiler, _SANITIZER, *program, file, "-o", cls.programs[name])

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def test_gcc_is_among_the_compilers(self) -> None:
        self.assertIn("gcc, not instrumented", self.programs)
        self.assertIn("gcc, instrumented", self.programs)

    def test_each_wrong_access_is_reported(self) -> None:
        for name, program in self.programs.items():
            for case, message in ACCESSES.items():
                for size in SIZES:
                    with self.subTest(name, case=case, size=size):
                        status, said = run(program, case, str(size))
                        report = rf"ERROR: AddressSanitizer: {message}.*\n    #0 0x[0-9a-f]+ in {case} "
                        self.assertRegex(said, report)
                        self.assertEqual(status, 1, said)

    def test_each_invalid_free_is_reported(self) -> None:
        for name, program in self.programs.items():
            for case, message in CALLS.items():
                for size in SIZES:
                    with self.subTest(name, case=case, size=size):
                        status, said = run(program, case, str(size))
                        line = message.format(of_size=f" of {size} bytes" if size != SIZES[-1] else "")
                        self.assertRegex(said, rf"    #\d+ 0x[0-9a-f]+ in {case} (?:.*\n)+hakmem: {line}")
                        self.assertEqual(status, -signal.SIGABRT, said)

    def test_a_right_program_has_no_report(self) -> None:
        for name, program in self.programs.items():
            with self.subTest(name):
                self.assertEqual(run(program, "right"), (0, ""))

    def test_blocks_that_hakmems_lead_to_are_no_leaks(self) -> None:
        for name, program in self.programs.items():
            for size in SIZES:
                with self.subTest(name, size=size):
                    status, said = run(program, "keep", str(size), options="detect_leaks=1")
                    if "LeakSanitizer has encountered a fatal error" in said:
                        self.skipTest("LeakSanitizer may not stop threads here")
                    self.assertEqual((status, said), (0, ""))
                    status, said = run(program, "keep_and_free", str(size), options="detect_leaks=1")
                    self.assertRegex(
                        said, r"Direct leak of 50 byte\(s\) in 1 object\(s\) allocated from:\n(?:.*\n)*?.* in keep "
                    )
                    self.assertNotEqual(status, 0)

    def test_its_option_leaves_blocks_as_they_are(self) -> None:
        for name, program in self.programs.items():
            with self.subTest(name):
                self.assertEqual(run(program, "read_after_free", options="allow_user_poisoning=0"), (0, ""))
                self.assertEqual(run(program, "right", options="allow_user_poisoning=0"), (0, ""))

    def test_a_program_without_the_sanitizer_runs(self) -> None:
        self.assertEqual(run(self.plain, "right"), (0, ""))

    def test_where_malloc_is_hakmems_nothing_is_told(self) -> None:
        # Where addresses vary, a region may lie where the sanitizer, which begins later, has to have its own memory.
        fixed = ["setarch", "--addr-no-randomize"]
        if subprocess.run([*fixed, "true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("addresses can't be fixed here, as in a container that forbids it")
        for case in (("read_after_free", str(SIZES[0])), ("right",)):
            self.assertEqual(run(*fixed, self.replaced, *case), (0, ""))

    def test_what_ships_asks_for_no_sanitizer(self) -> None:
        asked = b"__asan_poison_memory_region"
        self.assertIn(asked, self.object.read_bytes())
        self.assertNotIn(asked, parsed.shipped.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, type=Path)
    parser.add_argument("--header", required=True, type=Path)
    parser.add_argument("--shipped", required=True, type=Path)
    parser.add_argument("library", nargs="+", type=Path)
    parsed, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
