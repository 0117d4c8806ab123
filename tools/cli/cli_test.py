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
import unittest
from pathlib import Path

from tools.cli import show
from tools.cli.command_case import COMMAND, ROOT, SECONDS, STEPS, CommandCase

# Without the caller's folder, which that of a test may have.
_PATH = "/usr/bin:/bin"


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
        (self.folder / "report").write_text(f"hakmem: free(0x1): double free\nhakmem:   called from 0x1: {STEPS}+0x1\n")
        read, write = os.pipe()
        os.close(read)
        self.addCleanup(os.close, write)
        line = [COMMAND, "explain", str(self.folder / "report")]
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
        self.refuse("invalid choice: 'other'", "replay", "--peer=other", STEPS)
        self.refuse("is not a whole number from 1 to", "replay", f"--rounds={'1' * 5000}", STEPS)

    def test_what_does_not_go_together(self) -> None:
        """One option would be ignored, which nobody would notice."""
        both = "neither PID nor --count goes with it; --interval and --format do"
        for line, words in (
            (("top", "--list", "1"), both),
            (("top", "--list", "--count=2"), both),
            (("run", "--quiet", "--stats=json", "true"), "no --stats goes with it"),
            (("run", "--guard-full", "--leaks", "true"), "neither --profile nor --leaks goes with it"),
            (("run", "--guard-full", "--profile=p.heap", "true"), "neither --profile nor --leaks goes with it"),
            (("trace", "time", "--format=json", "--depth=3", STEPS), "--format=json has all callers"),
            (("profile", "--on", "--seconds=5", "1"), "--rate and --format alone go with them"),
            (("profile", "--off", "--rate=1K", "1"), "--off has no rate"),
            (("profile", "--rate=1K", "1"), "--rate is of --on, or of --seconds"),
            (("profile", "--symbols", "--view=top", "1"), "--symbols is of a profile for pprof"),
            (("profile", "--symbols", "--output=p.heap", "1"), "--symbols is of a profile for pprof"),
            (("profile", "--seconds=5", "--output=p.heap", "1"), "--seconds is of a profile for pprof"),
            (("profile", STEPS), "of a FILE there are views alone"),
            (("profile", "--view=top", "--seconds=5", STEPS), "of a FILE there are views alone"),
            (("profile", "--by=class", "1"), "--value, --by and --base are of a view"),
            (("profile", "--view=tree", "--most=5", "1"), "--most is of --view=top"),
            (("profile", "--view=flame", "--format=json", "1"), "no --format goes with it"),
            (("leaks", "--seconds=5", STEPS), "neither --since nor a FILE goes with it"),
            (("leaks", "--lost", "--seconds=5", "1"), "no --seconds, --since or FILE goes with it"),
            (("leaks", "--by=class", "--depth=3", "1"), "neither --since nor --depth goes with it"),
            (("explain", "--pid=1", STEPS), "is no address"),
        ):
            with self.subTest(line):
                done = self.run_command(*line)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, rf"\Ahakmem {line[0]}: .*{re.escape(words)}.*\n\Z")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_names_that_are_too_long(self) -> None:
        name = "a" * 300
        since = ("leaks", f"--since={name}", "1")
        for line in (("replay", name), ("trace", "info", name), ("leaks", name), ("explain", name), since):
            self.refuse(f"'{name}' cannot be looked at: File name too long", *line)

    def test_numbers_that_are_none_of_a_process(self) -> None:
        for number in ("0", "2147483648", "\u0663", "\u00b2", "1" * 5000):
            self.refuse(f"'{number}' is not the number of a process", "stat", number)

    def test_lines_of_a_report_end_by_a_line_feed(self) -> None:
        for text, lines in (
            ("", []),
            ("\n", [""]),
            ("a\r\nb", ["a", "b"]),
            ("a\x85b\u2028c\rd\n", ["a\x85b\u2028c\rd"]),
        ):
            (self.folder / "report").write_bytes(text.encode("utf-8"))
            found = json.loads(self.succeed("explain", "--format=json", "report").stdout)
            self.assertEqual([one["text"] for one in found], lines)

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
                    env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
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
        shutil.copy(ROOT / "tools/cli/start.sh", start)
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
                        [COMMAND, command, "--quiet", "--", program],
                        cwd="/" if bazel else self.folder,
                        env={**here, "PATH": path, **variables},
                        capture_output=True,
                        text=True,
                        check=False,
                        timeout=SECONDS,
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
        for path in (ROOT / "tools/cli").glob("*.py"):
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
        done = self.run_command("run", "--quiet", "--profile=sub/a.heap", "--", "bash", "-c", "rmdir sub")
        self.assertEqual((done.returncode, done.stdout), (125, ""), done.stderr)
        found = re.search(r"cannot be written: No such file or directory; the profile is (.*)\n\Z", done.stderr)
        assert found is not None, done.stderr
        kept = Path(found[1])
        self.addCleanup(shutil.rmtree, kept.parent)
        self.assertRegex(kept.read_text(encoding="utf-8"), r"\Aheap profile: ")

    def test_an_earlier_one_stays_where_there_is_no_room(self) -> None:
        """As on a full disk: this command may write a KiB to a file, and the program any."""
        (self.folder / "a.heap").write_text("before")
        script = "ulimit -S -f 1; trap '' XFSZ; exec \"$@\""
        inner = ("bash", "-c", "ulimit -S -f unlimited; sort /dev/null; true")
        line = (COMMAND, "run", "--quiet", "--profile=a.heap", "--", *inner)
        done = subprocess.run(
            ["bash", "-c", script, "bash", *line],
            # Python would leave the first KiB of its own files, for all that follow.
            env={**os.environ, "BUILD_WORKING_DIRECTORY": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        self.assertEqual((done.returncode, done.stdout), (125, ""), done.stderr)
        self.assertRegex(done.stderr, r"a\.heap cannot be written: File too large\n\Z")
        self.assertEqual(self.profile_of("a.heap"), "before")
        self.assertEqual([one.name for one in self.folder.iterdir()], ["a.heap"])

    def test_what_is_no_regular_file_is_refused(self) -> None:
        os.mkfifo(self.folder / "fifo")
        for name in ("fifo", ".", "", "/dev/null"):
            self.refuse("is no regular file", "run", f"--profile={name}", "true")
        self.refuse("there is no folder", "run", "--profile=none/a.heap", "true")


if __name__ == "__main__":
    unittest.main()
