# SPDX-License-Identifier: MIT
"""The public header in every standard of C and C++ that the compilers know, and what a 32-bit processor is told."""

from __future__ import annotations

import subprocess
import unittest

_USE = '#include "hakmem/hakmem.h"\nint f(void);\nint f(void) { hak_free(hak_alloc(1)); return 0; }\n'
_STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
_C = ("c89", "gnu89", "c99", "c11", "c17", "c2x")
_CXX = ("c++98", "c++11", "c++14", "c++17", "c++20", "c++2b")


def _compile(command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


class HeaderTest(unittest.TestCase):
    def test_every_standard(self) -> None:
        for compiler in ("gcc", "clang"):
            for language, standards in (("c", _C), ("c++", _CXX)):
                for standard in standards:
                    with self.subTest(compiler=compiler, standard=standard):
                        command = [compiler, "-x", language, f"-std={standard}", *_STRICT, "-Ihakmem/include", "-"]
                        if compiler == "clang" and standard.endswith("89"):
                            command.insert(1, "-Wno-c99-extensions")  # its own stdbool.h is one
                        result = _compile(command, _USE)
                        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_32_bits_are_refused_first(self) -> None:
        result = _compile(["gcc", "-m32", "-x", "c", "-E", "-I.", "-"], '#include "hakmem/base/compiler.h"\n')
        self.assertNotEqual(result.returncode, 0)
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        self.assertIn('#error "hakmem needs a 64-bit processor', errors[0])


if __name__ == "__main__":
    unittest.main()
