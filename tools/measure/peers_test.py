# SPDX-License-Identifier: MIT
"""Peers are found where they are installed, and a contender notices when another library answered."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from tools.measure import peers
from tools.measure.contender import Contender
from tools.measure.program import BenchError


class InstalledTest(unittest.TestCase):
    """Beside the libraries of this processor there may be those of another, under the same names."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        own = peers.installed("libm.so.6").read_bytes()
        for kind, head in (("own", own[:64]), ("i386", own[:4] + b"\x01" + own[5:18] + b"\x03\x00" + own[20:64])):
            (self.folder / kind).mkdir()
            (self.folder / kind / "libm.so.6").write_bytes(head)

    def listing(self, *kinds: str) -> str:
        return "".join(f"\tlibm.so.6 (libc6) => {self.folder}/{kind}/libm.so.6\n" for kind in kinds)

    def test_the_library_of_another_processor_is_passed_over(self) -> None:
        own = self.folder / "own/libm.so.6"
        self.assertEqual(peers.listed(self.listing("i386", "own"), "libm.so.6"), own)
        self.assertEqual(peers.listed(self.listing("own", "i386"), "libm.so.6"), own)

    def test_only_that_of_another_processor_or_one_that_is_gone_is_none(self) -> None:
        self.assertIsNone(peers.listed(self.listing("i386"), "libm.so.6"))
        self.assertIsNone(peers.listed(self.listing("gone"), "libm.so.6"))
        self.assertIsNone(peers.listed(self.listing("own"), "libc.so.6"))


class MoreTest(unittest.TestCase):
    def test_the_newest_of_this_processor_is_taken_and_the_package_named_where_there_is_none(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with self.assertRaisesRegex(
                BenchError, "tbbmalloc is not installed: Debian's package libtbbmalloc2 has it"
            ):
                peers.more("tbbmalloc", folder)
            own = peers.installed("libm.so.6").read_bytes()[:64]
            for version, head in (("14", own), ("15", own), ("16", b"text")):
                path = folder / f"llvm-{version}/lib/clang/{version}/lib/linux/libclang_rt.scudo_standalone-x86_64.so"
                path.parent.mkdir(parents=True)
                path.write_bytes(head)
            self.assertIn("/llvm-15/", str(peers.more("scudo", folder)))


class ContenderTest(unittest.TestCase):
    def test_a_library_that_did_not_load_is_an_error(self) -> None:
        libc = peers.installed("libc.so.6")
        Contender("glibc").check({"allocator": str(libc)})
        Contender("other", library=libc).check({"allocator": str(libc)})
        for said, library in ((str(libc), Path("/bin/sh")), ("/bin/sh", None), (None, None)):
            with self.assertRaisesRegex(BenchError, "malloc"):
                Contender("x", library=library).check({"allocator": said})

    def test_a_build_with_other_switches_and_another_link_is_an_error(self) -> None:
        one = Contender("x", "static", config="none")
        one.check({"config": "none", "link": "static"})
        for config, link in (("p0", "static"), ("none", "inlined"), (None, None)):
            with self.assertRaisesRegex(BenchError, "x should be"):
                one.check({"config": config, "link": link})


if __name__ == "__main__":
    unittest.main()
