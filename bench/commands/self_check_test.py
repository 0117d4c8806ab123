# SPDX-License-Identifier: MIT
"""The checks of a worker find what they look for, and it says which library answered: controls of both.

The library that breaks its promises is bench/testing/broken_malloc.c.
"""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from pathlib import Path

import jsonschema

from bench.engine import valgrind, worker
from tools.measure import process
from tools.measure.contender import Contender

_WORKER = worker.executable("worker_malloc")
_BROKEN = worker.executable("libbroken-malloc.so")
_SLOW = worker.executable("libslow-malloc.so")
_HAKMEM = Path(__file__).parent.parent.parent / "hakmem" / "preload" / "libhakmem.so"
_SCHEMA = json.loads((_WORKER.parent / "worker.schema.json").read_text())


def run(library: Path | None, promise: str, *line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A worker with `library` preloaded, which breaks `promise` where it is the broken one."""
    environment = process.clean_environment(os.environ) | {"BROKEN_MALLOC": promise} | more
    if library is not None:
        environment["LD_PRELOAD"] = str(library)
    return subprocess.run(
        [str(_WORKER), "--operations=6000", *line], env=environment, capture_output=True, text=True, check=False
    )


class SelfCheckTest(unittest.TestCase):
    def find(self, promise: str, message: str, *line: str) -> None:
        """The promise kept is no error; the same promise broken is one, and `message` says which."""
        kept = run(_BROKEN, "", *line)
        self.assertEqual((kept.returncode, kept.stderr), (0, ""))
        done = run(_BROKEN, promise, *line)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(message, done.stderr)

    def test_a_block_given_out_twice_is_found(self) -> None:
        self.find("overlap", "byte changed while it was live", "--workload=batch_lifo", "--verify")
        self.find("overlap", "byte changed while it was live", "--workload=replacement_64k", "--verify")
        self.find("overlap", "sum of what was read", "--workload=replacement_64k")
        self.find("overlap", "sum of what was read", "--workload=sizes_compiler", "--latency")

    def test_a_calloc_that_does_not_clear_is_found(self) -> None:
        self.find("dirty", "a byte that is not zero", "--workload=calloc", "--verify")
        self.find("dirty", "bits that are wrong", "--workload=calloc")

    def test_a_realloc_that_does_not_copy_is_found(self) -> None:
        self.find("forget", "byte changed while it was live", "--workload=realloc_growth", "--verify")
        self.find("forget", "sum of what was read", "--workload=realloc_growth")

    def test_a_block_that_is_not_aligned_is_found(self) -> None:
        self.find("misalign", "misaligned", "--workload=aligned", "--verify")
        self.find("misalign", "bits that are wrong", "--workload=aligned")


class NoBlockTest(unittest.TestCase):
    def test_a_call_that_gives_nothing_ends_every_workload(self) -> None:
        """In the plain form, which is timed: nobody is measured who does nothing."""
        for workload in json.loads(process.start([str(_WORKER), "--list=json"])):
            done = run(
                _BROKEN,
                "null",
                f"--workload={workload['name']}",
                f"--threads={workload['threads'][0]}",
                f"--operations={workload['quick_operations']}",
                BROKEN_MALLOC_FROM="50",
            )
            self.assertEqual((done.returncode, done.stdout), (1, ""), workload["name"])
            self.assertIn(f"{workload['name']}: the allocator gave no block", done.stderr)


class SlowTest(unittest.TestCase):
    def test_what_a_slow_library_adds_is_counted(self) -> None:
        """bench/testing/slow_malloc.c: four instructions a step, in each malloc. Counts do not depend on the machine."""

        def instructions(steps: int) -> float:
            options = (("SLOW_MALLOC", f"steps:{steps}"),)
            slow = Contender("slow", worker=_WORKER, library=_SLOW, options=options)
            return valgrind.per_operation(slow, "pair", 1000, 1).instructions

        self.assertEqual(instructions(40) - instructions(10), 4 * 30)


class LibraryTest(unittest.TestCase):
    def test_the_library_that_answers_is_named(self) -> None:
        done = run(_HAKMEM, "", "--workload=replacement")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        jsonschema.validate(result, _SCHEMA)
        self.assertEqual(Path(result["allocator"]).name, "libhakmem.so")
        self.assertEqual((result["link"], result["config"]), ("preload", "p0+p1+p2+p3"))

    def test_without_a_library_it_is_libc(self) -> None:
        result = json.loads(run(None, "", "--workload=replacement").stdout)
        self.assertEqual(Path(result["allocator"]).name, "libc.so.6")
        self.assertIsNone(result["config"])

    def test_a_library_that_cannot_be_loaded_is_not_named(self) -> None:
        done = run(Path("/nowhere/libhakmem.so"), "", "--workload=replacement")
        self.assertEqual(Path(json.loads(done.stdout)["allocator"]).name, "libc.so.6")
        self.assertIn("cannot be preloaded", done.stderr)


if __name__ == "__main__":
    unittest.main()
