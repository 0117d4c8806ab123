# SPDX-License-Identifier: MIT
"""What lies in the dist tree, and that the two forms of the library offer the same names and no others."""

import re
import sys
import tarfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

ARCHIVE, TREE, VERSION, HEADER = sys.argv[1:5]

_SHARED = f"libhakmem.so.{VERSION}"
# No minor version promises the interface of another before 1.0.
_SONAME = f"libhakmem.so.{VERSION.rpartition('.')[0] if VERSION.startswith('0.') else VERSION.split('.')[0]}"
_LINKS = {
    f"lib/{_SONAME}": _SHARED,
    "lib/libhakmem.so": _SONAME,
    "share/hakmem/bench/trace/librecorder.so": "../../../../lib/hakmem/librecorder.so",
    "share/hakmem/bench/trace/replay": "../../../../lib/hakmem/replay",
    "share/hakmem/hakmem/preload/libhakmem-guard-full.so": "../../../../lib/hakmem/libhakmem-guard-full.so",
    "share/hakmem/hakmem/preload/libhakmem-guard.so": "../../../../lib/hakmem/libhakmem-guard.so",
    "share/hakmem/hakmem/preload/libhakmem.so": "../../../../lib/libhakmem.so",
}
_PROGRAMS = {"bin/hakmem", "lib/hakmem/replay"}
_FILES = _PROGRAMS | {
    "include/hakmem/hakmem.h",
    "lib/cmake/hakmem/hakmemConfig.cmake",
    "lib/cmake/hakmem/hakmemConfigVersion.cmake",
    "lib/hakmem/libhakmem-guard-full.so",
    "lib/hakmem/libhakmem-guard.so",
    "lib/hakmem/librecorder.so",
    "lib/libhakmem.a",
    f"lib/{_SHARED}",
    "lib/musl/libhakmem.a",
    "lib/pkgconfig/hakmem.pc",
    "share/bash-completion/completions/hakmem",
    "share/hakmem/grafana/hakmem.json",
    "share/hakmem/tools/cli/flame.html",
    "share/hakmem/tools/cli/flame.js",
    "share/hakmem/tools/cli/snapshot.html",
    "share/hakmem/tools/cli/snapshot.js",
    "share/man/man1/hakmem.1",
    "share/man/man3/hakmem.3",
    "share/man/man7/hakmem.7",
    "share/zsh/vendor-completions/_hakmem",
}

# A licence is there as soon as the source has one.
_NOTICES = "share/doc/hakmem/"

# The command's modules: those that it imports.
_MODULES = re.compile(r"share/hakmem/tools/(\w+/)?\w+\.py")

# What a program may expect of any malloc.
_LIBC_NAMES = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "memalign",
    "aligned_alloc",
    "posix_memalign",
    "malloc_usable_size",
}

# The C library and its loader: nothing else may be asked of a library that is preloaded everywhere.
_ALLOWED_NEEDED = re.compile(r"libc\.so\.6|ld-linux.*\.so\.\d")


def exported(library: Path) -> set[str]:
    """Names that the shared library offers."""
    said = consumer.run("nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", library)
    return {line.split()[0] for line in said.splitlines()}


def offered(archive: Path) -> tuple[set[str], set[str]]:
    """Names that the archive's members define for others: those that a shared library made of it would export, too,
    and those that it would not."""
    said = consumer.run("readelf", "--symbols", "--wide", archive)
    symbols = re.findall(r"(?:GLOBAL|WEAK) +(DEFAULT|HIDDEN|PROTECTED|INTERNAL) +(\w+) (\S+)$", said, re.MULTILINE)
    defined = [(visibility, name) for visibility, section, name in symbols if section != "UND"]
    return (
        {name for visibility, name in defined if visibility == "DEFAULT"},
        {name for visibility, name in defined if visibility != "DEFAULT"},
    )


class TreeTest(unittest.TestCase):
    prefix: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.prefix = consumer.unpacked(ARCHIVE)

    def test_members(self) -> None:
        with tarfile.open(ARCHIVE) as tar:
            members = tar.getmembers()
        self.assertEqual({one.name: one.linkname for one in members if one.issym()}, _LINKS)
        files = {one.name for one in members if one.isfile()}
        modules = {name for name in files if _MODULES.fullmatch(name)}
        self.assertIn("share/hakmem/tools/cli/main.py", modules)
        self.assertNotIn("share/hakmem/tools/measure/inference.py", modules)
        self.assertEqual({name for name in files - modules if not name.startswith(_NOTICES)}, _FILES)
        self.assertEqual({one.name for one in members if one.isfile() and one.mode == 0o755}, _PROGRAMS)
        self.assertEqual({one.mode for one in members if one.isfile()}, {0o644, 0o755})
        self.assertEqual({one.mode for one in members if one.isdir()}, {0o755})

    def test_tree_is_the_archive(self) -> None:
        def contents(folder: Path) -> dict[str, bytes]:
            return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

        self.assertEqual(contents(Path(TREE)), contents(self.prefix))

    def test_header_is_the_sources(self) -> None:
        self.assertEqual((self.prefix / "include/hakmem/hakmem.h").read_bytes(), Path(HEADER).read_bytes())

    def test_shared_library(self) -> None:
        shared = self.prefix / "lib" / _SHARED
        self.assertEqual(consumer.soname(shared), _SONAME)
        for name in consumer.needed(shared):
            self.assertRegex(name, _ALLOWED_NEEDED)

    def test_all_is_said_to_be_right_under_shadow_stacks(self) -> None:
        """A program has them only if each object that it is linked of says so."""
        archive = self.prefix / "lib/libhakmem.a"
        if "X86-64" not in consumer.run("readelf", "--file-header", archive):
            raise unittest.SkipTest("shadow stacks are x86-64's")
        for library in sorted((self.prefix / "lib").rglob("libhakmem*")):
            with self.subTest(library.name):
                said = consumer.run("readelf", "--notes", "--wide", library)
                members = consumer.run("ar", "t", library).split() if library.suffix == ".a" else [library.name]
                self.assertEqual(len(members), said.count("x86 feature: SHSTK"), said)

    def test_both_libraries_offer_the_same_names(self) -> None:
        shared = exported(self.prefix / "lib" / _SHARED)
        archive, hidden = offered(self.prefix / "lib/libhakmem.a")
        self.assertEqual(archive, shared)
        self.assertLessEqual(_LIBC_NAMES, shared)
        # No name of the archive can meet one of the program's own.
        self.assertEqual({name for name in hidden if not name.startswith("hak_")}, set())

    def test_every_function_of_the_header_is_offered(self) -> None:
        declared = set(re.findall(r"\b(hak_\w+)\s*\(", re.sub(r"/\*.*?\*/", "", Path(HEADER).read_text(), flags=re.S)))
        names = {name for name in exported(self.prefix / "lib" / _SHARED) if name.startswith("hak_")}
        self.assertGreater(len(declared), 10)
        self.assertEqual(names, declared)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
