# SPDX-License-Identifier: MIT
"""The laboratory as a program, with workers that only say that they measured: arguments, files, ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from bench.lab import contenders
from bench.lab.report_test import validate
from bench.lab.testing import fake
from tools.measure import peers

_START_SECONDS = 600

# Runs that are timed: every contender of both workloads to calibrate, and in the round that is discarded.
_CONTENDERS = 5
_BEFORE_THE_ROUNDS = 2 * 2 * _CONTENDERS


class FakeRunTest(unittest.TestCase):
    def setUp(self) -> None:
        self.held = tempfile.TemporaryDirectory()
        self.addCleanup(self.held.cleanup)
        self.folder = Path(self.held.name)

    def command(self, *line: str) -> list[str]:
        return [sys.executable, "-m", "bench.lab.testing.fake", "--progress=0", *line, str(self.folder)]

    def environment(self) -> dict[str, str]:
        """Python finds the modules where it found them for this test."""
        return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def run_it(self, *line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*line), capture_output=True, text=True, check=False, env=self.environment())

    def runs(self) -> int:
        """Timed runs so far."""
        try:
            return (self.folder / fake.RUNS).stat().st_size
        except FileNotFoundError:
            return 0


class ReportsTest(FakeRunTest):
    def test_table_page_and_json_of_one_run(self) -> None:
        json_file, page = self.folder / "report.json", self.folder / "report.html"
        done = self.run_it("--quick", f"--json={json_file}", f"--html={page}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = json.loads(json_file.read_text())
        validate(report)
        self.assertTrue(report["complete"])
        self.assertEqual((report["mode"], report["rounds"]), ("quick", 15))
        found = {row["other"]: row["verdict"] for row in report["comparisons"]}
        self.assertEqual(found, {"mimalloc": "faster", "quick": "slower", "glibc": "equivalent"})
        self.assertIn("LOSSES: slower, 1", done.stdout)
        self.assertIn("<!DOCTYPE html>", page.read_text())
        # Calibration, a discarded round and fifteen that count, of one workload; then two runs each but for the control,
        # for system calls.
        self.assertEqual(self.runs(), _CONTENDERS * 17 + 2 * (_CONTENDERS - 1))
        self.compared_with_itself(json_file)

    def compared_with_itself(self, json_file: Path) -> None:
        """A second run against the first: nothing changed."""
        done = self.run_it("--quick", f"--compare={json_file}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("REGRESSIONS: 0\n", done.stdout)

    def test_only_what_is_asked_for(self) -> None:
        json_file = self.folder / "report.json"
        line = ("--workload=p*", "--contender=glibc", "--operations=7", "--rounds=16", "--seed=3")
        done = self.run_it(*line, f"--json={json_file}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = json.loads(json_file.read_text())
        self.assertEqual([row["name"] for row in report["workloads"]], ["pairs"])
        self.assertEqual(
            [row["name"] for row in report["contenders"]], [contenders.HAKMEM, contenders.HAKMEM + "-again", "glibc"]
        )
        # Of two threads.
        self.assertEqual({count for row in report["samples"] for count in row["operations"]}, {14})
        self.assertEqual({tuple(row["rounds"]) for row in report["samples"]}, {tuple(range(1, 17))})

    def test_list_measures_nothing(self) -> None:
        done = self.run_it("--list")
        self.assertEqual((done.returncode, done.stderr, self.runs()), (0, "", 0))
        for name in ("libraries/quick", "single/alone", "threads/pairs"):
            self.assertIn(name, done.stdout)

    def test_list_takes_nothing_that_it_would_ignore(self) -> None:
        for option in ("--format=csv", *(f"--{name}={self.folder / name}" for name in ("html", "json", "history"))):
            done = self.run_it("--list", option)
            self.assertEqual((done.returncode, done.stdout), (2, ""), option)
            self.assertIn("--list prints tables and measures nothing: no --format, ", done.stderr)


class EndTest(FakeRunTest):
    def end(self, number: signal.Signals, runs: int) -> tuple[int, str, dict[str, Any]]:
        """Sends a signal once so many timed runs are over; status, standard error and the report."""
        json_file = self.folder / "report.json"
        process = subprocess.Popen(
            self.command(f"--json={json_file}", "--rounds=500"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=self.environment(),
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while self.runs() < runs:
                self.assertLess(time.monotonic(), deadline, "it did not get so far")
                self.assertIsNone(process.poll(), "it ended by itself")
                time.sleep(0.01)
            os.killpg(process.pid, number)
            _, error = process.communicate(timeout=_START_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return process.returncode, error, json.loads(json_file.read_text())

    def test_an_interrupt_keeps_what_was_measured(self) -> None:
        rounds = 3
        # One run more: what the last one said may not have been read yet.
        status, error, report = self.end(signal.SIGINT, _BEFORE_THE_ROUNDS + rounds * 2 * _CONTENDERS + 1)
        self.assertEqual(status, 130)
        self.assertIn("interrupted in 'rounds': the report is partial", error)
        self.assertNotIn("Traceback", error)
        validate(report)
        self.assertFalse(report["complete"])
        self.assertEqual((report["ended_in"], report["ended_by"]), ("rounds", "interrupted"))
        self.assertEqual({row["verdict"] for row in report["comparisons"]}, {"incomplete"})
        self.assertGreaterEqual(min(len(row["rounds"]) for row in report["samples"]), rounds)
        self.assertEqual(report["memory"], [])

    def test_an_interrupt_before_the_rounds(self) -> None:
        status, _, report = self.end(signal.SIGINT, 1)
        self.assertEqual(status, 130)
        validate(report)
        self.assertFalse(report["complete"])

    def test_an_orderly_end_by_the_system(self) -> None:
        status, error, report = self.end(signal.SIGTERM, _BEFORE_THE_ROUNDS)
        self.assertEqual(status, 143)
        self.assertIn("terminated", error)
        self.assertFalse(report["complete"])

    def test_a_contender_that_fails_is_a_row_and_the_others_go_on(self) -> None:
        json_file, page = self.folder / "report.json", self.folder / "report.html"
        # The worker does not know this one: it ends with a message, and status 1.
        contenders_asked = ("--contender=unknown", "--contender=glibc")
        done = self.run_it("--quick", f"--json={json_file}", f"--html={page}", *contenders_asked)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("unknown (libraries) failed on alone, in 'verify': exited with status 1", done.stderr)
        self.assertIn("FAILED: 2", done.stdout)
        self.assertIn("unknown (libraries) failed on alone", page.read_text())
        report = json.loads(json_file.read_text())
        validate(report)
        self.assertEqual((report["complete"], report["ended_in"]), (True, None))
        (failure,) = [row for row in report["failures"] if row["phase"] == "verify"]
        self.assertEqual((failure["contender"], failure["workload"]), ("unknown", "alone"))
        self.assertEqual([row["other"] for row in report["comparisons"]], ["glibc"])


class RefusalTest(FakeRunTest):
    def refuse(self, *line: str, parts: tuple[str, ...]) -> None:
        """In this process: a program of its own takes as long to start as all that is refused."""
        out, error = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["lab", *line, str(self.folder)]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            self.assertRaises(SystemExit) as ended,
        ):
            fake.main()
        self.assertEqual((ended.exception.code, out.getvalue()), (2, ""), line)
        for part in ("usage: ", *parts):
            self.assertIn(part, error.getvalue())
        self.assertEqual(self.runs(), 0)

    def test_numbers(self) -> None:
        self.refuse("--rounds=14", parts=("--rounds", "15"))
        self.refuse("--operations=0", parts=("--operations", "whole number"))
        self.refuse("--seed=-1", parts=("--seed", "whole number"))

    def test_names_that_match_nothing(self) -> None:
        self.refuse("--workload=none*", parts=("--workload", "none*", "single/alone", "threads/pairs"))
        self.refuse("--contender=none", parts=("--contender", "none", "libraries/mimalloc"))
        # Also where another one matches.
        self.refuse("--workload=alone", "--workload=alnoe", parts=("nothing matches alnoe;",))
        self.refuse("--contender=glibc", "--contender=gilbc", parts=("nothing matches gilbc;",))

    def test_peers(self) -> None:
        text = self.folder / "text.so"
        text.write_text("no library")
        self.refuse("--peer=x", parts=("--peer", "NAME=/path/lib.so"))
        self.refuse(f"--peer=x={text}", parts=("not a shared library",))
        self.refuse(f"--peer=x={self.folder}/none.so", parts=("No such file",))
        self.refuse("--peer=mimalloc=/x.so", parts=("the name mimalloc is taken",))
        libc = peers.installed("libc.so.6")
        self.refuse(f"--peer=x={libc}", f"--peer=x={libc}", parts=("x is given twice",))

    def test_files(self) -> None:
        self.refuse("--json=/nowhere/x.json", parts=("--json", "cannot be written"))
        self.refuse(f"--html={self.folder}", parts=("--html", "cannot be written"))
        self.refuse("--compare=/nowhere/x.json", parts=("--compare", "No such file"))
        text = self.folder / "text"
        text.write_text("text\n")
        self.refuse(f"--history={text}", parts=("--history", "line 1, is none of the laboratory's"))
        self.refuse("--history=/nowhere/x", parts=("--history", "cannot be written"))

    def test_words_and_options(self) -> None:
        self.refuse("--quik", parts=("--quik",))


if __name__ == "__main__":
    unittest.main()
