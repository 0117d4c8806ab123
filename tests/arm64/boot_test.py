# SPDX-License-Identifier: MIT
"""What boot.py makes and reads; no machine is started."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path

from tests.arm64 import boot

_SAID = """boot messages
hakmem-arm64: machine aarch64 6.12, pages of 16384, mmap gives 0x7fff, the stack 0x7ffe\r
hakmem-arm64: begin one\r
[  PASSED  ] 3 tests.
hakmem-arm64: end one status 0\r
hakmem-arm64: begin two\r
hakmem-arm64: end two signal 11\r
hakmem-arm64: begin three\r
"""


class BootTest(unittest.TestCase):
    def test_an_archive_that_cpio_reads_back(self) -> None:
        archive = gzip.decompress(boot.initramfs(b"init", {"a": b"12345"}, {"lib/libc.so.6": b"libc"}))
        names = [b"init", b"tests", b"lib", b"lib/libc.so.6", b"tests/a", b"TRAILER!!!"]
        at = 0
        for name in names:
            fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
            self.assertEqual((archive[at : at + 6], archive[at + 110 : at + 110 + len(name)]), (b"070701", name))
            at += -(-(110 + fields[11]) // 4) * 4
            if name == b"tests/a":
                self.assertEqual(archive[at : at + fields[6]], b"12345")
            at += -(-fields[6] // 4) * 4
        self.assertEqual(at, len(archive))

    def test_what_init_said(self) -> None:
        outcome = boot.read_outcome(_SAID)
        self.assertEqual(outcome.ended, {"one": "status 0", "two": "signal 11", "three": "not ended"})
        self.assertEqual(outcome.failed, ["two", "three"])
        self.assertFalse(outcome.is_done)
        self.assertIn("pages of 16384", outcome.machine)
        self.assertTrue(boot.read_outcome(_SAID + "hakmem-arm64: done 2 of 3 failed\n").is_done)
        self.assertEqual(boot.read_outcome("").ended, {})

    def test_a_kernel_out_of_a_package(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder, "vmlinuz")
            plain.write_bytes(b"MZ kernel")
            self.assertEqual(boot.kernel_of(plain), b"MZ kernel")
            with self.assertRaisesRegex(boot.Refusal, "No such file"):
                boot.kernel_of(Path(folder, "absent"))
            with self.assertRaisesRegex(boot.Refusal, "no Debian package"):
                broken = Path(folder, "broken.deb")
                broken.write_bytes(b"")
                boot.kernel_of(broken)
            if shutil.which("ar") is None:
                self.skipTest("there is no ar")
            for name, found in (("boot/vmlinuz-6.12-arm64", True), ("usr/share/doc/x", False)):
                package = Path(folder, f"{found}.deb")
                self._pack(Path(folder), package, name)
                if found:
                    self.assertEqual(boot.kernel_of(package), b"kernel")
                else:
                    with self.assertRaisesRegex(boot.Refusal, "no /boot/vmlinuz"):
                        boot.kernel_of(package)

    def _pack(self, folder: Path, package: Path, name: str) -> None:
        Path(folder, "debian-binary").write_text("2.0\n", encoding="ascii")
        for member, content in (("control.tar", "./control"), ("data.tar", f"./{name}")):
            with tarfile.open(folder / member, "w") as archive:
                entry = tarfile.TarInfo(content)
                entry.size = 6
                archive.addfile(entry, io.BytesIO(b"kernel"))
        members = ["debian-binary", "control.tar", "data.tar"]
        subprocess.run(["ar", "rc", str(package), *members], cwd=folder, check=True)

    def test_wrong_arguments(self) -> None:
        wrong: list[list[str]] = [[], ["--kernel=x"], ["--kernel=/absent", "--init=/absent", "--program=/absent"]]
        for arguments in wrong:
            with self.subTest(arguments=arguments), redirect_stderr(io.StringIO()) as said:
                try:
                    status = boot.main(arguments)
                except SystemExit as stopped:
                    status = int(stopped.code or 0)
                self.assertEqual(status, 2)
                self.assertIn("//tests/arm64", said.getvalue())


if __name__ == "__main__":
    unittest.main()
