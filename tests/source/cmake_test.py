# SPDX-License-Identifier: MIT
"""The source tarball, built and installed by CMake in an empty folder; what others make of it, as projects do.

The library is built once, without Python. Its fast paths have to be those of the library that ships.
"""

import platform
import re
import shutil
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, SHIPPED, VERSION = sys.argv[1:4]

_TESTS = {f"hakmem.{what}_{form}" for what in ("owned", "indirect", "operators") for form in ("shared", "static")}

_WITHOUT_PYTHON = "-DCMAKE_DISABLE_FIND_PACKAGE_Python3=ON"

# A project that has hakmem among its own sources, as add_subdirectory and FetchContent do.
_EMBEDDED = """\
cmake_minimum_required(VERSION 3.16)
project(embedding LANGUAGES C)
if(FETCHED)
    include(FetchContent)
    FetchContent_Declare(hakmem SOURCE_DIR "{source}")
    FetchContent_MakeAvailable(hakmem)
else()
    add_subdirectory("{source}" hakmem)
endif()
add_executable(program "{source}/tests/dist/owned.c")
target_link_libraries(program PRIVATE hakmem::static)
"""


class CMakeTest(unittest.TestCase):
    source: Path
    prefix: Path
    said: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.source = unpacked.unpacked(ARCHIVE)
        cls.prefix = cls.source / "prefix"
        commands = unpacked.documented("CMake").replace("cmake -B build", f"cmake -B build {_WITHOUT_PYTHON}")
        cls.said = unpacked.run(commands.replace("/opt/hakmem", str(cls.prefix)), cls.source)

    def needed(self, program: Path) -> set[str]:
        said = unpacked.run(f"readelf --dynamic --wide '{program}'", self.source)
        return set(re.findall(r"\(NEEDED\).*\[(.*)\]", said))

    def test_ctest_runs_every_program(self) -> None:
        passed = set(re.findall(r"(hakmem\.\w+) \.+ +Passed", self.said))
        self.assertEqual(_TESTS, passed, self.said)

    def test_fast_paths_are_those_of_what_ships(self) -> None:
        expected = unpacked.fast_paths(Path(SHIPPED))
        built = unpacked.fast_paths(self.prefix / f"lib/libhakmem.so.{VERSION}")
        self.assertGreater(len(expected["malloc"]), 10)
        self.assertEqual(expected, built)

    def test_both_libraries_are_said_to_be_right_under_shadow_stacks(self) -> None:
        if platform.machine() != "x86_64":
            raise unittest.SkipTest("shadow stacks are x86-64's")
        for name in ("libhakmem.a", f"libhakmem.so.{VERSION}"):
            library = self.prefix / "lib" / name
            members = unpacked.run(f"ar t '{library}'", self.source).split() if name.endswith(".a") else [name]
            self.assertEqual(len(members), unpacked.shadow_stack_marks(library), name)

    def test_c_programs_do_without_the_runtime_of_cxx(self) -> None:
        for form in ("shared", "static"):
            needed = self.needed(self.source / f"build/hakmem_owned_{form}")
            self.assertIn("libc.so.6", needed)
            self.assertNotIn("libstdc++.so.6", needed)
        self.assertIn("libstdc++.so.6", self.needed(self.source / "build/hakmem_operators_static"))

    def test_pkg_config_of_what_is_installed(self) -> None:
        said = unpacked.run(
            "pkg-config --modversion hakmem; gcc -o program tests/dist/owned.c $(pkg-config --cflags --libs hakmem); ./program",
            self.source,
            PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig"),
            LD_LIBRARY_PATH=str(self.prefix / "lib"),
        )
        self.assertEqual(VERSION, said.splitlines()[0])
        self.assertIn("malloc: hakmem\n", said)

    def test_a_project_finds_what_is_installed(self) -> None:
        project = unpacked.scratch_folder()
        shutil.copy("tests/dist/cmake/CMakeLists.txt", project)
        said = unpacked.run(
            f"cmake -B build -DCMAKE_PREFIX_PATH='{self.prefix}' -DSOURCES='{self.source}/tests/dist' && "
            "cmake --build build --target c_shared c_static && build/c_shared && build/c_static",
            project,
        )
        self.assertIn(f"found hakmem {VERSION}\n", said)
        self.assertEqual(2, said.count("strdup: hakmem\n"))

    def test_a_project_has_it_among_its_sources(self) -> None:
        for fetched in ("ON", "OFF"):
            project = unpacked.scratch_folder()
            (project / "CMakeLists.txt").write_text(_EMBEDDED.format(source=self.source), encoding="utf-8")
            unpacked.run(f"cmake -B build -DFETCHED={fetched} -DHAKMEM_BUILD_SHARED=OFF", project)
            # How the program is linked, without the library's objects, which are those of the build above.
            link = (project / "build/CMakeFiles/program.dir/link.txt").read_text(encoding="utf-8")
            self.assertRegex(link, r"^/usr/bin/\S*cc .*--undefined=malloc.*hakmem(-build)?/libhakmem\.a")
            self.assertNotRegex(link, r"\+\+")

    def test_the_guard_is_an_option(self) -> None:
        for guard, number in {"off": 0, "exact": 1, "full": 2}.items():
            build = unpacked.scratch_folder()
            unpacked.run(f"cmake -S '{self.source}' -B build -DHAKMEM_GUARD={guard}", build)
            flags = (build / "build/CMakeFiles/hakmem_core.dir/flags.make").read_text(encoding="utf-8")
            self.assertRegex(flags, rf"-DHAK_GUARD={number}\b")
            # Nothing that was chosen is lost: the objects go into programs that are position-independent, and others.
            self.assertIn("-fPIC", flags)

    def test_wrong_values_are_refused(self) -> None:
        wrong = {
            "-DHAKMEM_GUARD=on": "HAKMEM_GUARD is 'on'; off, exact and full are allowed",
            "-DCMAKE_SYSTEM_NAME=Generic": "hakmem runs on Linux only",
        }
        for argument, words in wrong.items():
            with self.subTest(argument), self.assertRaises(unpacked.CommandFailed) as raised:
                unpacked.run(f"cmake -S '{self.source}' -B build {argument}", unpacked.scratch_folder())
            self.assertIn(words, re.sub(r"\s+", " ", str(raised.exception)))

    def test_a_source_without_the_generated_header_says_what_to_do(self) -> None:
        bare = unpacked.unpacked(ARCHIVE)
        shutil.rmtree(bare / "generated")
        with self.assertRaises(unpacked.CommandFailed) as raised:
            unpacked.run(f"cmake -B build {_WITHOUT_PYTHON}", bare)
        said = re.sub(r"\s+", " ", str(raised.exception))
        self.assertIn("Either install Python 3 with Jinja2", said)
        self.assertIn("bazel build //:source", said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
