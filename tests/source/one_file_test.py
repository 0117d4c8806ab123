# SPDX-License-Identifier: MIT
"""The library in one file: what it is compiled to by the commands of docs/build.md, without a warning."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, SHIPPED, HEADER = sys.argv[1:4]

_STRICT = "gcc -Wall -Wextra -Wconversion -Wundef -Werror"


class OneFileTest(unittest.TestCase):
    source: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.source = unpacked.unpacked(ARCHIVE)

    def test_one_command_makes_the_library_that_ships(self) -> None:
        said = unpacked.run(unpacked.documented("One command").replace("gcc", _STRICT, 1), self.source)
        self.assertIn("hakmem: option: HAKMEM_HELP", said)
        self.assertNotIn("warning", said)
        built = self.source / "libhakmem.so"
        self.assertEqual(unpacked.fast_paths(Path(SHIPPED)), unpacked.fast_paths(built))
        needed = unpacked.run(f"readelf --dynamic --wide {built} | grep -o 'NEEDED.*'", self.source)
        self.assertEqual(2, len(needed.splitlines()), needed)  # the C library and its loader

    def test_it_alone_serves_the_program_that_it_is_linked_into(self) -> None:
        commands = unpacked.documented("One file").replace("gcc", _STRICT, 1)
        elsewhere = unpacked.scratch_folder()
        for name in ("hakmem.c", "hakmem.h"):
            target = elsewhere / "amalgamated" / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes((self.source / "amalgamated" / name).read_bytes())
        said = unpacked.run(
            commands.replace("hakmem/include", str(self.source / "hakmem/include")).replace(
                "tests/dist", str(self.source / "tests/dist")
            ),
            elsewhere,
        )
        for what in ("malloc", "large malloc", "strdup", "hak_alloc"):
            self.assertIn(f"{what}: hakmem\n", said)

    def test_other_forms_are_without_a_fault(self) -> None:
        for compiler in ("gcc", "clang"):
            for form in ("-DHAK_GUARD=1", "-DHAK_GUARD=2 -DHAKMEM_SHARED", "-DHAKMEM_API_ONLY -D_FILE_OFFSET_BITS=64"):
                with self.subTest(compiler=compiler, form=form):
                    command = _STRICT.replace("gcc", compiler)
                    unpacked.run(f"{command} -std=gnu11 -fsyntax-only {form} amalgamated/hakmem.c", self.source)

    def test_the_header_beside_it_is_the_sources(self) -> None:
        self.assertEqual(Path(HEADER).read_bytes(), (self.source / "amalgamated/hakmem.h").read_bytes())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
