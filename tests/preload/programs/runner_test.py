# SPDX-License-Identifier: MIT
"""What is compared, what is refused, and what stays behind after a run: nothing."""

from __future__ import annotations

import contextlib
import unittest
from pathlib import Path

from bench.programs.workloads import accounts, allocator, normalise, runner
from bench.programs.workloads.errors import CheckError, expect
from bench.programs.workloads.process import Usage
from bench.programs.workloads.session import Session, free_port, reject_reports
from bench.programs.workloads.workload import Need, Outcome, Workload


class Echo(Workload):
    """Writes what it is told."""

    name = "echo"
    task = "echo"
    needs = (Need("/bin/bash", "bash"),)
    programs = frozenset({"bash"})

    def __init__(self, command: str) -> None:
        self._command = command

    def prepare(self, inputs: Path, seed: int) -> None:
        (inputs / "seed").write_text(str(seed))

    def run(self, session: Session) -> Outcome:
        # The colon keeps bash from becoming the last command, so that it comes to its own end.
        done = session.run("bash", "-c", f"{self._command}\n:", str(session.inputs))
        expect(done.stdout != b"wrong\n", "it is wrong in itself")
        return Outcome({"stdout": done.stdout} if done.stdout else {})


class RunnerTest(unittest.TestCase):
    def setUp(self) -> None:
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        self.scratch = contexts.enter_context(runner.scratch_folder())
        self.tools = allocator.tools(self.scratch)

    def run_echo(self, command: str) -> runner.Run:
        echo = runner.Runner(Echo(command), self.tools, self.scratch / "echo", 5)
        return echo.run(allocator.glibc(), watched=True)

    def refuse(self, command: str, message: str) -> None:
        with self.assertRaisesRegex(CheckError, message):
            self.run_echo(command)
        self.assertEqual([path.name for path in (self.scratch / "echo").iterdir()], ["inputs"])

    def test_run_has_inputs_output_and_usage(self) -> None:
        run = self.run_echo("cat $0/seed; touch here")
        self.assertEqual(run.outcome.outputs, {"stdout": b"5"})
        self.assertGreater(run.usage.wall_seconds, 0)
        self.assertGreater(run.usage.peak_bytes, 0)
        self.assertEqual([path.name for path in (self.scratch / "echo").iterdir()], ["inputs"])

    def test_environment_is_not_the_callers(self) -> None:
        run = self.run_echo("env | sed 's/=.*//' | sort | tr '\\n' ' '")
        names = set(run.outcome.outputs["stdout"].decode().split())
        of_bash = {"PWD", "SHLVL", "_"}
        self.assertEqual(names - of_bash, {"HOME", "LANG", "LD_PRELOAD", "PATH", "PROGRAMS_WITNESS", "TZ"})

    def test_wrong_status(self) -> None:
        self.refuse("echo x; exit 3", "echo under glibc: bash exited with status 3, not with 0: x")

    def test_wrong_in_itself(self) -> None:
        self.refuse("echo wrong", "echo under glibc: it is wrong in itself")

    def test_nothing_to_compare(self) -> None:
        self.refuse("true", "gave out nothing to compare")

    def test_line_of_the_allocator(self) -> None:
        self.refuse("echo a; echo 'hakmem: double free' >&2", "bash made the allocator say: hakmem: double free")

    def test_allocators_name_within_a_line_is_no_report(self) -> None:
        reject_reports("program", b"a hakmem: b\n hakmem: c")

    def test_missing_file_names_its_package(self) -> None:
        with self.assertRaisesRegex(CheckError, "/no/such/file is missing: install Debian's package some-package"):
            Need("/no/such/file", "some-package").find()

    def test_last_of_several_matches(self) -> None:
        for name in ("a1", "a3", "a2"):
            (self.scratch / name).touch()
        self.assertEqual(Need(f"{self.scratch}/a*", "x").find(), str(self.scratch / "a3"))

    def test_missing_library(self) -> None:
        with self.assertRaisesRegex(CheckError, "nowhere.so is missing"):
            allocator.library("x", Path("/nowhere.so"), self.scratch)

    def test_ports_are_below_the_kernels(self) -> None:
        self.assertIn(free_port(), range(20_000, 32_000))

    def test_users_of_a_namespace(self) -> None:
        everybody, root_alone = "0 0 4294967295\n", "         0       1000          1\n"
        self.assertTrue(accounts.known_here(101, everybody))
        self.assertTrue(accounts.known_here(0, root_alone))
        self.assertFalse(accounts.known_here(101, root_alone))
        self.assertTrue(accounts.known_here(101, root_alone + "100 100000 5\n"))
        self.assertFalse(accounts.known_here(105, root_alone + "100 100000 5\n"))


class ComparisonTest(unittest.TestCase):
    def differences(self, found: dict[str, bytes], reference: dict[str, bytes]) -> list[str]:
        return runner.differences(Outcome(found), Outcome(reference))

    def test_equal(self) -> None:
        self.assertEqual(self.differences({"a": b"1", "b": b""}, {"b": b"", "a": b"1"}), [])

    def test_one_byte(self) -> None:
        (message,) = self.differences({"a": b"x\ny\nz"}, {"a": b"x\nY\nz"})
        self.assertIn("a differs: line 2 is b'y', was b'Y'", message)

    def test_missing_end(self) -> None:
        self.assertIn("1 lines", self.differences({"a": b"x"}, {"a": b"x\ny"})[0])
        self.assertIn("2 bytes", self.differences({"a": b"x\n"}, {"a": b"x"})[0])

    def test_difference_is_a_failure(self) -> None:
        one, other = (runner.Run(Outcome({"a": text}), Usage()) for text in (b"1", b"2"))
        runner.check(one, one, allocator.glibc())
        with self.assertRaisesRegex(CheckError, "under glibc: a differs: line 1 is b'1', was b'2'"):
            runner.check(one, other, allocator.glibc())

    def test_output_that_one_lacks(self) -> None:
        self.assertEqual(self.differences({"a": b""}, {}), ["a is there in one run only"])
        self.assertEqual(self.differences({}, {"a": b""}), ["a is there in one run only"])

    def test_headers(self) -> None:
        headers = {"Date": "now", "ETag": "x", "Content-Length": "3"}
        self.assertEqual(normalise.without_headers(headers, "date", "ETag"), {"Content-Length": "3"})


if __name__ == "__main__":
    unittest.main()
