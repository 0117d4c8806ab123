# SPDX-License-Identifier: MIT
"""One benchmark from its command line to its end: the printed result, every format, and every way to fail.

The benchmark's name and short arguments for it are this test's arguments: NAME [ARGUMENT ...].
"""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any

_BENCH = Path(__file__).parent.parent
_NAME, *_SHORT = sys.argv[1:] or [""]
_PROGRAM = str(_BENCH / _NAME)
_SCHEMA = _BENCH / "schema" / "benchmark.schema.json"

# A run that is interrupted must not end by itself before.
_ENDLESS = "--iterations=1000000000000"
_START_SECONDS = 600


def run(*line: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the benchmark to its end, short unless `line` says otherwise."""
    return subprocess.run(
        [_PROGRAM, *_SHORT, *line],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | (environment or {}),
    )


class ResultTest(unittest.TestCase):
    """What a short run prints."""

    def succeed(self, *line: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        done = run(*line, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_json(self) -> None:
        import jsonschema

        done = self.succeed("--format=json")
        self.assertEqual(done.stderr, "")
        result = json.loads(done.stdout)
        jsonschema.validate(result, json.loads(_SCHEMA.read_text()))
        self.assertEqual(result["benchmark"], _NAME)
        self.assertEqual(result["rounds"], 15)
        for row in result["contenders"]:
            self.assertLessEqual(row["ci95_low"], row["ratio_to_mimalloc"])
            self.assertLessEqual(row["ratio_to_mimalloc"], row["ci95_high"])
            if row["name"] == "mimalloc":
                self.assertEqual([row[key] for key in ("ratio_to_mimalloc", "ci95_low", "ci95_high")], [1, 1, 1])
        for workload in result["workloads"]:
            self.hold_rows(result, [row for row in result["contenders"] if row["workload"] == workload])

    def hold_rows(self, result: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        """Asserts who stands in which row of one workload, and how it was linked."""
        found = [(row["name"], row["link"]) for row in rows]
        if _NAME == "ladder":
            self.assertEqual(found, [("hakmem", "static")] * 3 + [("hakmem", "inlined")] * 2 + [("mimalloc", "shared")])
            steps = [row["config"] for row in rows]
            self.assertEqual(steps, ["none", "p0", "p0+p1", "p0+p1+p2", "p0+p1+p2+p3", None])
            return
        second = "inlined" if "p2" in result["config"] else "static"
        self.assertEqual(found, [("hakmem", "shared"), ("hakmem", second), ("mimalloc", "shared"), ("glibc", "shared")])

    def test_csv_has_a_line_for_each_row(self) -> None:
        lines = list(csv.DictReader(io.StringIO(self.succeed("--format=csv").stdout)))
        self.assertGreaterEqual(len(lines), 4)
        for line in lines:
            self.assertEqual((line["benchmark"], line["rounds"]), (_NAME, "15"))
            self.assertGreater(float(line["ns_per_op"]), 0)

    def test_table_says_how_to_read_a_ratio(self) -> None:
        """Also: variables that would change a contender are named and not passed on.

        The driver gets them as well, and Python 3.13 has a mimalloc of its own: none of them may make it say something.
        """
        done = self.succeed(environment={"HAKMEM_X": "1", "MIMALLOC_PURGE_DELAY": "5", "MALLOC_CHECK_": "3"})
        self.assertEqual(done.stderr, "not passed to the workers: HAKMEM_X, MALLOC_CHECK_, MIMALLOC_PURGE_DELAY\n")
        for part in ("mimalloc", "ns/op", "95 %", "below 1 is", "shared"):
            self.assertIn(part, done.stdout)
        self.assertNotIn("\x1b", done.stdout)


class EndingTest(unittest.TestCase):
    """Ends that are not success."""

    def test_wrong_arguments(self) -> None:
        done = run("--rounds=3")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage: ", done.stderr)

    def test_interrupt(self) -> None:
        process = subprocess.Popen(
            [_PROGRAM, *_SHORT, _ENDLESS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.wait_for_worker(process)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate()
        self.assertEqual((process.returncode, out), (130, ""))
        self.assertIn("interrupted", error)
        self.assertNotIn("Traceback", error)

    def wait_for_worker(self, process: subprocess.Popen[str]) -> None:
        """Returns when the benchmark has started its first worker: it is in the middle of its work then."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + _START_SECONDS
        while not children.read_text().strip():
            self.assertLess(time.monotonic(), deadline, "no worker was started")
            self.assertIsNone(process.poll(), "the benchmark ended by itself")

    def test_closed_pipe(self) -> None:
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([_PROGRAM, "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
        os.close(write_end)
        self.assertEqual((done.returncode, done.stderr), (128 + signal.SIGPIPE, ""))

    def test_full_disk(self) -> None:
        with open("/dev/full", "w") as full:
            done = subprocess.run([_PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
