# SPDX-License-Identifier: MIT
"""A worker by itself: every workload in every mode, on one to three threads, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema

from bench.engine import worker


_WORKER = str(worker.executable("worker_hakmem"))
_SCHEMA = json.loads((Path(__file__).parent.parent / "worker.schema.json").read_text())

# Two units of 300 would be handed over at once; these wrap the rings many times. Of large blocks fewer: what takes a moment.
_OPERATIONS = 6000

_THREADS_MOST = 3


def run(*line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_WORKER, *line], capture_output=True, text=True, check=False)


def operations_of(workload: dict[str, Any]) -> int:
    """Operations of each thread that a test asks for."""
    quick: int = workload["quick_operations"]
    return min(_OPERATIONS, quick)


def workloads() -> list[dict[str, Any]]:
    """What --list=json says."""
    listed: list[dict[str, Any]] = json.loads(run("--list=json").stdout)
    return listed


class WorkerTest(unittest.TestCase):
    def result(self, workload: dict[str, Any], threads: int, *line: str) -> dict[str, Any]:
        """Runs a workload and asserts that it did what was asked for."""
        unit = workload["unit"]
        asked = operations_of(workload)
        operations = -(-asked // unit) * unit
        done = run(f"--workload={workload['name']}", f"--operations={asked}", f"--threads={threads}", *line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result: dict[str, Any] = json.loads(done.stdout)
        jsonschema.validate(result, _SCHEMA)
        self.assertEqual((result["workload"], result["threads"]), (workload["name"], threads))
        self.assertEqual(result["operations"], operations * threads)
        self.assertGreaterEqual(result["peak_rss_bytes"], result["rss_bytes"])
        self.assertIn("worker_hakmem", result["allocator"])
        return result

    def for_each(self, check: Callable[[dict[str, Any], int], None], threads_most: int = _THREADS_MOST) -> None:
        """`check` with every workload on each number of threads that it allows, up to `threads_most`."""
        for workload in workloads():
            least, most = workload["threads"]
            for threads in range(least, min(most, threads_most) + 1):
                with self.subTest(workload=workload["name"], threads=threads):
                    check(workload, threads)


class ListTest(WorkerTest):
    def test_the_list_is_what_the_schema_says(self) -> None:
        jsonschema.validate(workloads(), _SCHEMA)

    def test_both_lists_name_the_same_workloads_once(self) -> None:
        names = [workload["name"] for workload in workloads()]
        self.assertEqual(names, [line.split()[0] for line in run("--list").stdout.splitlines()])
        self.assertEqual(len(set(names)), len(names))

    def test_operations_are_whole_units_and_quick_ones_fewer(self) -> None:
        for workload in workloads():
            with self.subTest(workload=workload["name"]):
                self.assertEqual(workload["default_operations"] % workload["unit"], 0)
                self.assertEqual(workload["quick_operations"] % workload["unit"], 0)
                self.assertLessEqual(workload["quick_operations"] * 10, workload["default_operations"])

    def test_a_group_says_how_many_threads(self) -> None:
        for workload in workloads():
            with self.subTest(workload=workload["name"]):
                self.assertEqual(workload["group"] == "single", workload["threads"] == [1, 1])


def named(name: str) -> dict[str, Any]:
    return next(workload for workload in workloads() if workload["name"] == name)


class WorkloadTest(WorkerTest):
    def test_every_workload_keeps_its_blocks(self) -> None:
        def check(workload: dict[str, Any], threads: int) -> None:
            self.result(workload, threads, "--verify")

        self.for_each(check)

    def test_every_form_of_a_loop_makes_the_same_decisions(self) -> None:
        def check(workload: dict[str, Any], threads: int) -> None:
            plain = self.result(workload, threads)
            self.assertEqual(plain["mode"], "plain")
            for mode in ("--verify", "--latency"):
                self.assertEqual(self.result(workload, threads, mode)["checksum"], plain["checksum"], mode)

        self.for_each(check, threads_most=2)

    def test_another_seed_makes_other_decisions(self) -> None:
        for name in ("replacement", "batch_random", "larson"):
            sums = {self.result(named(name), 1, f"--seed={seed}")["checksum"] for seed in (1, 2, 3)}
            self.assertEqual(len(sums), 3, name)

    def test_a_short_run_keeps_a_small_working_set(self) -> None:
        sets = [workload for workload in workloads() if workload["working_set_bytes"] is not None]
        self.assertEqual(max(one["working_set_bytes"] for one in sets), 1 << 28)
        for workload in sets:
            kept = self.result(workload, 1)["working_set_bytes"]
            self.assertEqual(kept, min(workload["working_set_bytes"], 256 * _OPERATIONS))


class LatencyTest(WorkerTest):
    def test_every_call_of_every_workload_is_timed(self) -> None:
        def check(workload: dict[str, Any], threads: int) -> None:
            result = self.result(workload, threads, "--latency")
            timed = result["latency"]
            self.assertEqual(timed["alloc"]["count"], result["operations"])
            resizes = workload["name"] == "realloc_growth"
            self.assertEqual(timed["free"]["count"] < result["operations"], resizes)
            for call in ("alloc", "free"):
                figures = [timed[call][key] for key in ("p50_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns")]
                self.assertEqual(figures, sorted(figures))
                # What is timed holds the timer, whose cost swings a little from one call to the next.
                self.assertGreater(figures[0], timed["timer_cost_ns"] / 4)

        self.for_each(check, threads_most=2)


def fullest_of(result: dict[str, Any]) -> dict[str, float]:
    """The sample with the most live bytes."""
    samples: list[dict[str, float]] = result["samples"]
    return max(samples, key=lambda sample: sample["live_bytes"])


class MemoryTest(WorkerTest):
    def test_every_workload_is_sampled_from_its_start(self) -> None:
        def check(workload: dict[str, Any], threads: int) -> None:
            result = self.result(workload, threads, "--memory", "--decay-ms=0")
            times = [sample["ms"] for sample in result["samples"]]
            self.assertEqual(times, sorted(times))
            self.assertGreater(max(sample["live_bytes"] for sample in result["samples"]), 0)
            self.assertEqual(result["decay_ms"], 0)
            self.assertEqual(result["checksum"], self.result(workload, threads, "--warm-up=0")["checksum"])

        self.for_each(check, threads_most=2)

    def test_live_bytes_are_those_of_the_workload(self) -> None:
        # 8 documents of 64 KiB each; every page of each is written.
        result = self.result(named("json"), 1, "--memory", "--decay-ms=0")
        fullest = fullest_of(result)
        self.assertEqual(fullest["live_bytes"], 8 * 65536)
        self.assertGreaterEqual(fullest["rss_bytes"] - result["baseline_rss_bytes"], fullest["live_bytes"])

    def test_freed_memory_goes_back_within_the_time(self) -> None:
        # A program of one thread that sleeps may keep 16 MiB: it is told to have a thread for that.
        with mock.patch.dict(os.environ, {"HAKMEM_PURGE_THREAD": "1"}):
            done = run("--workload=replacement_16m", "--operations=60000", "--memory")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        fullest = fullest_of(result)
        given_back = fullest["rss_bytes"] - result["rss_after_decay_bytes"]
        self.assertGreater(given_back, fullest["live_bytes"] // 2)
        self.assertLess(result["decay_ms"], 2000)

    def test_a_wait_of_less_than_a_second_has_one_figure(self) -> None:
        done = run("--workload=replacement_16m", "--operations=60000", "--memory", "--decay-ms=40")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads(done.stdout)
        self.assertEqual(result["rss_after_second_bytes"], result["rss_after_decay_bytes"])


class RefusalTest(unittest.TestCase):
    def refuse(self, why: str, *line: str) -> None:
        done = run(*line)
        self.assertEqual((done.returncode, done.stdout), (2, ""), line)
        self.assertIn("usage: ", done.stderr)
        self.assertIn(why, done.stderr)

    def test_wrong_arguments(self) -> None:
        whole = ["--workload=pair", "--operations=50"]
        self.refuse("missing")
        self.refuse("missing", "--workload=pair")
        self.refuse("missing", "--operations=5")
        self.refuse("--list prints them", "--workload=none", "--operations=5")
        self.refuse("argument word", *whole, "word")
        self.refuse("unrecognized", *whole, "--unknown")
        self.refuse("json", "--list=xml")
        for text in ("", "x", "-1", " 1", "1 ", "0x10", "99999999999999999999999"):
            self.refuse("a whole number", "--workload=pair", f"--operations={text}")

    def test_numbers_of_threads(self) -> None:
        self.refuse("one thread", "--workload=pair", "--operations=50", "--threads=2")
        self.refuse("from 1 to 64", "--workload=local", "--operations=50", "--threads=65")
        self.refuse("from 2 to 64", "--workload=producer_consumer", "--operations=50", "--threads=1")

    def test_modes_that_do_not_go_together(self) -> None:
        whole = ["--workload=pair", "--operations=50"]
        self.refuse("one of them at a time", *whole, "--verify", "--memory")
        self.refuse("one of them at a time", *whole, "--latency", "--memory")
        self.refuse("only --memory waits", *whole, "--decay-ms=5")
        self.refuse("only --verify looks at it", *whole, "--alignment=8")
        self.refuse("8 or 16 is wanted", *whole, "--verify", "--alignment=12")
        self.refuse("from its start", *whole, "--memory", "--warm-up=5")
        self.refuse("from 0 to 1500", *whole, "--memory", "--decay-ms=1501")
        self.refuse("needs 25", "--workload=pair", "--operations=24", "--memory")


if __name__ == "__main__":
    unittest.main()
