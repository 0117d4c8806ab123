"""hakmem run, stat and top: of real processes, loaded and quiet, and of those that cannot be asked."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import jsonschema
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

_ROOT = Path(__file__).absolute().parents[2]
sys.path.insert(0, str(_ROOT))

from bench.driver import report  # noqa: E402
from tools.cli import figures, published  # noqa: E402

_COMMAND = str(_ROOT / "tools/cli/hakmem")
_OBSERVED = str(_ROOT / "tests/stats/observed")
_LIBRARY = str(_ROOT / "hakmem/preload/libhakmem.so")
_SCHEMA = json.loads((_ROOT / "hakmem/stats/stats.schema.json").read_text(encoding="utf-8"))
_SECONDS = 120


def page_of(pid: int) -> Path:
    return Path(f"/dev/shm/hakmem.{pid}")


class Case(unittest.TestCase):
    def start(self, *line: str, preload: str = _LIBRARY, publish: str = "1", is_ready: bool = True) -> subprocess.Popen[str]:
        """A program that ends when its standard input does, at the end of the test at the latest."""
        environment = {**os.environ, "HAKMEM_PUBLISH": publish, "LD_PRELOAD": preload}
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

        def end() -> None:
            process.kill()
            process.communicate()
            page_of(process.pid).unlink(missing_ok=True)

        self.addCleanup(end)
        if is_ready:
            self.said = process.stdout.readline().strip()
        return process

    def until(self, true: object, what: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while not true():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)

    def is_published(self, pid: int) -> bool:
        try:
            published.read(pid)
            return True
        except published.Unreachable as error:
            self.assertEqual(error.status, published.NOT_PUBLISHED, error)
            return False

    def observed(self, *line: str) -> subprocess.Popen[str]:
        """One that publishes."""
        process = self.start(_OBSERVED, *line)
        self.until(lambda: self.is_published(process.pid), "published")
        return process

    def run_command(self, *line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([_COMMAND, *line], capture_output=True, text=True, check=False, timeout=_SECONDS,
                              env={**os.environ, **environment})

    def succeed(self, *line: str) -> str:
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def refuse(self, status: int, words: str, *line: str) -> None:
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class PageTest(Case):
    def test_a_thousand_readings_of_a_loaded_program_are_whole_and_never_wait(self) -> None:
        process = self.observed("load", "3")
        page = published.open_page(process.pid)
        self.addCleanup(page.close)
        clocks, allocations, longest = set(), 0, 0.0
        deadline = time.monotonic() + _SECONDS
        count = 0
        while count < 1000 or len(clocks) < 4:
            self.assertLess(time.monotonic(), deadline)
            started = time.monotonic()
            found = page.read()
            longest = max(longest, time.monotonic() - started)
            count += 1
            if found["clock_ms"] not in clocks:
                clocks.add(found["clock_ms"])
                jsonschema.validate(found, _SCHEMA)
                made = sum(pool["allocations"] for pool in found["pools"].values())
                self.assertGreater(made, allocations)
                allocations = made
                self.assertEqual(found["process"]["threads"], 4)
        self.assertLess(longest, 5)  # a reading is retried for a second at most, on a busy machine

    def test_sums_of_a_quiet_program_are_exact(self) -> None:
        process = self.observed("quiet")
        self.until(lambda: published.read(process.pid)["quiet"], "quiet")
        found = published.read(process.pid)
        for one in [*found["classes"], *found["pools"].values()]:
            self.assertEqual(one["allocations"] - one["frees"], one["live_blocks"], one)
            self.assertEqual(one["slabs"], one["slabs_owned"] + one["slabs_full"] + one["slabs_partial"])
        (of_48,) = (one for one in found["classes"] if one["block_size"] == 48)
        self.assertGreaterEqual(of_48["live_blocks"], 1000)
        self.assertLess(of_48["live_blocks"], 1100)
        self.assertEqual([(found["pid"], thread["tid"]) for thread in found["threads"]], [(process.pid, process.pid)])

    def test_page_is_the_owners_and_goes_with_the_process(self) -> None:
        process = self.observed("quiet")
        self.assertEqual(page_of(process.pid).stat().st_mode & 0o777, 0o600)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        self.assertFalse(page_of(process.pid).exists())

    def test_no_signal_handler_runs_on_the_publishing_thread(self) -> None:
        process = self.observed("quiet")
        blocked = {
            task.name: int(re.search(r"SigBlk:\s+(\w+)", (task / "status").read_text())[1], 16)
            for task in Path(f"/proc/{process.pid}/task").iterdir()
        }
        del blocked[str(process.pid)]
        self.assertEqual(len(blocked), 1)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGALRM):
            self.assertTrue(all(mask >> (number - 1) & 1 for mask in blocked.values()), number)

    def test_a_child_of_fork_publishes_its_own(self) -> None:
        parent = self.start(_OBSERVED, "fork")
        child = int(self.said)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.until(lambda: self.is_published(child), "the child publishes")
        self.assertEqual(published.read(child)["pid"], child)
        self.assertEqual(published.read(parent.pid)["pid"], parent.pid)
        self.assertEqual(len(published.read(child)["threads"]), 1)

    def test_a_process_ends_with_its_last_thread(self) -> None:
        process = self.start(_OBSERVED, "leave", is_ready=False)
        self.assertEqual(process.wait(_SECONDS), 0)
        self.assertFalse(page_of(process.pid).exists())

    def test_what_a_signal_left_behind_is_removed_by_whoever_looks(self) -> None:
        for line in (("stat",), ("top", "--count=1")):
            process = self.observed("quiet")
            process.kill()
            process.wait(_SECONDS)
            self.assertTrue(page_of(process.pid).exists())
            self.refuse(published.GONE, f"there is no process {process.pid}", *line, str(process.pid))
            self.assertFalse(page_of(process.pid).exists())
        process = self.observed("quiet")
        process.kill()
        process.wait(_SECONDS)
        self.succeed("top", "--list")
        self.assertFalse(page_of(process.pid).exists())


class RefusalTest(Case):
    def test_wrong_arguments(self) -> None:
        for line in (("stat",), ("stat", "x"), ("stat", "0"), ("stat", "-1"), ("stat", "--format=xml", "1"),
                     ("top", "--interval=0", "1"), ("top", "--interval=nan", "1"), ("top", "--count=0", "1"),
                     ("top", "--list", "1"), ("run",), ("run", "--stats=xml", "true"), ("run", "--other", "true"),
                     ("run", "--guard", "--guard-full", "true"), ("run", "--profile=none/none", "true"),
                     ("run", "--profile=", "true"), ("run", "--profile=/proc", "true")):
            done = self.run_command(*line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), (line, done.stderr))
            self.assertIn(f"hakmem {line[0]}", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_a_process_that_is_gone(self) -> None:
        process = subprocess.Popen(["true"])
        # It has ended, and nobody has asked how: still there, in a way.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.refuse(published.GONE, f"process {process.pid} has ended", "stat", str(process.pid))
        process.wait(_SECONDS)
        self.refuse(published.GONE, f"there is no process {process.pid}", "stat", str(process.pid))
        self.refuse(published.GONE, f"there is no process {process.pid}", "top", str(process.pid))

    def test_a_process_without_hakmem(self) -> None:
        process = self.start(_OBSERVED, "quiet", preload="")
        self.refuse(published.WITHOUT_HAKMEM, "runs without hakmem", "stat", str(process.pid))
        self.refuse(published.WITHOUT_HAKMEM, "runs without hakmem", "top", str(process.pid))

    def test_a_process_that_does_not_publish(self) -> None:
        process = self.start(_OBSERVED, "quiet", publish="0")
        self.refuse(published.NOT_PUBLISHED, "does not publish: start it with HAKMEM_PUBLISH=1", "stat", str(process.pid))

    def test_a_process_that_became_another_program(self) -> None:
        process = self.start(_OBSERVED, "exec", "/bin/cat")
        self.until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "cat\n", "exec")
        self.assertTrue(page_of(process.pid).exists())
        self.refuse(published.WITHOUT_HAKMEM, "runs without hakmem", "stat", str(process.pid))

    @unittest.skipUnless(os.geteuid() == 0, "takes another user's rights")
    def test_a_process_of_another_user(self) -> None:
        process = self.observed("quiet")
        child = os.fork()
        if child == 0:
            status = 0
            try:
                os.setresuid(65534, 65534, 65534)
                published.read(process.pid)
            except published.Unreachable as error:
                status = error.status if "another user" in str(error) else 99
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), published.FORBIDDEN)

    def test_a_page_of_another_layout_and_one_that_was_removed(self) -> None:
        process = self.observed("quiet")
        page = page_of(process.pid)
        with page.open("r+b") as file:
            file.seek(8)
            file.write((77).to_bytes(4, "little"))
        self.refuse(published.NOT_PUBLISHED, "publishes in layout 77", "stat", str(process.pid))
        page.unlink()
        page.write_bytes(b"of another")
        self.refuse(published.NOT_PUBLISHED, "its page was removed", "stat", str(process.pid))


class StatTest(Case):
    def test_json_is_the_published_object(self) -> None:
        process = self.observed("quiet")
        found = json.loads(self.succeed("stat", "--format=json", str(process.pid)))
        jsonschema.validate(found, _SCHEMA)
        self.assertEqual(found["pid"], process.pid)

    def test_table(self) -> None:
        process = self.observed("load", "2")
        text = self.succeed("stat", str(process.pid))
        for words in (f"observed ({process.pid}), hakmem", "Memory", "Events", "Pools", "Classes", "Threads", "resident"):
            self.assertIn(words, text)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("allocations/s", text)


class TopTest(Case):
    def test_over_a_pipe_plain_text_with_rates(self) -> None:
        process = self.observed("load", "2")
        text = self.succeed("top", "--interval=0.5", "--count=2", str(process.pid))
        self.assertEqual(len(re.findall(rf"(?m)^observed \({process.pid}\)", text)), 2)
        self.assertNotIn("\x1b", text)
        for rate in re.findall(r"(?m)^a second +([0-9,]+)", text):
            self.assertGreater(int(rate.replace(",", "")), 0)

    def test_json_is_one_line_a_reading(self) -> None:
        process = self.observed("load", "2")
        lines = [json.loads(line) for line in
                 self.succeed("top", "--format=json", "--interval=0.5", "--count=3", str(process.pid)).splitlines()]
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertGreater(line.pop("rates")["allocations"], 0)
            jsonschema.validate(line, _SCHEMA)
        for earlier, later in zip(lines, lines[1:]):
            self.assertGreaterEqual(later["clock_ms"] - earlier["clock_ms"], 400)

    def test_on_a_terminal_in_place(self) -> None:
        process = self.observed("load", "1")
        leader, follower = pty.openpty()
        line = [_COMMAND, "top", "--interval=0.5", str(process.pid)]
        top = subprocess.Popen(line, stdout=follower, stderr=follower, stdin=follower,
                               env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "60"})
        os.close(follower)
        text = b""
        while text.count(b"Threads") < 2:
            text += os.read(leader, 65536)
        top.send_signal(signal.SIGINT)
        try:
            while data := os.read(leader, 65536):
                text += data
        except OSError:
            pass  # its end of the terminal is closed
        os.close(leader)
        self.assertEqual(top.wait(_SECONDS), 0)
        self.assertIn(b"\x1b[?1049h", text)
        self.assertIn(b"\x1b[?1049l", text)
        self.assertNotIn(b"Traceback", text)

    def test_fits_the_terminal(self) -> None:
        process = self.observed("load", "2")
        before = published.read(process.pid)
        self.until(lambda: published.read(process.pid)["clock_ms"] > before["clock_ms"], "published again")
        now = published.read(process.pid)
        for lines in (24, 30, 40, 60):
            with self.subTest(lines):
                shown = figures.grids_within(lines, now, before, 1)
                console = Console(width=80, height=lines, file=io.StringIO())
                console.print(report.drawn(figures.heading(now, "observed"), shown))
                text = console.file.getvalue()
                self.assertLessEqual(len(text.splitlines()), lines, text)
                self.assertRegex(text, r"(?m)^Classes.*\n.*\n.*\n.*B +(tiny|l2|l25|huge) ")
                self.assertRegex(text, r"(?m)^Threads.*\n.*\n.*\n *[0-9]+ +[0-9,.]+ ")
                self.assertEqual("Pools" in text, lines >= 40)

    def test_large_counts_fit(self) -> None:
        process = self.observed("load", "2")
        now = published.read(process.pid)
        days = {**now, "threads": [{**one, **{field: one[field] + 10**14 for field in ("allocations", "frees", "exchanges",
                "remote_frees")}} for one in now["threads"]]}
        *_, threads = figures.grids_within(40, days, {**now, "clock_ms": now["clock_ms"] - 1}, 1)
        console = Console(width=80, file=io.StringIO())
        console.print(report.drawn("days", [threads]))
        self.assertIn("100.0 T", console.file.getvalue())
        self.assertLessEqual(len(console.file.getvalue().splitlines()), 1 + 4 + len(threads.lines))

    def test_what_is_new_has_its_rate(self) -> None:
        process = self.observed("load", "2")
        now = published.read(process.pid)
        before = {**now, "clock_ms": now["clock_ms"] - 2000, "classes": [], "threads": [],
                  "process": {**now["process"], "threads": 0}}
        *_, classes, threads = figures.grids(now, before)
        for grid, of in ((classes, now["classes"]), (threads, now["threads"])):
            rates = [line[grid.columns.index("allocations/s")].replace(",", "") for line in grid.lines]
            self.assertAlmostEqual(sum(map(int, rates)), sum(one["allocations"] for one in of) / 2, delta=len(rates))

    def test_ends_with_the_process(self) -> None:
        process = self.observed("load", "1")
        top = subprocess.Popen([_COMMAND, "top", "--interval=0.5", str(process.pid)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        self.assertIn("observed", top.stdout.readline())
        process.communicate()
        _, errors = top.communicate(timeout=_SECONDS)
        self.assertEqual(top.returncode, 0)
        # As it finds it between two readings, or within one.
        self.assertRegex(errors, rf"^hakmem top: (there is no process {process.pid}|process {process.pid} has ended)\n$")

    def test_without_a_number_the_busiest(self) -> None:
        idle, busy = self.observed("quiet"), self.observed("load", "2")
        self.assertIn(f"observed ({busy.pid})", self.succeed("top", "--interval=0.5", "--count=1"))
        listed = [json.loads(line) for line in
                  self.succeed("top", "--list", "--interval=0.5", "--format=json").splitlines()]
        ours = [one["pid"] for one in listed if one["pid"] in (idle.pid, busy.pid)]
        self.assertEqual(ours, [busy.pid, idle.pid])
        table = self.succeed("top", "--list", "--interval=0.5")
        self.assertRegex(table, rf"(?m)^{busy.pid} +observed +[0-9,]+ ")


class RunTest(Case):
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
        jsonschema.validate(json.loads(found.stderr), _SCHEMA)
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
            script = f"echo $$ >{number}; exec {_OBSERVED} load 1"
            process = subprocess.Popen([_COMMAND, "run", "--publish", "--", "/bin/sh", "-c", script],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.kill)
            self.assertEqual(process.stdout.readline(), "ready\n")
            pid = int(number.read_text())
            self.until(lambda: self.is_published(pid), "published")
            self.assertIn(f"observed ({pid})", self.succeed("stat", str(pid)))
            _, errors = process.communicate(timeout=_SECONDS)
            self.assertEqual(process.returncode, 0)
            self.assertIn("remote frees", errors)

    def test_what_cannot_be_started(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "text"
            text.write_text("neither a program nor a script\n")
            text.chmod(0o755)
            self.refuse(126, "cannot be executed: Exec format error", "run", "--", str(text))
            self.refuse(126, "cannot be executed: Exec format error", "record", f"--output={folder}/trace", "--", str(text))
        self.refuse(127, "was not found", "run", "--", "no-such-program")
        self.refuse(126, "is not executable", "run", "--", "/dev/null")


if __name__ == "__main__":
    unittest.main()
