# SPDX-License-Identifier: MIT
"""Go and Python with the library as //:dist installs it, by the commands of docs/build.md."""

import json
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, DIST, VERSION = sys.argv[1:4]


class LanguagesTest(unittest.TestCase):
    source: Path
    prefix: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.source = unpacked.unpacked(ARCHIVE)
        cls.prefix = unpacked.scratch_folder()
        with tarfile.open(DIST) as tar:
            tar.extractall(cls.prefix)

    def test_go_counts_what_c_allocates(self) -> None:
        said = unpacked.run(
            unpacked.documented("Go"),
            self.source,
            PKG_CONFIG_PATH=str(self.prefix / "lib/pkgconfig"),
            LD_LIBRARY_PATH=str(self.prefix / "lib"),
            GOPROXY="off",
        )
        self.assertIn(f"hakmem {VERSION} counts 1000 of 1000 blocks\n", said)

    def test_python_reads_the_statistics(self) -> None:
        said = unpacked.run(unpacked.documented("Python").replace("/opt/hakmem", str(self.prefix)), self.source)
        statistics = json.loads(said)
        self.assertEqual(VERSION, statistics["library"])
        self.assertGreater(statistics["pools"]["tiny"]["live_blocks"], 1000)

    def test_python_says_where_it_is_not_preloaded(self) -> None:
        program = self.source / "bindings/python/hakmem.py"
        done = subprocess.run(["/usr/bin/python3", program], capture_output=True, text=True, check=False)
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertIn("hakmem is not preloaded: LD_PRELOAD=", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
