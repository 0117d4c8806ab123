# SPDX-License-Identifier: MIT
"""That the checks find breakage: programs under allocators with one defect each fail, under a sound one they pass."""

from __future__ import annotations

import contextlib
import resource
import unittest
from pathlib import Path
from typing import ClassVar

from bench.programs.workloads import allocator, registry, runner
from bench.programs.workloads.errors import CheckError

_HERE = Path(__file__).parent

# Each does a few seconds of work at most, so that a defect has time to show and the test to be over.
_PROGRAMS = ("lua", "perl", "git", "imagemagick")

# No defect shows in every program; a check that only one program could fail would be by chance.
_FAILING_LEAST = 2

# A program that lost its data may go round in circles: the kernel ends it. Each takes a few seconds otherwise.
_PROCESSOR_SECONDS = 20
_LIMIT_SECONDS = 600.0


class BrokenTest(unittest.TestCase):
    public: ClassVar[Path]
    runners: ClassVar[dict[str, runner.Runner]]
    references: ClassVar[dict[str, runner.Run]]

    @classmethod
    def setUpClass(cls) -> None:
        contexts = contextlib.ExitStack()
        cls.addClassCleanup(contexts.close)
        resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        scratch = contexts.enter_context(runner.scratch_folder())
        cls.public = allocator.public_folder(scratch / "public")
        tools = allocator.tools(cls.public)
        cls.runners, cls.references = {}, {}
        for name in _PROGRAMS:
            (workload,) = registry.FAMILIES[name]
            cls.runners[name] = runner.Runner(workload, tools, scratch / name, 1, _LIMIT_SECONDS)
            cls.references[name] = cls.runners[name].run(allocator.glibc(), watched=True)

    def check(self, library: Path, program: str) -> None:
        """As check.py does; raises CheckError."""
        tested = allocator.library(library.name, library, self.public)
        runner.check(self.runners[program].run(tested, watched=True), self.references[program], tested)

    def failures(self, defect: str) -> list[str]:
        """As many as are asked for: what fails after them says no more."""
        found: list[str] = []
        for program in _PROGRAMS:
            if len(found) == _FAILING_LEAST:
                break
            try:
                self.check(_HERE / f"broken_{defect}.so", program)
            except CheckError as error:
                found.append(str(error))
        return found

    def test_sound_allocator_passes(self) -> None:
        """So whatever fails below fails for its defect."""
        self.assertEqual(self.failures("sound"), [])

    def test_defects_are_found(self) -> None:
        for defect in ("short", "misaligned", "dirty", "forgetful", "twice"):
            with self.subTest(defect):
                found = self.failures(defect)
                self.assertGreaterEqual(len(found), _FAILING_LEAST, found)
                for message in found:
                    self.assertNotIn("answered by", message)

    def test_line_of_the_allocator_is_found(self) -> None:
        with self.assertRaisesRegex(CheckError, "lua5.4 made the allocator say: hakmem: this is not an error"):
            self.check(_HERE / "broken_chatty.so", "lua")

    def test_name_that_another_library_answers_is_found(self) -> None:
        with self.assertRaisesRegex(CheckError, "aligned_alloc of lua5.4 was answered by .*libc.so.6"):
            self.check(_HERE / "broken_partial.so", "lua")

    def test_library_without_malloc_is_found(self) -> None:
        with self.assertRaisesRegex(CheckError, "malloc of lua5.4 was answered by .*libc.so.6"):
            self.check(Path(allocator.__file__).parent / "libwitness.so", "lua")


if __name__ == "__main__":
    unittest.main()
