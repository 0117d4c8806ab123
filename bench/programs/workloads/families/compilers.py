# SPDX-License-Identifier: MIT
"""gcc, g++ and clang: real sources to objects, which must be the same to the byte, and a program that runs.

The C sources are the allocator's own, as the build compiles them; the C++ ones are GoogleTest's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SCRIPTS = Path(__file__).with_name("scripts")

# The root of the runfiles, to which the list's paths are relative, and the list that sources.bzl writes.
_ROOT = Path(__file__).parents[4]
_LIST = Path(__file__).parents[1] / "hakmem_sources.json"

_GTEST = "/usr/src/googletest/googletest"


def _link_in_part(session: Session, compiler: str, objects: list[str]) -> dict[str, bytes]:
    """Links what is too little for a program; gives back all of it."""
    session.run(compiler, "-r", "-nostdlib", "-o", "part.o", *objects)
    return {name: (session.folder / name).read_bytes() for name in [*objects, "part.o"]}


def _link_and_try(session: Session, compiler: str, objects: list[str], expected: bytes) -> dict[str, bytes]:
    """Links the objects and runs the program; gives back all of them, and what the program wrote."""
    session.run(compiler, "-o", "program", *objects, "-lpthread")
    done = session.run("./program", "x", measured=False)
    expect(expected in done.stdout, f"the program had to write {expected!r}, it wrote {done.stdout!r}")
    built = {name: (session.folder / name).read_bytes() for name in [*objects, "program"]}
    for name, content in built.items():
        expect(content[:4] == b"\x7fELF", f"{name} is not an ELF file")
    return built


# One source in so many is compiled in tests: some of each folder.
_SHARE_OF_TESTS = 4


class HakmemInC(Workload):
    """Compiles all of hakmem's C files with debugging information, and a program that uses them.

    In tests some of the files, which are too few for the program.
    """

    def __init__(self, compiler: str, package: str, programs: frozenset[str], is_reduced: bool = False) -> None:
        self.name = compiler
        self.task = f"{compiler} -O2 -g of hakmem's own C sources one by one, then a link"
        self.needs = (Need(f"/usr/bin/{compiler}", package),)
        self.programs = programs
        self._compiler, self._package, self._is_reduced = compiler, package, is_reduced

    def reduced(self) -> HakmemInC:
        return HakmemInC(self._compiler, self._package, frozenset(self.programs), is_reduced=True)

    def prepare(self, inputs: Path, seed: int) -> None:
        listed = json.loads(_LIST.read_text())
        for path in listed["files"]:
            (inputs / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / path, inputs / path)
        shutil.copyfile(_SCRIPTS / "use_hakmem.c", inputs / "use_hakmem.c")

    def run(self, session: Session) -> Outcome:
        listed = json.loads(_LIST.read_text())
        includes = [f"-I{session.inputs / folder}" for folder in listed["includes"]]
        units = [*listed["units"], {"source": "use_hakmem.c", "defines": []}]
        expect(len(units) > 30, f"only {len(units)} sources were found")
        if self._is_reduced:
            units = units[::_SHARE_OF_TESTS]
        # The scratch folders' names would get into the debugging information.
        prefix = f"-ffile-prefix-map={session.inputs}=.", f"-ffile-prefix-map={session.folder}=."
        objects = []
        for unit in units:
            objects.append(unit["source"].replace("/", "_").removesuffix(".c") + ".o")
            # Bazel writes a value with its quotation marks as a shell would have to see them.
            defines = [f"-D{define}".replace('\\"', '"') for define in unit["defines"]]
            session.run(
                self._compiler, "-std=gnu11", "-O2", "-g", *prefix, *includes, *defines,
                "-c", str(session.inputs / unit["source"]), "-o", objects[-1],
            )  # fmt: skip
        if self._is_reduced:
            return Outcome(_link_in_part(session, self._compiler, objects))
        return Outcome(_link_and_try(session, self._compiler, objects, b"hakmem works: 1000 of 1000 blocks"))


class GoogleTestInCxx(Workload):
    """Compiles GoogleTest and some tests with it; in tests all but GoogleTest's own source."""

    def __init__(
        self, name: str, compiler: str, package: str, programs: frozenset[str], is_reduced: bool = False
    ) -> None:
        self.name = name
        self.task = f"{compiler} -O0 -g of GoogleTest and a test, then a link"
        self.needs = (Need(f"/usr/bin/{compiler}", package), Need(f"{_GTEST}/src/gtest-all.cc", "googletest"))
        self.programs = programs
        self._compiler, self._package, self._is_reduced = compiler, package, is_reduced

    def reduced(self) -> GoogleTestInCxx:
        return GoogleTestInCxx(self.name, self._compiler, self._package, frozenset(self.programs), is_reduced=True)

    def run(self, session: Session) -> Outcome:
        objects = []
        sources = [f"{_GTEST}/src/gtest-all.cc", f"{_GTEST}/src/gtest_main.cc", str(_SCRIPTS / "sample_test.cc")]
        for source in sources[1:] if self._is_reduced else sources:
            source_path = Path(source).resolve()
            objects.append(source_path.stem + ".o")
            # The scratch folder's name, and that of Bazel's, would get into the debugging information.
            prefix = f"-ffile-prefix-map={session.folder}=.", f"-ffile-prefix-map={source_path.parent}=."
            session.run(
                self._compiler, "-std=c++17", "-O0", "-g", *prefix, f"-I{_GTEST}", f"-I{_GTEST}/include",
                "-c", str(source_path), "-o", objects[-1],
            )  # fmt: skip
        if self._is_reduced:
            return Outcome(_link_in_part(session, self._compiler, objects))
        return Outcome(_link_and_try(session, self._compiler, objects, b"[  PASSED  ] 3 tests."))


_GCC_PROGRAMS = frozenset({"*-gcc-*", "cc1", "*as", "*ld*"})
_GXX_PROGRAMS = frozenset({"*-g++-*", "cc1plus", "*as", "*ld*"})
_CLANG_PROGRAMS = frozenset({"clang*"})

GCC = (HakmemInC("gcc", "gcc", _GCC_PROGRAMS),)
GXX = (GoogleTestInCxx("gxx", "g++", "g++", _GXX_PROGRAMS),)
CLANG = (
    HakmemInC("clang", "clang", _CLANG_PROGRAMS),
    GoogleTestInCxx("clangxx", "clang++", "clang", _CLANG_PROGRAMS),
)
