# SPDX-License-Identifier: MIT
"""A program that is built with ThreadSanitizer, by either compiler, ends with one line that says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

_LIBRARY = Path("hakmem/preload/libhakmem.so").resolve()
_SOURCE = "#include <stdlib.h>\nint main(void) { free(malloc(10)); return 0; }\n"
_SAID = "hakmem: this program is built with ThreadSanitizer, which has an allocator of its own: run it without hakmem\n"


class SanitizerTest(unittest.TestCase):
    def test_one_line(self) -> None:
        for compiler in ("gcc", "clang"):
            with self.subTest(compiler=compiler), tempfile.TemporaryDirectory() as folder:
                self.assertIsNotNone(shutil.which(compiler), "tools/setup --tests installs it")
                program = str(Path(folder, "program"))
                command = [compiler, "-fsanitize=thread", "-x", "c", "-", "-o", program]
                subprocess.run(command, input=_SOURCE, text=True, check=True)
                result = subprocess.run(
                    [program],
                    env={**os.environ, "LD_PRELOAD": str(_LIBRARY)},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    check=False,
                )
                self.assertEqual((result.returncode, result.stderr), (1, _SAID))


if __name__ == "__main__":
    unittest.main()
