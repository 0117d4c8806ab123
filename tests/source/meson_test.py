# SPDX-License-Identifier: MIT
"""The source tarball as Meson builds it: alone, with its tests and its installation; and below subprojects/ of a project, by
its wrap file."""

import platform
import re
import shutil
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, WRAP, SHIPPED, VERSION = sys.argv[1:5]

_PROJECT = """\
project('consumer', 'c')
executable('program', 'owned.c', dependencies: dependency('hakmem'))
"""


class MesonTest(unittest.TestCase):
    def test_the_page_builds_tests_and_installs(self) -> None:
        source = unpacked.unpacked(ARCHIVE)
        prefix = source / "prefix"
        said = unpacked.run(unpacked.documented("Meson").replace("/opt/hakmem", str(prefix)), source)
        self.assertRegex(said, r"Ok: +1\b")
        library = next(prefix.rglob(f"libhakmem.so.{VERSION}"))
        self.assertEqual(unpacked.fast_paths(Path(SHIPPED)), unpacked.fast_paths(library))
        if platform.machine() == "x86_64":
            self.assertEqual(1, unpacked.shadow_stack_marks(library))
        said = unpacked.run(
            "pkg-config --modversion hakmem; gcc -o program tests/dist/owned.c $(pkg-config --cflags --libs hakmem); ./program",
            source,
            PKG_CONFIG_PATH=str(library.parent / "pkgconfig"),
            LD_LIBRARY_PATH=str(library.parent),
        )
        self.assertEqual(VERSION, said.splitlines()[0])
        self.assertIn("malloc: hakmem\n", said)

    def test_a_project_finds_it_by_the_wrap_file(self) -> None:
        project = unpacked.scratch_folder()
        packages = project / "subprojects/packagefiles"
        packages.mkdir(parents=True)
        shutil.copy(ARCHIVE, packages)
        shutil.copy(WRAP, project / "subprojects")
        (project / "meson.build").write_text(_PROJECT, encoding="ascii")
        source = unpacked.unpacked(ARCHIVE)
        shutil.copy(source / "tests/dist/owned.c", project)
        said = unpacked.run("meson setup build", project)
        self.assertRegex(said, rf"Dependency hakmem found: YES {re.escape(VERSION)}")
        self.assertNotIn("WARNING", said)
        # Another tarball than the one that it names.
        with (packages / Path(ARCHIVE).name).open("ab") as file:
            file.write(b"x")
        shutil.rmtree(project / f"subprojects/hakmem-{VERSION}")
        with self.assertRaises(unpacked.CommandFailed) as raised:
            unpacked.run("meson setup build-other", project)
        self.assertIn("Incorrect hash", str(raised.exception))

    def test_a_checkout_says_what_to_do(self) -> None:
        source = unpacked.unpacked(ARCHIVE)
        shutil.rmtree(source / "amalgamated")
        with self.assertRaises(unpacked.CommandFailed) as raised:
            unpacked.run("meson setup build", source)
        self.assertIn("bazel build //:source", str(raised.exception))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
