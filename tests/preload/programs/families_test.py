# SPDX-License-Identifier: MIT
"""The families' own reading and generating: what clients print, and inputs that depend on the seed alone."""

from __future__ import annotations

import random
import re
import unittest

from bench.programs.workloads import generate, registry
from bench.programs.workloads.errors import CheckError
from bench.programs.workloads.families import git, nginx, postgres, redis

_WRK = """\
Running 3s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  3012 requests in 3.10s, 56.06MB read
Requests/sec:    971.61
"""

_PGBENCH = """\
number of transactions actually processed: 6000/6000
number of failed transactions: 0 (0.000%)
latency average = 1.030 ms
initial connection time = 5.012 ms
tps = 3000.000000 (without initial connection time)
"""


class ThroughputTest(unittest.TestCase):
    def test_wrk(self) -> None:
        self.assertEqual(nginx.throughput(_WRK), (3012, 3.10))
        self.assertEqual(nginx.throughput(_WRK.replace("3.10s", "250.00ms")), (3012, 0.25))

    def test_wrk_with_errors(self) -> None:
        for line in ("  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"):
            with self.assertRaises(CheckError):
                nginx.throughput(_WRK + line)
        with self.assertRaises(CheckError):
            nginx.throughput(_WRK.replace("3012 requests", "0 requests"))

    def test_pgbench(self) -> None:
        self.assertEqual(postgres.throughput(_PGBENCH), (6000, 2.0))

    def test_pgbench_with_failures(self) -> None:
        for wrong in (_PGBENCH.replace("transactions: 0", "transactions: 1"), ""):
            with self.assertRaises(CheckError):
                postgres.throughput(wrong)


class InputsTest(unittest.TestCase):
    def test_seed_decides(self) -> None:
        generators = {
            "text": lambda generator: generate.text(generator, 50),
            "picture": lambda generator: generate.picture(generator, 40, 30),
            "history": git.history,
            "commands": redis.commands,
        }
        for name, make in generators.items():
            with self.subTest(name):
                self.assertEqual(make(random.Random(3)), make(random.Random(3)))
                self.assertNotEqual(make(random.Random(3)), make(random.Random(4)))

    def test_words_differ(self) -> None:
        self.assertEqual(len(set(generate.words(random.Random(1), 3_000))), 3_000)

    def test_picture_has_its_size(self) -> None:
        self.assertEqual(len(generate.picture(random.Random(1), 40, 30)), len(b"P6\n40 30\n255\n") + 40 * 30 * 3)


class RegistryTest(unittest.TestCase):
    def test_workloads_are_told_apart(self) -> None:
        names = [workload.name for workloads in registry.FAMILIES.values() for workload in workloads]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, re.compile(r"^[a-z][a-z_]*$"))

    def test_every_workload_says_what_it_needs(self) -> None:
        for workloads in registry.FAMILIES.values():
            for workload in workloads:
                self.assertTrue(workload.needs and workload.programs and workload.task, workload.name)


if __name__ == "__main__":
    unittest.main()
