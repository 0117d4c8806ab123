# SPDX-License-Identifier: MIT
"""musl: preloaded, linked with the program, and opened by it; its options, and no names that only glibc has."""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

_FOLDER = Path("tests/ports")
_SHARED, _ARCHIVE = Path("tools/dist/musl/libhakmem.so"), Path("tools/dist/musl/libhakmem-musl.a")
_OPENED = _FOLDER / "musl_dlopen/libhakmem.so"
_ONLY_GLIBC = {"mallinfo", "mallinfo2", "mallopt", "malloc_trim", "malloc_stats", "malloc_info", "pvalloc", "cfree"}


def _run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **environment}
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, check=False
    )


class MuslTest(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def _compile(self, name: str, *arguments: str) -> str:
        made = str(Path(self.folder.name, name))
        subprocess.run(["musl-gcc", "-O1", *arguments, "-o", made], check=True)
        return made

    def _expect_served(self, result: subprocess.CompletedProcess[str]) -> None:
        self.assertEqual((result.returncode, result.stdout), (0, "ok\n"), result.stderr)
        self.assertIn("hakmem", result.stderr)
        self.assertRegex(result.stderr, r"(?m)^ +threads +1 ")

    def test_preloaded(self) -> None:
        program = self._compile("preloaded", str(_FOLDER / "program.c"))
        self._expect_served(_run([program], LD_PRELOAD=str(_SHARED.resolve()), HAKMEM_STATS="text"))

    def test_linked_dynamically(self) -> None:
        shared = str(_SHARED.resolve())
        program = self._compile("dynamic", str(_FOLDER / "program.c"), shared, f"-Wl,-rpath,{Path(shared).parent}")
        self._expect_served(_run([program], HAKMEM_STATS="text"))

    def test_linked_statically(self) -> None:
        program = self._compile("static", "-static", str(_FOLDER / "program.c"), str(_ARCHIVE))
        self._expect_served(_run([program], HAKMEM_STATS="text"))

    def test_sampled_with_and_without_unwind_tables(self) -> None:
        for name, table in (("without", "-Wl,--no-eh-frame-hdr"), ("with", "-Wl,--eh-frame-hdr")):
            program = self._compile(name, "-static", table, str(_FOLDER / "program.c"), str(_ARCHIVE))
            profile = Path(self.folder.name, name + ".pb.gz")
            result = _run([program], HAKMEM_PROFILE=str(profile))
            self.assertEqual((result.returncode, result.stdout), (0, "ok\n"), (name, result.stderr))
            self.assertGreater(profile.stat().st_size, 100)

    def test_opened(self) -> None:
        opener = self._compile("opener", str(_FOLDER / "opener.c"))
        result = _run([opener, str(_OPENED.resolve())])
        self.assertEqual((result.returncode, result.stdout), (0, "ok\n"), result.stderr)

    def test_no_names_that_only_glibc_has(self) -> None:
        listing = _run(["nm", "--dynamic", "--defined-only", "--format=posix", str(_SHARED)]).stdout
        names = {line.split()[0] for line in listing.splitlines()}
        self.assertLessEqual({"malloc", "free", "calloc", "aligned_alloc", "hak_stats_get"}, names)
        self.assertEqual(names & _ONLY_GLIBC, set())
        self.assertEqual([name for name in names if name.startswith("__libc_")], [])


if __name__ == "__main__":
    unittest.main()
