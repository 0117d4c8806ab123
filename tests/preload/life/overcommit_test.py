# SPDX-License-Identifier: MIT
"""vm.overcommit_memory=2: the kernel promises no more memory than it has, and counts what is writable.

This switches it for the whole machine, for the time of the test: tagged "manual" and "exclusive". The limit of the
promise is set so high that no other process meets it; what it was is restored in the end, also where Bazel's limit of
time ends the test. For root only.
"""

import contextlib
import os
import resource
import signal
import sys
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.preload.life import run, smaps
from tests.preload.life.limits_test import EndOfMemoryTest

SETTINGS = Path("/proc/sys/vm")

# In percent of the memory: terabytes where there are gigabytes.
RATIO = 100_000

STRICT = 2

# Room for the page map, and for nothing that would hurt the machine.
PYTHON_ADDRESS_SPACE = 4096 * run.MIB


def read(name: str) -> int:
    return int((SETTINGS / name).read_text())


def write(name: str, value: int) -> None:
    (SETTINGS / name).write_text(f"{value}\n")


def accountable_bytes(mappings: list[smaps.Mapping]) -> int:
    return sum(mapping.size for mapping in mappings if "ac" in mapping.flags)


@contextmanager
def strict_overcommit() -> Iterator[None]:
    mode, ratio, kilobytes = read("overcommit_memory"), read("overcommit_ratio"), read("overcommit_kbytes")
    try:
        write("overcommit_ratio", RATIO)
        write("overcommit_memory", STRICT)
        yield
    finally:
        write("overcommit_memory", mode)
        # Of these two the one written last holds, and the other reads 0.
        if kilobytes != 0:
            write("overcommit_kbytes", kilobytes)
        else:
            write("overcommit_ratio", ratio)


class OvercommitTest(EndOfMemoryTest):
    """With the tests of the end of memory, once more."""

    def setUp(self) -> None:
        if not os.access(SETTINGS / "overcommit_memory", os.W_OK):
            print("skipped: not root")
            self.skipTest("vm.overcommit_memory is for root to set")
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        contexts.enter_context(strict_overcommit())

    def test_python(self) -> None:
        script = str(run.PROGRAMS / "scripts" / "workload.py")
        limits = {resource.RLIMIT_AS: PYTHON_ADDRESS_SPACE}
        expected = self.expect_end(run.run(["/usr/bin/python3", script], library=None, limits=limits))
        ended = self.expect_end(run.run(["/usr/bin/python3", script], limits=limits))
        self.assertEqual(ended.stdout, expected.stdout)

    def test_threads(self) -> None:
        reports = self.under_hakmem("churn", 10_000).lines()
        self.assertEqual(reports[-1]["when"], "freed")

    def test_reservation_is_not_counted(self) -> None:
        script = "blocks = [bytes(1000) for _ in range(60000)]; print(open('/proc/self/smaps').read())"
        counted = {}
        for library in (None, run.LIBRARY):
            ended = self.expect_end(run.run(["/usr/bin/python3", "-c", script], library=library))
            counted[library] = accountable_bytes(smaps.parse(ended.stdout))
        grown = counted[run.LIBRARY] - counted[None]
        print(f"accountable: {grown >> 20} MiB more than with glibc")
        self.assertGreater(counted[None], 60 * run.MIB)
        self.assertLess(grown, 64 * run.MIB)


del EndOfMemoryTest  # not a second time by its own name

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    unittest.main()
