# SPDX-License-Identifier: MIT
"""Files are found out to be unwritable before anything is done, and one that cannot be written whole stays as it was."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tools.measure import files


class FilesTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.file = self.folder / "file"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def full_disk(self) -> None:
        """As on one that is full, a write fails from here on."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        self.addCleanup(signal.signal, signal.SIGXFSZ, before)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)

    def test_what_cannot_be_written_stays(self) -> None:
        self.file.write_text("before")
        self.full_disk()
        for path in (self.file, self.folder / "new"):
            with self.assertRaises(OSError):
                files.write_whole(path, "x" * 100)
        self.assertEqual((self.names(), self.file.read_text()), (["file"], "before"))

    def test_text_and_bytes(self) -> None:
        files.write_whole(self.file, "é")
        self.assertEqual(self.file.read_bytes(), b"\xc3\xa9")
        files.write_whole(self.file, b"\xff")
        self.assertEqual((self.file.read_bytes(), self.names()), (b"\xff", ["file"]))

    def test_mode(self) -> None:
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        files.write_whole(self.file, "new")
        files.write_whole(self.folder / "own", "new", 0o600)
        modes = [path.stat().st_mode & 0o777 for path in (self.file, self.folder / "own")]
        self.assertEqual(modes, [0o640, 0o600])
        self.file.chmod(0o604)
        files.write_whole(self.file, "again")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o604)

    def test_a_link_stays_one(self) -> None:
        link = self.folder / "link"
        link.symlink_to("file")
        for text in ("one", "two"):  # the second time it leads to what is there
            files.require_writable(link)
            files.write_whole(link, text)
            self.assertEqual((link.is_symlink(), self.file.read_text()), (True, text))

    def test_what_is_no_regular_file_stays_what_it_is(self) -> None:
        """Root could put a file in the place of /dev/null."""
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        files.require_writable(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
            files.write_whole(pipe, "through it")
            self.assertEqual(reader.communicate(timeout=60)[0], "through it")
        self.assertTrue(pipe.is_fifo())
        self.assertEqual(self.names(), ["pipe"])

    def test_a_descriptor_is_written_to(self) -> None:
        """/dev/stdout leads to a pipe, which has no place, or to a file, which its owner goes on writing to."""
        script = (
            "from pathlib import Path\n"
            "from tools.measure import files\n"
            "for path in (Path('/dev/stdout'), Path('/dev/fd/1'), Path('/proc/self/fd/1')):\n"
            "    files.require_writable(path)\n"
            "    files.write_whole(path, 'line\\n')\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout, b"line\n" * 3)
        with open(self.file, "ab") as out:
            inode = os.fstat(out.fileno()).st_ino
            subprocess.run([sys.executable, "-c", script], env=environment, stdout=out, check=True)
        self.assertEqual((self.file.stat().st_ino, self.names()), (inode, ["file"]))
        self.assertTrue(self.file.read_bytes().endswith(b"line\n"))

    def test_a_file_in_a_folder_that_takes_no_other(self) -> None:
        """As another user than root, who may write anywhere."""
        self.file.write_text("before")
        self.file.chmod(0o666)
        self.folder.chmod(0o555)
        self.addCleanup(self.folder.chmod, 0o755)
        script = (
            "import os, sys\n"
            "from pathlib import Path\n"
            "from tools.measure import files\n"
            "try:\n"
            "    if os.geteuid() == 0:\n"
            "        os.setegid(65534)\n"
            "        os.seteuid(65534)\n"
            "except OSError:\n"
            "    sys.exit(77)\n"
            "path = Path(sys.argv[1])\n"
            "files.require_writable(path)\n"
            "files.write_whole(path, 'after')\n"
            "try:\n"
            "    files.require_writable(path.with_name('other'))\n"
            "except PermissionError:\n"
            "    print('refused')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.file)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 77:
            self.skipTest("there is no other user here")
        self.assertEqual((done.returncode, done.stdout), (0, "refused\n"), done.stderr)
        self.assertEqual((self.file.read_text(), self.names()), ("after", ["file"]))

    def test_what_can_be_written_is_left_as_it_is(self) -> None:
        files.require_writable(self.file)
        self.assertEqual(self.names(), [])
        self.file.write_text("before")
        files.require_writable(self.file)
        files.require_writable(Path("/dev/null"))
        self.assertEqual(self.file.read_text(), "before")

    def test_what_cannot_be_written_is_an_error_before(self) -> None:
        for path in (self.folder, self.folder / "none/file", Path("/proc/file"), self.folder / ("a" * 300)):
            with self.subTest(path), self.assertRaises(OSError):
                files.require_writable(path)

    def test_a_file_that_was_not_written_is_an_error_after_the_rest(self) -> None:
        done: list[str] = []

        def fail() -> None:
            raise OSError("full")

        with self.assertRaisesRegex(OSError, "full"), files.written_first(fail):
            done.append("printed")
        with files.written_first(lambda: done.append("written")):
            done.append("printed")
        self.assertEqual(done, ["printed", "written", "printed"])


if __name__ == "__main__":
    unittest.main()
