"""A worker by itself: every workload with every block checked, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import unittest

from bench.driver import worker

_WORKER = str(worker.executable("worker_hakmem"))
_OPERATIONS = 6000

# Two units of 300 would be handed over at once; these wrap the rings many times.
_THREADS = 4


def run(*line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_WORKER, *line], capture_output=True, text=True, check=False)


def workloads() -> list[str]:
    """The names that --list prints."""
    return [line.split()[0] for line in run("--list").stdout.splitlines()]


class WorkloadTest(unittest.TestCase):
    def hold(self, workload: str, threads: int, *line: str) -> None:
        """Runs a workload and asserts that it did what was asked for."""
        done = run(f"--workload={workload}", f"--operations={_OPERATIONS}", f"--threads={threads}", *line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        self.assertEqual((result["workload"], result["threads"]), (workload, threads))
        self.assertEqual(result["operations"], _OPERATIONS * threads)
        self.assertGreater(result["ns"], 0)
        self.assertGreaterEqual(result["peak_rss_bytes"], result["rss_bytes"])

    def test_every_workload_keeps_its_blocks(self) -> None:
        self.assertGreaterEqual(len(workloads()), 9)
        for workload in workloads():
            with self.subTest(workload=workload):
                self.hold(workload, 1, "--verify")
                self.hold(workload, 1, "--warm-up=0")

    def test_workloads_of_several_threads_keep_their_blocks(self) -> None:
        for workload in ("local", "handover"):
            with self.subTest(workload=workload):
                self.hold(workload, _THREADS, "--verify")
                self.hold(workload, _THREADS)


class RefusalTest(unittest.TestCase):
    def refuse(self, *line: str) -> None:
        done = run(*line)
        self.assertEqual((done.returncode, done.stdout), (2, ""), line)
        self.assertIn("usage: ", done.stderr)

    def test_wrong_arguments(self) -> None:
        whole = ["--workload=pair", "--operations=5"]
        self.refuse()
        self.refuse("--workload=pair")
        self.refuse("--operations=5")
        self.refuse("--workload=none", "--operations=5")
        self.refuse(*whole, "--threads=2")
        self.refuse(*whole, "--threads=65")
        self.refuse(*whole, "word")
        self.refuse(*whole, "--unknown")
        for text in ("", "x", "-1", " 1", "1 ", "0x10", "99999999999999999999999"):
            self.refuse("--workload=pair", f"--operations={text}")


if __name__ == "__main__":
    unittest.main()
