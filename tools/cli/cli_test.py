# SPDX-License-Identifier: MIT
"""The command hakmem, as a program: what each subcommand prints, and the statuses that it ends with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

from tools.cli import show
from tools.measure import trace_file
from tools.measure.trace_file import Chunk, Event, Kind, Type, varints

_ROOT = Path(__file__).absolute().parents[2]
_COMMAND = str(_ROOT / "tools/cli/hakmem")
_STEPS = str(_ROOT / "bench/trace/steps")
_CHURN = str(_ROOT / "bench/trace/churn")
_BROKEN = str(_ROOT / "bench/libbroken-malloc.so")
_HAKMEM = str(_ROOT / "hakmem/preload/libhakmem.so")
_SECONDS = 600

# Without the caller's folder, which that of a test may have.
_PATH = "/usr/bin:/bin"


class CommandCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.trace = self.folder / "a.trace"

    def run_command(self, *line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_COMMAND, *line],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder), **more},
        )

    def succeed(self, *line: str) -> subprocess.CompletedProcess[str]:
        done = self.run_command(*line)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, words: str, *line: str, status: int = 2) -> None:
        """Asserts the status, nothing on standard output, and `words` on standard error without a traceback."""
        done = self.run_command(*line)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class WholeTest(CommandCase):
    def test_help_names_every_command(self) -> None:
        text = self.succeed("--help").stdout
        for name in ("profile", "leaks", "snapshot", "explain", "record", "replay", "trace"):
            self.assertIn(f"    {name} ", text)
            self.assertIn("Exit status: ", self.succeed(name, "--help").stdout)

    def test_version(self) -> None:
        self.assertRegex(self.succeed("--version").stdout, r"\Ahakmem \d+\.\d+\.\d+\n\Z")

    def test_help_has_every_status(self) -> None:
        asked = {3, 4, 5, 6, 7}
        started = {125, 126, 127}
        own: dict[tuple[str, ...], set[int]] = {
            ("stat",): asked,
            ("top",): asked,
            ("run",): started,
            ("record",): started,
        }
        leaves = [
            *(("trace", name) for name in ("info", "time", "plot", "dhat")),
            *((name,) for name in ("replay", "explain", "profile", "leaks", "snapshot", "trace")),
        ]
        for line in ((), *own, *leaves):
            text = self.succeed(*line, "--help").stdout.partition("Exit status: ")[2].partition("\n\n")[0]
            expected = {1, 2, 0 if line == ("top",) else 130, 141, 143} | own.get(line, set())
            self.assertLessEqual(expected, set(map(int, re.findall(r"\b\d+\b", text))), line)

    def test_statuses_of_every_command(self) -> None:
        (self.folder / "report").write_text(
            f"hakmem: free(0x1): double free\nhakmem:   called from 0x1: {_STEPS}+0x1\n"
        )
        read, write = os.pipe()
        os.close(read)
        self.addCleanup(os.close, write)
        line = [_COMMAND, "explain", str(self.folder / "report")]
        self.assertEqual(subprocess.run(line, stdout=write, check=False).returncode, 128 + signal.SIGPIPE)
        (self.folder / "python3").symlink_to("/usr/bin/python3")
        done = self.run_command("explain", "report", PATH=str(self.folder))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("addr2line is missing", done.stderr)

    def test_wrong_lines(self) -> None:
        self.refuse("usage: hakmem")
        self.refuse("invalid choice: 'fly'", "fly")
        self.refuse("usage: ", "trace")
        self.refuse("usage: ", "trace", "info")
        self.refuse("usage: ", "replay")
        self.refuse("'none' is not a file", "replay", "none")
        self.refuse("invalid choice: 'other'", "replay", "--peer=other", _STEPS)

    def test_streams_that_are_closed(self) -> None:
        """The statuses are those of open ones, and nothing goes into another stream. As the package starts it: what Bazel puts
        before a program in Python needs a standard output itself."""
        (self.folder / "report").write_text("hakmem: free(0x1): double free\n")
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            for line, status in (
                (("run", "--", "bash", "-c", "exit 7"), 7),
                (("record", "--output=a.trace", "--", "bash", "-c", "exit 7"), 7),
                (("explain", "report"), 0),
                (("explain", "-"), 0),
                (("explain", "none"), 2),
                (("run", "--", "no-such-program"), 127),
                (("fly",), 2),
            ):
                done = subprocess.run(
                    ["bash", "-c", f'exec "$0" -m tools.cli.main "$@" {closed}', sys.executable, *line],
                    cwd=self.folder,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                with self.subTest(closed, line=line):
                    self.assertEqual(done.returncode, status, done.stderr)
                    self.assertNotIn("Traceback", done.stderr)
                    self.assertEqual(done.stdout != "", line == ("explain", "report") and ">&-" not in closed.split())

    def test_script_without_a_build(self) -> None:
        start = self.folder / "tools/cli/start.sh"
        start.parent.mkdir(parents=True)
        shutil.copy(_ROOT / "tools/cli/start.sh", start)
        done = subprocess.run([str(start), "--help"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("bazel build //tools:hakmem", done.stderr)
        built = self.folder / "bazel-bin/tools/cli/hakmem"
        built.parent.mkdir(parents=True)
        built.write_text('#!/bin/sh\necho "started with $*$BUILD_WORKING_DIRECTORY"\n')
        built.chmod(0o755)
        around = {**os.environ, "BUILD_WORKING_DIRECTORY": "/"}
        done = subprocess.run([str(start), "a", "b"], capture_output=True, text=True, check=False, env=around)
        self.assertEqual((done.returncode, done.stdout), (0, "started with a b\n"))


class StartingTest(CommandCase):
    """Programs that have a namesake in PATH."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.folder / "true"
        self.script(self.own, 7)

    def script(self, path: Path, status: int) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexit "{status}${{BUILD_WORKING_DIRECTORY+0}}"\n')
        path.chmod(0o755)

    def check(self, status: int, program: str, path: str = _PATH) -> None:
        """Under both commands, where the caller's folder is this process's, and where `bazel run` names it."""
        here = {name: value for name, value in os.environ.items() if name != "BUILD_WORKING_DIRECTORY"}
        for command in ("run", "record"):
            for bazel in (False, True):
                variables = {"BUILD_WORKING_DIRECTORY": str(self.folder)} if bazel else {}
                with self.subTest(program, command=command, bazel=bazel):
                    done = subprocess.run(
                        [_COMMAND, command, "--quiet", "--", program],
                        cwd="/" if bazel else self.folder,
                        env={**here, "PATH": path, **variables},
                        capture_output=True,
                        text=True,
                        check=False,
                        timeout=_SECONDS,
                    )
                    self.assertEqual(done.returncode, status, done.stderr)

    def test_a_path_is_no_name(self) -> None:
        (self.folder / "link").symlink_to("true")
        self.script(self.folder / "sub/true", 8)
        for program, status in (
            ("./true", 7),
            ("././true", 7),
            ("./link", 7),
            (f"../{self.folder.name}/true", 7),
            (str(self.own), 7),
            ("sub/true", 8),
            ("sub/../true", 7),
        ):
            self.check(status, program)

    def test_a_name_is_looked_for_in_path_alone(self) -> None:
        self.check(0, "true")
        self.check(127, "./false")
        self.script(self.folder / "only-here", 9)
        self.check(127, "only-here")
        self.check(127, "")

    def test_folders_of_path_are_as_the_shell_has_them(self) -> None:
        self.script(self.folder / "sub/true", 8)
        for path, status in ((f":{_PATH}", 7), (f".:{_PATH}", 7), (f"sub:{_PATH}", 8), (f"none:{_PATH}", 0)):
            self.check(status, "true", path)
        self.own.chmod(0o644)
        self.check(0, "true", f".:{_PATH}")
        self.own.rename(self.folder / "no-program")
        self.check(126, "no-program", f".:{_PATH}")


