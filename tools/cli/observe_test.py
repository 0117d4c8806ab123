# SPDX-License-Identifier: MIT
"""hakmem run, stat and top, of real processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema
from prometheus_client.parser import text_string_to_metric_families

from tools.cli import figures, process_list, process_top, published
from tools.cli.observe_case import COMMAND, OBSERVED, ObserveCase, SCHEMA, SECONDS


class StatTest(ObserveCase):
    def test_json_is_the_published_object(self) -> None:
        process = self.observed("quiet")
        found = json.loads(self.succeed("stat", "--format=json", str(process.pid)))
        jsonschema.validate(found, SCHEMA)
        self.assertEqual(found["pid"], process.pid)

    def test_table(self) -> None:
        process = self.observed("load", "2")
        text = self.succeed("stat", str(process.pid))
        for words in (
            f"observed ({process.pid}), hakmem",
            "Memory",
            "Events",
            "Pools",
            "Classes",
            "Threads",
            "resident",
        ):
            self.assertIn(words, text)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("allocations/s", text)

    def test_an_encoding_that_has_no_lines(self) -> None:
        """As that of a locale like de_DE.ISO-8859-1."""
        process = self.observed("quiet")
        for line in (
            ("stat", str(process.pid)),
            ("top", "--count=1", "--interval=0.5", str(process.pid)),
            ("top", "--list", "--interval=0.5"),
        ):
            done = self.run_command(*line, PYTHONIOENCODING="iso-8859-1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertRegex(done.stdout, r"(?m)^-{20,}$")

    def test_a_name_of_a_file_that_is_no_unicode(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            name = Path(folder) / "caf\udce9"
            process = self.start(OBSERVED, "quiet")
            self.until(lambda: self.is_published(process.pid), "published")
            done = self.run_command("snapshot", str(process.pid), "-o", str(name))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(r"caf\udce9: ", done.stdout)
            self.assertGreater(name.stat().st_size, 0)


class TopTest(ObserveCase):
    def test_over_a_pipe_plain_text_with_rates(self) -> None:
        process = self.observed("load", "2")
        text = self.succeed("top", "--interval=0.5", "--count=2", str(process.pid))
        self.assertEqual(len(re.findall(rf"(?m)^observed \({process.pid}\)", text)), 2)
        self.assertNotIn("\x1b", text)
        for rate in re.findall(r"(?m)^a second +([0-9,]+)", text):
            self.assertGreater(int(rate.replace(",", "")), 0)

    def test_json_is_one_line_a_reading(self) -> None:
        process = self.observed("load", "2")
        lines = [
            json.loads(line)
            for line in self.succeed(
                "top", "--format=json", "--interval=0.5", "--count=3", str(process.pid)
            ).splitlines()
        ]
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertGreater(line.pop("rates")["allocations"], 0)
            jsonschema.validate(line, SCHEMA)
        for earlier, later in zip(lines, lines[1:]):
            self.assertGreaterEqual(later["clock_ms"] - earlier["clock_ms"], 400)

    def test_what_is_new_has_its_rate(self) -> None:
        process = self.observed("load", "2")
        now = published.read(process.pid)
        before = {
            **now,
            "clock_ms": now["clock_ms"] - 2000,
            "classes": [],
            "threads": [],
            "process": {**now["process"], "threads": 0},
        }
        *_, classes, threads = figures.grids(figures.history_of(now, before))
        for grid, of in ((classes, now["classes"]), (threads, now["threads"])):
            rates = [line[grid.columns.index("allocations/s")].replace(",", "") for line in grid.lines]
            self.assertAlmostEqual(sum(map(int, rates)), sum(one["allocations"] for one in of) / 2, delta=len(rates))

    def test_ends_with_the_process(self) -> None:
        process = self.observed("load", "1")
        top = subprocess.Popen(
            [COMMAND, "top", "--interval=0.5", str(process.pid)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.assertIn("observed", self.line_of(top))
        process.communicate()
        _, errors = top.communicate(timeout=SECONDS)
        self.assertEqual(top.returncode, 0)
        # As it finds it between two readings, or within one.
        self.assertRegex(
            errors, rf"^hakmem top: (there is no process {process.pid}|process {process.pid} has ended)\n$"
        )

    def test_without_a_number_the_busiest(self) -> None:
        idle, busy = self.observed("quiet"), self.observed("load", "2")
        self.assertNotEqual(self.shown_without_a_number(), idle.pid)
        listed = [
            json.loads(line) for line in self.of_all("top", "--list", "--interval=0.5", "--format=json").splitlines()
        ]
        ours = [one["pid"] for one in listed if one["pid"] in (idle.pid, busy.pid)]
        self.assertEqual(ours, [busy.pid, idle.pid])
        table = self.of_all("top", "--list", "--interval=0.5")
        self.assertRegex(table, rf"(?m)^{busy.pid} +observed +[0-9,.]+ ")

    def shown_without_a_number(self) -> int:
        """Another program of this machine may be busier, and may have ended before there are two readings of it."""
        while True:
            done = self.run_command("top", "--interval=0.5", "--count=1")
            if done.returncode == 0:
                shown = re.match(r"\S+ \((\d+)\)", done.stdout)
                assert shown is not None
                return int(shown[1])
            self.assertEqual(done.returncode, published.GONE, done.stderr)
            self.assertEqual({str(pid) for pid in self.started} & set(re.findall(r"\d+", done.stderr)), set())


class ActivityTest(ObserveCase):
    """Readings that stand here, of a process that is there."""

    def setUp(self) -> None:
        self.process = self.observed("quiet")
        self.before = published.read(self.process.pid)
        tiny = self.before["pools"]["tiny"]
        more = {**tiny, "allocations": tiny["allocations"] + 1000}
        pools = {**self.before["pools"], "tiny": more}
        self.later = {**self.before, "clock_ms": self.before["clock_ms"] + 500, "pools": pools}

    def activity(self, *readings: dict[str, Any] | published.Unreachable) -> tuple[list[float], int]:
        """The rates of by_activity where these are the readings, and how often it slept."""
        pids = [self.process.pid]
        with (
            mock.patch.object(published, "processes", return_value=pids),
            mock.patch.object(published, "read", side_effect=readings) as read,
            mock.patch("time.sleep") as slept,
        ):
            found = process_list.by_activity(0.5)
        self.assertEqual(read.call_count, len(readings))
        return [rate for rate, _ in found], slept.call_count

    def test_one_that_did_not_publish_meanwhile_is_waited_for(self) -> None:
        self.assertEqual(self.activity(self.before, self.later), ([2000.0], 1))
        self.assertEqual(self.activity(self.before, self.before, self.before, self.later), ([2000.0], 3))

    def test_one_that_ends_meanwhile_is_not_in_the_list(self) -> None:
        gone = published.Unreachable("", published.GONE)
        self.assertEqual(self.activity(self.before, self.before, gone), ([], 2))

    def test_one_that_is_stopped_is_not_waited_for(self) -> None:
        self.process.send_signal(signal.SIGSTOP)
        self.until(lambda: published.is_stopped(self.process.pid), "it stops")
        self.assertEqual(self.activity(self.before, self.before), ([0.0], 1))

    def test_in_a_list_that_is_watched_it_keeps_its_rate(self) -> None:
        pid = self.process.pid
        self.assertEqual(process_list.activity({pid: self.before}, {pid: self.before})[0][0], 0.0)
        self.assertEqual(process_list.activity({pid: self.before}, {pid: self.before}, {pid: 7.0})[0][0], 7.0)
        self.assertEqual(process_list.activity({pid: self.before}, {pid: self.later}, {pid: 7.0})[0][0], 2000.0)

    def test_the_next_is_shown_where_the_busiest_has_ended(self) -> None:
        with mock.patch.object(
            process_list, "by_activity", return_value=[(9.0, {"pid": 2**31 - 1}), (1.0, self.before)]
        ):
            page = process_top._busiest(0.5)  # pylint: disable=protected-access
        self.addCleanup(page.close)
        self.assertEqual(page.pid, self.process.pid)


class RunTest(ObserveCase):
    def test_status_and_output_are_the_programs(self) -> None:
        for code, status in (("exit(0)", 0), ("exit(7)", 7), ("os.kill(os.getpid(), 15)", 128 + signal.SIGTERM)):
            done = self.run_command("run", "--", sys.executable, "-c", f"import os; print('out', flush=True); {code}")
            self.assertEqual((done.returncode, done.stdout), (status, "out\n"), done.stderr)
            self.assertIn("left no statistics" if status > 128 else " allocations, ", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 2)

    def test_summary_in_each_form(self) -> None:
        text = self.run_command("run", "--stats=text", "--", "sort", "/dev/null")
        self.assertRegex(text.stderr, r"\Ahakmem [0-9.]+ ")
        found = self.run_command("run", "--stats=json", "--", "sort", "/dev/null")
        jsonschema.validate(json.loads(found.stderr), SCHEMA)
        metrics = self.run_command("run", "--stats=prometheus", "sort", "/dev/null")
        self.assertIn("hakmem_threads", [family.name for family in text_string_to_metric_families(metrics.stderr)])
        self.assertEqual(self.run_command("run", "--quiet", "sort", "/dev/null").stderr, "")

    def test_guard_reports_a_double_free(self) -> None:
        script = "import ctypes; c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p; p = ctypes.c_void_p(c.malloc(50));"
        done = self.run_command("run", "--guard", "--", "/usr/bin/python3", "-c", script + "c.free(p); c.free(p)")
        self.assertEqual(done.returncode, 128 + signal.SIGABRT)
        self.assertRegex(done.stderr, r"(?m)^hakmem: .*double free")

    def test_other_processes_are_counted(self) -> None:
        script = "import subprocess; subprocess.run(['sort', '/dev/null']); subprocess.run(['sort', '/dev/null'])"
        done = self.run_command("run", "--", sys.executable, "-c", script)
        self.assertIn("; 2 other processes\n", done.stderr)

    def test_published_while_it_runs(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            number = Path(folder) / "pid"
            script = f"echo $$ >{number}; exec {OBSERVED} load 1"
            process = subprocess.Popen(
                [COMMAND, "run", "--publish", "--", "/bin/sh", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self.addCleanup(process.kill)
            self.assertEqual(self.line_of(process), "ready")
            pid = int(number.read_text())
            self.until(lambda: self.is_published(pid), "published")
            self.assertIn(f"observed ({pid})", self.succeed("stat", str(pid)))
            _, errors = process.communicate(timeout=SECONDS)
            self.assertEqual(process.returncode, 0)
            self.assertIn("remote frees", errors)

    def test_what_cannot_be_started(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "text"
            text.write_text("neither a program nor a script\n")
            text.chmod(0o755)
            self.refuse(126, "cannot be executed: Exec format error", "run", "--", str(text))
            self.refuse(
                126, "cannot be executed: Exec format error", "record", f"--output={folder}/trace", "--", str(text)
            )
        self.refuse(127, "was not found", "run", "--", "no-such-program")
        self.refuse(126, "is not executable", "run", "--", "/dev/null")


if __name__ == "__main__":
    unittest.main()
