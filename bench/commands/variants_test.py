# SPDX-License-Identifier: MIT
"""Every target that names a combination of switches runs a hakmem that was built with it."""

from __future__ import annotations

import subprocess
import unittest
from pathlib import Path

from bench.commands import ladder
from bench.engine import worker
from bench.engine.variants import COMBINATIONS

_BENCH = Path(__file__).parent.parent
_BENCHMARKS = ("tiny", "tiny_mt", "allocators")
_STEPS = (*ladder.STEPS, "p1_p3")
"""Those whose workers the test builds: the ladder's, and one that is none of them."""


class VariantsTest(unittest.TestCase):
    def test_probes_say_their_targets_name(self) -> None:
        for name, config in COMBINATIONS.items():
            with self.subTest(name=name):
                self.assertEqual(worker.config(worker.executable(f"probe_hakmem_{name}")), config)

    def test_workers_say_their_targets_name(self) -> None:
        for name in _STEPS:
            for kind in ("worker_hakmem", "worker_hakmem_shared"):
                with self.subTest(worker=kind, name=name):
                    self.assertEqual(worker.config(worker.executable(f"{kind}_{name}")), COMBINATIONS[name])

    def test_benchmarks_say_their_targets_name(self) -> None:
        for name in _STEPS:
            config = COMBINATIONS[name]
            for kind in _BENCHMARKS:
                with self.subTest(benchmark=kind, name=name):
                    program = [str(_BENCH / f"{kind}_{name}"), "--config-only"]
                    done = subprocess.run(program, capture_output=True, text=True, check=False)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, config + "\n", ""))

    def test_there_are_sixteen(self) -> None:
        self.assertEqual(len(set(COMBINATIONS.values())), 16)


if __name__ == "__main__":
    unittest.main()
