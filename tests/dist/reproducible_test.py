# SPDX-License-Identifier: MIT
"""The packing tools give the same bytes for the same inputs, whoever runs them, where and when; and what they say of
inputs that are wrong."""

import os
import re
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

TARBALL, DEB, MAINTAINER = sys.argv[1:4]
PACKING = sys.argv[4:]

_EPOCH_OF_ANOTHER_DAY = 1_000_000_000


def moved(folder: Path, argument: str) -> str:
    """The argument with its file, if it names one, as a copy of another time and mode in `folder`."""
    name, _, value = argument.partition("=")
    if not Path(value).is_file():
        return argument
    copy = folder / Path(value).name
    copy.write_bytes(Path(value).read_bytes())
    copy.chmod(0o600)
    os.utime(copy, (_EPOCH_OF_ANOTHER_DAY, _EPOCH_OF_ANOTHER_DAY))
    return f"{name}={copy}"


class ReproducibleTest(unittest.TestCase):
    def packed(self, tool: str, *arguments: str, umask: int = 0o022, **environment: str) -> Path:
        output = consumer.scratch_folder() / "output"
        before = os.umask(umask)
        try:
            consumer.run(tool, *arguments, f"--output={output}", **environment)
        finally:
            os.umask(before)
        return output

    def assert_reproducible(self, tool: str, *arguments: str) -> Path:
        first = self.packed(tool, *arguments)
        elsewhere = consumer.scratch_folder()
        other = [moved(elsewhere, argument) for argument in arguments]
        self.assertNotEqual(other, list(arguments))
        second = self.packed(
            tool,
            *other,
            umask=0o077,
            TZ="Asia/Tokyo",
            LC_ALL="C.UTF-8",
            TMPDIR=str(elsewhere),
            SOURCE_DATE_EPOCH=str(_EPOCH_OF_ANOTHER_DAY),
            PYTHONHASHSEED="1",
        )
        self.assertEqual(first.read_bytes(), second.read_bytes())
        return first

    def assert_all_of_one_day(self, listing: str) -> None:
        """Every line of `tar --list --verbose --full-time`, in UTC, has the time of the version."""
        date = next(argument.removeprefix("--date=") for argument in PACKING if argument.startswith("--date="))
        self.assertGreater(len(listing.splitlines()), 10)
        self.assertEqual(set(re.findall(r" (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ", listing)), {f"{date} 00:00:00"})

    def test_tarball(self) -> None:
        archive = self.assert_reproducible(TARBALL, *PACKING)
        self.assert_all_of_one_day(
            consumer.run("tar", "--list", "--verbose", "--full-time", "--file", archive, TZ="UTC")
        )

    def test_deb(self) -> None:
        package = self.assert_reproducible(DEB, f"--maintainer={MAINTAINER}", *PACKING)
        self.assert_all_of_one_day(
            consumer.run(
                "sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar --list --verbose --full-time', "sh", package, TZ="UTC"
            )
        )

    def test_a_licence_is_installed(self) -> None:
        notice = consumer.scratch_folder() / "LICENSE"
        notice.write_text("Copyright 2001 Somebody\n\nDo as you like.\n")
        packing = [one for one in PACKING if not one.startswith("--notice=")]
        tar = self.packed(TARBALL, *packing, f"--notice={notice}")
        with tarfile.open(tar) as opened:
            member = opened.extractfile("share/doc/hakmem/LICENSE")
            assert member is not None
            self.assertEqual(member.read(), notice.read_bytes())
        deb = self.packed(DEB, f"--maintainer={MAINTAINER}", *packing, f"--notice={notice}")
        unpacked = consumer.scratch_folder()
        consumer.run("dpkg-deb", "--extract", deb, unpacked)
        said = (unpacked / "usr/share/doc/hakmem/copyright").read_text()
        self.assertIn("License: Expat\n", said)
        self.assertIn(" Copyright 2001 Somebody\n .\n Do as you like.\n", said)

    def test_a_package_without_a_holder_is_refused(self) -> None:
        notice = consumer.scratch_folder() / "LICENSE"
        notice.write_text("Do as you like.\n")
        packing = [one for one in PACKING if not one.startswith("--notice=")]
        line = [DEB, f"--maintainer={MAINTAINER}", *packing, f"--notice={notice}", f"--output={notice}.deb"]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        self.assertIn("no licence file names a holder", done.stderr)
        self.assertEqual(2, done.returncode)

    def test_wrong_inputs_are_refused(self) -> None:
        output = consumer.scratch_folder() / "output"
        wrong = {
            "--date=2001-02-30": "'2001-02-30' is no date; YYYY-MM-DD is allowed",
            "--man7=nowhere/hakmem.7": "nowhere/hakmem.7: No such file or directory",
            f"--shared={__file__}": "not an ELF file; the shared library is wanted",
        }
        for argument, words in wrong.items():
            with self.subTest(argument):
                done = subprocess.run(
                    [TARBALL, *PACKING, argument, f"--output={output}"],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=120,
                    check=False,
                )
                self.assertEqual(done.returncode, 2)
                self.assertIn(words, done.stderr)
                self.assertFalse(output.exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
