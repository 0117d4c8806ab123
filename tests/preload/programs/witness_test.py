# SPDX-License-Identifier: MIT
"""What the witness's record has to say before a run counts as one under the allocator."""

from __future__ import annotations

import unittest
from pathlib import Path

from bench.programs.workloads import witness
from bench.programs.workloads.errors import CheckError

_LIBRARY = Path("/usr/lib/liballocator.so")
_START = f"start\t5\t/usr/bin/lua5.4\tmalloc={_LIBRARY}\tfree={_LIBRARY}\n"
_END = "end\t5\t/usr/bin/lua5.4\t0\n"


class WitnessTest(unittest.TestCase):
    def check(self, text: str, *, is_glibc: bool = False, programs: tuple[str, ...] = ("lua*",)) -> None:
        witness.check(text, _LIBRARY, is_glibc, programs)

    def refuse(self, text: str, message: str, *, is_glibc: bool = False) -> None:
        with self.assertRaisesRegex(CheckError, message):
            self.check(text, is_glibc=is_glibc)

    def test_one_process_from_start_to_end(self) -> None:
        self.check(_START + _END)
        self.check(_START.replace("5", "6", 1) + _START + _END)

    def test_nobody_started(self) -> None:
        self.refuse("", r"no process of lua\* ran under the allocator; those that did: none")

    def test_only_another_program_started(self) -> None:
        self.refuse((_START + _END).replace("lua5.4", "sh"), r"no process of lua\* ran .* those that did: sh")

    def test_nobody_ended_in_order(self) -> None:
        self.refuse(_START, r"no process of lua\* came to its orderly end")

    def test_another_library_answers_one_name(self) -> None:
        text = _START.replace(f"free={_LIBRARY}", "free=/usr/lib/other.so") + _END
        self.refuse(text, "free of lua5.4 was answered by /usr/lib/other.so")

    def test_glibc_gave_memory(self) -> None:
        self.refuse(_START + _END.replace("\t0", "\t135168"), "glibc's own allocator had taken 135168 bytes")

    def test_glibc_under_glibc(self) -> None:
        self.check(_START + _END.replace("\t0", "\t135168"), is_glibc=True)
        self.refuse(_START + _END, "had taken 0 bytes", is_glibc=True)

    def test_line_of_somebody_else(self) -> None:
        for line in ("hello\n", "start\t5\t/usr/bin/lua5.4\n", "end\t5\n"):
            self.refuse(_START + _END + line, "not a record")


if __name__ == "__main__":
    unittest.main()