class PluralTest(CommandCase):
    def test_one_is_singular(self) -> None:
        self.assertEqual(show.counted(1, "block"), "1 block")
        self.assertEqual(show.counted(0.6, "block"), "1 block")  # an estimate is rounded
        self.assertEqual(show.counted(1200, "block"), "1,200 blocks")
        self.assertEqual(show.counted(0, "process", "processes"), "0 processes")

    def test_nothing_else_counts_things_in_what_is_printed(self) -> None:
        fault = re.compile(r"""(show\.number\([^{}]*\)|\[['"](?:threads|rounds|dropped|events)['"]\])\} [a-z ]*s\b""")
        self.assertTrue(fault.search("""f"{show.number(found['live'])} blocks" """))
        for path in (_ROOT / "tools/cli").glob("*.py"):
            if not path.name.endswith("_test.py"):
                self.assertIsNone(fault.search(path.read_text(encoding="utf-8")), path.name)


class RunStatusTest(CommandCase):
    def test_is_the_programs_where_there_was_no_room_for_its_statistics(self) -> None:
        """As on a full disk: the library makes the file, and cannot write it."""
        for form in ((), ("--stats=json",), ("--stats=text",)):
            done = self.run_command("run", *form, "--", "bash", "-c", "trap '' XFSZ; ulimit -f 0; exit 7")
            self.assertEqual(done.returncode, 7, done.stderr)
            self.assertIn("left no statistics: ", done.stderr)
            self.assertNotIn("Traceback", done.stderr)


