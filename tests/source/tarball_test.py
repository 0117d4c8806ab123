# SPDX-License-Identifier: MIT
"""What lies in the source tarball: the same bytes for the same inputs, and nothing of the machine that packed it."""

import gzip
import hashlib
import re
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, WRAP, PACK, VERSION, DATE = sys.argv[1:6]
_TOP = f"hakmem-{VERSION}"


class TarballTest(unittest.TestCase):
    def test_members_are_those_of_a_release(self) -> None:
        with tarfile.open(ARCHIVE) as tar:
            members = tar.getmembers()
        names = [member.name for member in members]
        files = [member.name for member in members if not member.isdir()]
        self.assertEqual(sorted(files), files)
        self.assertEqual({_TOP}, {name.split("/")[0] for name in names})
        self.assertEqual({(0, 0, "", "")}, {(one.uid, one.gid, one.uname, one.gname) for one in members})
        self.assertEqual(1, len({one.mtime for one in members}))
        self.assertEqual({0o644}, {one.mode for one in members if one.isfile()})
        wanted = {"CMakeLists.txt", "LICENSE", "meson.build", "docs/build.md", "generated/codegen/hak_classes.h"}
        self.assertEqual(set(), {f"{_TOP}/{name}" for name in wanted} - set(names))
        self.assertFalse([name for name in names if re.search(r"/(BUILD|target|.*\.pyc|os/fake)(/|$)", name)])

    def test_every_include_of_a_source_is_there(self) -> None:
        folder = unpacked.unpacked(ARCHIVE)
        places = [folder, folder / "hakmem/include", folder / "generated"]
        count = 0
        for source in (folder / "hakmem").rglob("*.[ch]*"):
            for name in re.findall(r'^#include "(.*)"', source.read_text(encoding="utf-8"), re.MULTILINE):
                self.assertTrue(any((place / name).is_file() for place in places), f"{source} includes {name}")
                count += 1
        self.assertGreater(count, 300)

    def test_the_wrap_file_names_the_tarball(self) -> None:
        wrap = Path(WRAP).read_text(encoding="ascii")
        self.assertIn(f"directory = {_TOP}\n", wrap)
        self.assertIn(f"source_filename = {Path(ARCHIVE).name}\n", wrap)
        self.assertIn(f"source_hash = {hashlib.sha256(Path(ARCHIVE).read_bytes()).hexdigest()}\n", wrap)

    def test_order_and_place_of_the_inputs_make_no_difference(self) -> None:
        here = unpacked.scratch_folder()
        for name in ("b.c", "a.c", "built"):
            (here / name).write_text(name, encoding="ascii")
        archives = []
        for number, (sources, built) in enumerate(((["a.c", "b.c"], "built"), (["b.c", "./a.c"], here / "built"))):
            output = here / f"{number}.tar.gz"
            arguments = ["--version=1.2.3", f"--date={DATE}", f"--output={output}", f"--wrap={here}/wrap"]
            pack = Path(PACK).absolute()
            subprocess.run([pack, *arguments, f"--built=x/y={built}", *sources], check=True, cwd=here)
            archives.append(output.read_bytes())
        self.assertEqual(archives[0], archives[1])
        # No time in the head of gzip's format.
        self.assertEqual(b"\0\0\0\0", archives[0][4:8])
        self.assertIn(b"hakmem-1.2.3/x/y", gzip.decompress(archives[0]))

    def test_wrong_inputs_are_refused(self) -> None:
        here = unpacked.scratch_folder()
        for arguments, words in {
            ("nowhere.c",): "nowhere.c: No such file or directory",
            ("--built=x",): "--built x: NAME=FILE is wanted",
            ("--date=2001-02-30",): "YYYY-MM-DD is allowed",
        }.items():
            command = [PACK, "--version=1", f"--date={DATE}", f"--output={here}/o", f"--wrap={here}/w", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(2, done.returncode)
            self.assertIn(words, done.stderr)
            self.assertFalse((here / "o").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
