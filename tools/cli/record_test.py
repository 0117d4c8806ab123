# SPDX-License-Identifier: MIT
"""The command hakmem records programs, and shows and replays what it has recorded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

from tools.cli.command_case import COMMAND, ROOT, SECONDS, STEPS, CommandCase
from tools.measure import trace_file
from tools.measure.trace_file import Chunk, Event, Kind, Type, varints

_CHURN = str(ROOT / "bench/trace/churn")
_BROKEN = str(ROOT / "bench/libbroken-malloc.so")
_HAKMEM = str(ROOT / "hakmem/preload/libhakmem.so")


class RecordTest(CommandCase):
    def test_status_is_the_programs(self) -> None:
        for code, status in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)):
            done = self.run_command("record", "--quiet", "--output=a.trace", "--", "/bin/sh", "-c", f"echo out; {code}")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "out\n", ""))
            self.assertTrue(self.trace.exists())

    def test_says_what_it_recorded(self) -> None:
        done = self.succeed("record", "--output=a.trace", "--max-events=6", STEPS, "basic")
        self.assertRegex(done.stderr, rf"\A{self.trace}: steps, 6 events, [0-9]+ B, [0-9.]+ B each, 1 thread\n\Z")
        done = self.succeed("record", "--output=a.trace", "--", STEPS, "forks")
        self.assertEqual(len(done.stderr.splitlines()), 2)
        done = self.succeed("record", "--output=a.trace", "--no-children", "--", STEPS, "forks")
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_default_output_is_where_the_caller_is(self) -> None:
        self.succeed("record", STEPS, "basic")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["hakmem.trace"])

    def test_over_a_library(self) -> None:
        self.succeed("record", "--output=a.trace", f"--lib={_HAKMEM}", "--", STEPS, "basic")
        found = json.loads(self.succeed("trace", "info", "--format=json", "a.trace").stdout)
        self.assertEqual(Path(found["allocator"]).name, "libhakmem.so")

    def test_an_earlier_recording_goes_another_file_stays(self) -> None:
        for _ in range(2):
            self.succeed("record", "--output=a.trace", "--", STEPS, "forks")
            self.assertEqual(len(list(self.folder.iterdir())), 2)
        self.trace.write_text("dear diary")
        self.refuse("is no trace: it is not overwritten", "record", "--output=a.trace", STEPS, status=125)
        self.assertEqual(self.trace.read_text(), "dear diary")

    def test_an_earlier_recording_stays_where_nothing_is_recorded(self) -> None:
        self.succeed("record", "--output=a.trace", "--", STEPS, "forks")
        before = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.assertEqual(len(before), 2)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "text").write_text("text")
            (folder / "text").chmod(0o755)
            source = folder / "static.c"
            source.write_text("int main(void) { return 0; }\n")
            subprocess.run(["gcc", "-static", "-o", folder / "static", source], check=True)
            for program, status, words in (
                ("text", 126, "Exec format error"),
                ("static", 125, "was not recorded: it is linked statically"),
                ("none", 127, "was not found"),
            ):
                self.refuse(words, "record", "--output=a.trace", "--", str(folder / program), status=status)
                self.assertEqual({path.name: path.read_bytes() for path in self.folder.iterdir()}, before)

    def test_a_trace_that_cannot_be_written_is_said_before_the_program_runs(self) -> None:
        self.refuse("/proc/a.trace cannot be written", "record", "--output=/proc/a.trace", "touch", "started")
        self.refuse("cannot be written: Is a directory", "record", f"--output={self.folder}", "touch", "started")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_recording_that_is_kept_under_another_name_stays(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", STEPS, "basic")
        kept = [self.folder / "a.trace.1", self.folder / "a.trace.2.3"]
        for path in kept:
            shutil.copy(self.trace, path)
        (self.folder / "a.trace.3").mkdir()
        done = self.succeed("record", "--output=a.trace", "--", STEPS, "basic")
        self.assertEqual(len(done.stderr.splitlines()), 1, "and is none of the processes")
        self.assertEqual([path.exists() for path in kept], [True, True])

    def test_what_cannot_be_recorded(self) -> None:
        self.refuse("which program?", "record")
        self.refuse("which program?", "record", "--output=a.trace", "--")
        self.refuse("was not found", "record", "--", "no-such-program", status=127)
        self.refuse("was not found", "record", "--", "./no-such-program", status=127)
        (self.folder / "text").write_text("text")
        self.refuse("is not executable", "record", "--", "./text", status=126)
        self.refuse("there is no folder", "record", "--output=none/a.trace", STEPS)
        self.refuse("whole number from 1", "record", "--max-events=0", STEPS)
        self.refuse("'none' is not a file", "record", "--lib=none", STEPS)
        shutil.copy(_HAKMEM, self.folder / "a b.so")
        self.refuse("the loader takes no path with a colon or blank", "record", "--lib=a b.so", STEPS)
        # A program that no loader starts.
        source = self.folder / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["gcc", "-static", "-o", self.folder / "static", source], check=True)
        self.refuse("was not recorded: it is linked statically", "record", "./static", status=125)

    def test_two_at_once_have_a_file_each(self) -> None:
        line = ("record", "--quiet", "--output=a.trace", "--")
        with subprocess.Popen(
            [COMMAND, *line, "bash", "-c", "echo ready; read -r; exec sort /dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder)},
        ) as first:
            assert first.stdout is not None
            self.assertEqual(first.stdout.readline(), "ready\n")
            self.refuse("is being recorded by another command", *line, STEPS, "basic", status=125)
            self.succeed("record", "--quiet", "--output=b.trace", "--", STEPS, "basic")
            first.communicate("\n", timeout=SECONDS)
        self.assertEqual(first.returncode, 0)
        found = json.loads(self.succeed("trace", "info", "--format=json", "a.trace").stdout)
        self.assertEqual((found["complete"], Path(found["program"]).name), (True, "bash"))

    def test_signals_reach_the_program(self) -> None:
        started = self.folder / "started"
        script = f"trap 'exit 9' TERM; touch {started}; while :; do sleep 0.05; done"
        process = subprocess.Popen(
            [COMMAND, "record", "--quiet", "--", "/bin/sh", "-c", script],
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder)},
        )
        deadline = time.monotonic() + SECONDS
        while not started.exists():
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.terminate()
        self.assertEqual(process.wait(SECONDS), 9)


class TraceTest(CommandCase):
    def test_no_escape_sequence_of_a_trace_is_passed_on(self) -> None:
        escape = b"\x1b]0;title\x07\x1b[31m"
        events = [Event(1, Kind.MALLOC, size=8, site=1), Event(2, Kind.FREE, block=1)]
        chunks = [
            trace_file.meta(program=b"/bin/" + escape, arguments=escape + b"\0"),
            Chunk(Type.MODULES, varints(1, 1) + trace_file.string(b"/lib/" + escape)),
            Chunk(Type.SITES, varints(1, 1, 1, 0x1000)),
            trace_file.encode_events(events),
            trace_file.end(2),
        ]
        self.trace.write_bytes(trace_file.encode(chunks))
        for line in (("trace", "info"), ("trace", "time"), ("replay", "--rounds=1", "--peer=glibc")):
            said = self.succeed(*line, "a.trace").stdout
            self.assertIn(r"\x1b[31m", said)
            self.assertNotIn("\x1b", said)
        self.succeed("trace", "plot", "-o", "plot.svg", "a.trace")
        ElementTree.parse(self.folder / "plot.svg")
        # A program that is recorded names what it starts.
        script = r"exec -a $'\e[31mred' sort /dev/null"
        self.assertNotIn("\x1b", self.succeed("record", "--output=b.trace", "--", "bash", "-c", script).stderr)

    def test_info(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", _CHURN, "3", "2000")
        found = json.loads(self.succeed("trace", "info", "--format=json", "a.trace").stdout)
        self.assertEqual((found["threads"], found["complete"]), (3, True))
        self.assertEqual(sum(bucket["count"] for bucket in found["sizes"]), found["allocations"])
        self.assertEqual(sum(bucket["bytes"] for bucket in found["sizes"]), found["allocated_bytes"])
        self.assertEqual(found["allocations"] - found["frees"], found["left_blocks"])
        calls = found["calls"]
        self.assertEqual(
            found["allocations"], sum(calls[name] for name in ("malloc", "calloc", "realloc")) - calls["realloc_failed"]
        )
        table = self.succeed("trace", "info", "a.trace").stdout
        for words in ("complete", "3", f"{found['events']:,}", "malloc", "churn+0x", "Sizes", "Call sites"):
            self.assertIn(words, table)
        self.assertNotIn("\x1b", table)

    def test_an_output_that_cannot_be_written_leaves_what_is_there(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", STEPS, "basic")
        before = self.trace.read_bytes()
        for action in ("plot", "dhat"):
            self.refuse("none/a cannot be written", "trace", action, "a.trace", "-o", "none/a")
            self.refuse("is what is read: --output takes another", "trace", action, "a.trace", "-o", "a.trace")
        self.assertEqual((list(self.folder.iterdir()), self.trace.read_bytes()), ([self.trace], before))

    def test_incomplete_and_damaged(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", _CHURN, "1", "20000")
        data = self.trace.read_bytes()
        self.trace.write_bytes(data[:-5])
        self.assertIn("incomplete, ", self.succeed("trace", "info", "a.trace").stdout)
        self.refuse("the chunk is cut", "replay", "a.trace")
        self.succeed("replay", "--incomplete", "--rounds=1", "a.trace")
        damaged = bytearray(data)
        damaged[500] ^= 1
        self.trace.write_bytes(damaged)
        for line in (("trace", "info"), ("replay",), ("replay", "--incomplete")):
            self.refuse("CRC does not fit", *line, "a.trace")
        self.refuse("not a trace", "trace", "info", STEPS)
        self.refuse("not a trace", "replay", STEPS)


class ReplayTest(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.succeed("record", "--quiet", "--output=a.trace", "--", _CHURN, "1", "5000")

    def test_default_is_hakmem_and_glibc(self) -> None:
        result = json.loads(self.succeed("replay", "--format=json", "a.trace").stdout)
        self.assertEqual((result["rounds"], [row["name"] for row in result["contenders"]]), (15, ["hakmem", "glibc"]))
        hakmem, glibc = result["contenders"]
        self.assertEqual((hakmem["config"], glibc["config"]), ("p0+p1+p2+p3", None))
        self.assertEqual((hakmem["ratio"], hakmem["ci95_low"], hakmem["ci95_high"]), (1, 1, 1))
        self.assertLessEqual(glibc["ci95_low"], glibc["ratio"])
        self.assertLessEqual(glibc["ratio"], glibc["ci95_high"])
        for row in result["contenders"]:
            self.assertGreater(row["ns_per_op"], 0)
            self.assertGreater(row["peak_rss_bytes"], result["peak_live_bytes"])

    def test_table(self) -> None:
        line = ("replay", "--rounds=2", "--peer=glibc", "--peer=jemalloc", f"--lib={_HAKMEM}", "a.trace")
        table = self.succeed(*line).stdout
        for words in ("churn, 2 rounds", "libhakmem.so", "glibc", "jemalloc", "by libhakmem.so", "ns/call"):
            self.assertIn(words, table)
        self.assertNotIn("\x1b", table)

    def test_few_rounds_give_no_interval(self) -> None:
        result = json.loads(self.succeed("replay", "--rounds=1", "--format=json", "--peer=glibc", "a.trace").stdout)
        self.assertEqual([row["ci95_low"] for row in result["contenders"]], [None])

    def test_an_allocator_that_fails(self) -> None:
        done = self.run_command("replay", f"--lib={_BROKEN}", "a.trace", BROKEN_MALLOC="overlap")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("changed while it was live", done.stderr)

    def test_a_library_that_is_no_allocator(self) -> None:
        library = self.folder / "libempty.so"
        subprocess.run(["gcc", "-shared", "-x", "c", "-o", library, "/dev/null"], check=True)
        self.refuse("libempty.so should: is that one an allocator?", "replay", "--lib=libempty.so", "a.trace", status=1)
        self.refuse("steps should: is that one an allocator?", "replay", f"--lib={STEPS}", "a.trace", status=1)

    def test_two_contenders_of_one_name(self) -> None:
        self.refuse("two contenders with the name glibc", "replay", "--peer=glibc", "--peer=glibc", "a.trace")

    def test_a_trace_without_blocks(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", STEPS)
        self.refuse("nothing to replay", "replay", "a.trace")


if __name__ == "__main__":
    unittest.main()