class RunProfileTest(CommandCase):
    """Processes that the program starts have its environment."""

    def profile_of(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def test_is_of_the_program_alone(self) -> None:
        self.succeed("run", "--quiet", "--profile=a.heap", "--", "bash", "-c", "sort /dev/null; true")
        self.assertRegex(self.profile_of("a.heap"), r"(?m)^heap profile: [^$]*MAPPED_LIBRARIES:[^$]*/bash$")
        self.assertEqual([one.name for one in self.folder.iterdir()], ["a.heap"])
        self.assertEqual((self.folder / "a.heap").stat().st_mode & 0o777, 0o600)

    def test_no_child_writes_it_in_the_programs_place(self) -> None:
        for quiet, words in ((("--quiet",), "left no profile: "), ((), "left no statistics and no profile: ")):
            script = "sort /dev/null; kill -KILL $$"
            done = self.run_command("run", *quiet, "--profile=a.heap", "--", "bash", "-c", script)
            self.assertEqual((done.returncode, list(self.folder.iterdir())), (128 + signal.SIGKILL, []))
            self.assertIn(words, done.stderr)

    def test_of_each_process_where_the_file_has_its_number(self) -> None:
        self.succeed("run", "--quiet", "--profile=of-%p.heap", "--", "bash", "-c", "sort /dev/null; true")
        found = [self.profile_of(one.name) for one in self.folder.iterdir()]
        self.assertEqual(
            sorted(any(line.endswith("/bash") for line in text.splitlines()) for text in found), [False, True]
        )

    def test_one_that_cannot_be_kept_any_more_is_said(self) -> None:
        (self.folder / "sub").mkdir()
        self.refuse(
            "No such file or directory",
            "run",
            "--quiet",
            "--profile=sub/a.heap",
            "--",
            "bash",
            "-c",
            "rmdir sub",
            status=125,
        )

    def test_what_is_no_regular_file_is_refused(self) -> None:
        os.mkfifo(self.folder / "fifo")
        for name in ("fifo", ".", "", "/dev/null"):
            self.refuse("is no regular file", "run", f"--profile={name}", "true")
        self.refuse("there is no folder", "run", "--profile=none/a.heap", "true")


class RecordTest(CommandCase):
    def test_status_is_the_programs(self) -> None:
        for code, status in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM)):
            done = self.run_command("record", "--quiet", "--output=a.trace", "--", "/bin/sh", "-c", f"echo out; {code}")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (status, "out\n", ""))
            self.assertTrue(self.trace.exists())

    def test_says_what_it_recorded(self) -> None:
        done = self.succeed("record", "--output=a.trace", "--max-events=6", _STEPS, "basic")
        self.assertRegex(done.stderr, rf"\A{self.trace}: steps, 6 events, [0-9]+ B, [0-9.]+ B each, 1 thread\n\Z")
        done = self.succeed("record", "--output=a.trace", "--", _STEPS, "forks")
        self.assertEqual(len(done.stderr.splitlines()), 2)
        done = self.succeed("record", "--output=a.trace", "--no-children", "--", _STEPS, "forks")
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_default_output_is_where_the_caller_is(self) -> None:
        self.succeed("record", _STEPS, "basic")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["hakmem.trace"])

    def test_over_a_library(self) -> None:
        self.succeed("record", "--output=a.trace", f"--lib={_HAKMEM}", "--", _STEPS, "basic")
        found = json.loads(self.succeed("trace", "info", "--format=json", "a.trace").stdout)
        self.assertEqual(Path(found["allocator"]).name, "libhakmem.so")

    def test_an_earlier_recording_goes_another_file_stays(self) -> None:
        for _ in range(2):
            self.succeed("record", "--output=a.trace", "--", _STEPS, "forks")
            self.assertEqual(len(list(self.folder.iterdir())), 2)
        self.trace.write_text("dear diary")
        self.refuse("is no trace: it is not overwritten", "record", "--output=a.trace", _STEPS, status=125)
        self.assertEqual(self.trace.read_text(), "dear diary")

    def test_a_recording_that_is_kept_under_another_name_stays(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", _STEPS, "basic")
        kept = [self.folder / "a.trace.1", self.folder / "a.trace.2.3"]
        for path in kept:
            shutil.copy(self.trace, path)
        (self.folder / "a.trace.3").mkdir()
        done = self.succeed("record", "--output=a.trace", "--", _STEPS, "basic")
        self.assertEqual(len(done.stderr.splitlines()), 1, "and is none of the processes")
        self.assertEqual([path.exists() for path in kept], [True, True])

    def test_what_cannot_be_recorded(self) -> None:
        self.refuse("which program?", "record")
        self.refuse("which program?", "record", "--output=a.trace", "--")
        self.refuse("was not found", "record", "--", "no-such-program", status=127)
        self.refuse("was not found", "record", "--", "./no-such-program", status=127)
        (self.folder / "text").write_text("text")
        self.refuse("is not executable", "record", "--", "./text", status=126)
        self.refuse("there is no folder", "record", "--output=none/a.trace", _STEPS)
        self.refuse("whole number from 1", "record", "--max-events=0", _STEPS)
        self.refuse("'none' is not a file", "record", "--lib=none", _STEPS)
        # A program that no loader starts.
        source = self.folder / "static.c"
        source.write_text("int main(void) { return 0; }\n")
        subprocess.run(["gcc", "-static", "-o", self.folder / "static", source], check=True)
        self.refuse("was not recorded: it is linked statically", "record", "./static", status=125)

    def test_two_at_once_have_a_file_each(self) -> None:
        line = ("record", "--quiet", "--output=a.trace", "--")
        with subprocess.Popen(
            [_COMMAND, *line, "bash", "-c", "echo ready; read -r; exec sort /dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder)},
        ) as first:
            assert first.stdout is not None
            self.assertEqual(first.stdout.readline(), "ready\n")
            self.refuse("is being recorded by another command", *line, _STEPS, "basic", status=125)
            self.succeed("record", "--quiet", "--output=b.trace", "--", _STEPS, "basic")
            first.communicate("\n", timeout=_SECONDS)
        self.assertEqual(first.returncode, 0)
        found = json.loads(self.succeed("trace", "info", "--format=json", "a.trace").stdout)
        self.assertEqual((found["complete"], Path(found["program"]).name), (True, "bash"))

    def test_signals_reach_the_program(self) -> None:
        started = self.folder / "started"
        script = f"trap 'exit 9' TERM; touch {started}; while :; do sleep 0.05; done"
        process = subprocess.Popen(
            [_COMMAND, "record", "--quiet", "--", "/bin/sh", "-c", script],
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder)},
        )
        deadline = time.monotonic() + _SECONDS
        while not started.exists():
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.terminate()
        self.assertEqual(process.wait(_SECONDS), 9)


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
        self.refuse("not a trace", "trace", "info", _STEPS)
        self.refuse("not a trace", "replay", _STEPS)


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
        self.refuse("steps should: is that one an allocator?", "replay", f"--lib={_STEPS}", "a.trace", status=1)

    def test_two_contenders_of_one_name(self) -> None:
        self.refuse("two contenders with the name glibc", "replay", "--peer=glibc", "--peer=glibc", "a.trace")

    def test_a_trace_without_blocks(self) -> None:
        self.succeed("record", "--quiet", "--output=a.trace", "--", _STEPS)
        self.refuse("nothing to replay", "replay", "a.trace")


if __name__ == "__main__":
    unittest.main()
