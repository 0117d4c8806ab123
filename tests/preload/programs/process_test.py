# SPDX-License-Identifier: MIT
"""Measuring and ending real processes: what is known beforehand must come out."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import unittest

from bench.programs.workloads import allocator, memory, runner
from bench.programs.workloads.errors import CheckError
from bench.programs.workloads.process import Process, Usage, descendants

_MIB = 1 << 20
_PYTHON = "/usr/bin/python3"

# Of a machine that is busy.
_SECONDS = 600


class ProcessTest(unittest.TestCase):
    def setUp(self) -> None:
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        self.folder = contexts.enter_context(runner.scratch_folder())
        self.launcher = allocator.tools(self.folder).launcher
        self.output = open(self.folder / "output", "w+b")
        self.addCleanup(self.output.close)

    def start(self, *command: str, preload: str = "") -> Process:
        process = Process(
            command,
            launcher=self.launcher,
            preload=preload,
            environment={"PATH": "/usr/bin:/bin"},
            folder=self.folder,
            stdin=self.output.fileno(),
            stdout=self.output.fileno(),
            stderr=self.output.fileno(),
        )
        self.addCleanup(process.kill)
        return process

    def python(self, code: str) -> Process:
        return self.start(_PYTHON, "-S", "-c", code)

    def written(self) -> str:
        return (self.folder / "output").read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while text not in self.written():
            self.assertLess(time.monotonic(), deadline, "the program did not say so")
            time.sleep(0.01)

    def test_statuses(self) -> None:
        self.assertEqual(self.start("true").wait(_SECONDS), 0)
        self.assertEqual(self.start("sh", "-c", "exit 7").wait(_SECONDS), 7)
        self.assertEqual(self.start("sh", "-c", "kill -SEGV $$").wait(_SECONDS), -signal.SIGSEGV)

    def test_program_that_is_not_there(self) -> None:
        self.assertEqual(self.start("no-such-program").wait(_SECONDS), 127)
        self.assertIn("no-such-program cannot be started: No such file", self.written())

    def test_preload_reaches_the_program_only(self) -> None:
        self.assertEqual(self.start("sh", "-c", "echo preload=$LD_PRELOAD", preload="/x/y.so").wait(_SECONDS), 0)
        # The dynamic linker of sh complains about the missing library; that of launch has none to miss.
        self.assertEqual(self.written().count("/x/y.so' from LD_PRELOAD"), 1)
        self.assertIn("preload=/x/y.so", self.written())

    def test_peak_is_the_programs_own(self) -> None:
        """A program that needs little looks little, though this process is much larger."""
        ballast = bytearray(200 * _MIB)
        small = self.start("true")
        small.wait(_SECONDS)
        self.assertLess(small.usage.peak_bytes, 8 * _MIB)
        del ballast
        large = self.python(f"x = bytearray({100 * _MIB}); x[::4096] = bytes(len(x[::4096]))")
        large.wait(_SECONDS)
        self.assertGreater(large.usage.peak_bytes, 100 * _MIB)
        self.assertLess(large.usage.peak_bytes, 150 * _MIB)

    def test_processor_time_of_the_whole_tree_counts(self) -> None:
        burn = "import time\nwhile time.process_time() < 0.4: pass"
        process = self.start("sh", "-c", f"{_PYTHON} -S -c '{burn}'; {_PYTHON} -S -c '{burn}'")
        process.wait(_SECONDS)
        self.assertGreater(process.usage.cpu_seconds, 0.79)
        self.assertLess(process.usage.cpu_seconds, 1.6)
        self.assertGreaterEqual(process.usage.wall_seconds, 0.79)

    def test_waiting_costs_wall_time_only(self) -> None:
        process = self.start("sleep", "0.3")
        process.wait(_SECONDS)
        self.assertGreaterEqual(process.usage.wall_seconds, 0.3)
        self.assertLess(process.usage.cpu_seconds, 0.1)

    def test_usage_adds_up(self) -> None:
        self.assertEqual(Usage(1.0, 2.0, 30, 7).then(Usage(0.5, 0.25, 20, 5)), Usage(1.5, 2.25, 30, 12))

    def test_page_faults_of_the_whole_tree_count(self) -> None:
        touch = f"x = bytearray({8 * _MIB}); x[::4096] = bytes(len(x[::4096]))"
        process = self.start("sh", "-c", f"{_PYTHON} -S -c '{touch}'; {_PYTHON} -S -c '{touch}'")
        process.wait(_SECONDS)
        self.assertGreater(process.usage.page_faults, 2 * 8 * _MIB // os.sysconf("SC_PAGE_SIZE"))

    def test_limit_of_time_ends_the_whole_tree(self) -> None:
        process = self.start("sh", "-c", "sleep 6000 & setsid sleep 6000 & echo started; wait")
        self.wait_for("started")
        while len(descendants(process.pid)) < 3:
            time.sleep(0.01)
        below = descendants(process.pid)
        with self.assertRaisesRegex(CheckError, "sh had not ended after 0.1 s"):
            process.wait(0.1)
        for child in below:
            child.wait(_SECONDS)
            self.assertFalse(child.is_running())

    def test_signal_is_passed_on(self) -> None:
        process = self.start("sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done")
        self.wait_for("ready")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(_SECONDS), 9)

    def test_shared_memory_counts_once(self) -> None:
        """Three processes share 90 MiB from one ancestor, and each has 20 MiB of its own."""
        code = (
            "import os, time, sys\n"
            f"shared = bytearray(b'x' * {90 * _MIB})\n"
            "for _ in range(3):\n"
            "    if os.fork() == 0:\n"
            f"        own = bytearray(b'y' * {20 * _MIB})\n"
            "        os.write(1, b'child')\n"
            "        time.sleep(6000)\n"
            "time.sleep(6000)\n"
        )
        process = self.python(code)
        self.wait_for("child" * 3)
        with memory.Sampler(process.pid) as sampler:
            deadline = time.monotonic() + _SECONDS
            while sampler.samples < 2:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
        self.assertGreater(sampler.peak_bytes, 150 * _MIB)
        self.assertLess(sampler.peak_bytes, 200 * _MIB)
        process.kill()

    def test_ended_tree_has_no_memory(self) -> None:
        process = self.start("true")
        process.wait(_SECONDS)
        self.assertEqual(memory.tree_bytes(process.pid), 0)


class LaunchTest(unittest.TestCase):
    def test_too_few_arguments(self) -> None:
        with runner.scratch_folder() as folder:
            launcher = allocator.tools(folder).launcher
            status = os.spawnv(os.P_WAIT, launcher, [str(launcher), "1"])
        self.assertEqual(status, 2)


if __name__ == "__main__":
    unittest.main()
