# SPDX-License-Identifier: MIT
"""hakmem profile, leaks and explain on running programs, and what they say where they cannot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

from tests.profile.case import EXACT, PPROF, PROGRAM, SECONDS, by_function, parse
from tests.profile.running import COMMAND, RunningCase


class CommandCase(RunningCase):
    def refuse(self, words: str, *line: str) -> None:
        for command in (("profile", *line), ("leaks", *line)):
            done = self.hakmem(*command)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn(words, done.stderr)
            self.assertNotIn("Traceback", done.stderr)


class RunningTest(CommandCase):
    def test_profile_of_a_running_program(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE="1")
        result = json.loads(self.answer("profile", str(pid), "-o", "now.pb.gz", "--format=json"))
        self.assertEqual((result["pid"], result["rate_bytes"], result["dropped"]), (pid, 1, 0))
        found = by_function(parse(self.folder / "now.pb.gz"))
        for function, exact in EXACT.items():
            self.assertEqual((found[function].allocations, found[function].live), (exact.allocations, exact.live))
        self.assertIn(f"hakmem.{pid}.pb.gz", self.answer("profile", str(pid)))
        self.answer("profile", str(pid), "--output=now.heap")
        done = subprocess.run(
            [PPROF, "--text", "--inuse_objects", str(PROGRAM), str(self.folder / "now.heap")],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertRegex(done.stdout, r"(?m)^ *5000 .* make_small$")

    def test_an_output_that_cannot_be_written_is_said_before_the_wait(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        for line in (("profile",), ("profile", "--view=tree"), ("snapshot",)):
            done = self.hakmem(*line, str(pid), "--seconds=1000000", "-o", "none/a")
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertRegex(done.stderr, r"none/a cannot be written: No such file or directory\n\Z")

    def test_a_file_that_there_is_no_room_for_stays_as_it_was(self) -> None:
        """As on a full disk: the command may write no byte to a file."""
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        (self.folder / "a").write_text("before")
        script = "ulimit -f 0; trap '' XFSZ; exec \"$@\""
        for line in (("profile",), ("profile", "--view=tree"), ("snapshot",)):
            done = subprocess.run(
                ["bash", "-c", script, "bash", COMMAND, *line, str(pid), "-o", str(self.folder / "a")],
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # Python would leave empty files of its own
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
            self.assertIn("File too large", done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertEqual([(one.name, one.read_text()) for one in self.folder.iterdir()], [("a", "before")])

    def test_a_view_does_not_take_the_place_of_its_profile(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        self.answer("profile", str(pid), "-o", "a.pb.gz")
        before = (self.folder / "a.pb.gz").read_bytes()
        for line in (("a.pb.gz",), (str(pid), "--base=a.pb.gz")):
            done = self.hakmem("profile", "--view=flame", "-o", "a.pb.gz", *line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn("is what is read", done.stderr)
        self.assertEqual((self.folder / "a.pb.gz").read_bytes(), before)

    def test_leaks_of_a_running_program(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        result = json.loads(self.answer("leaks", str(pid), "--format=json"))
        blocks = {one["function"]: one["blocks"] for one in result["sites"] if one["module"] == str(PROGRAM)}
        self.assertTrue(result["exact"])
        self.assertEqual(blocks, {function: exact.live for function, exact in EXACT.items()})
        self.assertRegex(self.answer("leaks", str(pid)), r"make_huge .* 5 .* 15.0 MiB")
        self.assertEqual(len(json.loads(self.answer("leaks", str(pid), "--most=2", "--format=json"))["sites"]), 2)

    def test_child_of_a_fork_is_a_process_of_its_own(self) -> None:
        _, pid = self.start_program("fork", HAKMEM_LEAKS="1")
        blocks = {one["function"]: one["blocks"] for one in self.sites(pid, "--depth=0")}
        # One was made before the fork.
        self.assertEqual((blocks["make_small"], blocks["make_huge"]), (5001, 5))

    def test_nothing_is_left_behind(self) -> None:
        process, pid = self.start_program("wait", HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE="1")
        (shared,) = [
            one for one in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(one) == "/memfd:hakmem-profile (deleted)"
        ]
        self.assertEqual(shared.stat().st_mode & 0o777, 0o600)
        self.assertFalse([one for one in os.listdir("/dev/shm") if one.endswith(f".{pid}")])
        process.communicate()


class RefusalTest(CommandCase):
    def test_process_is_gone(self) -> None:
        process, pid = self.start_program("wait", HAKMEM_PROFILE="/dev/null")
        process.communicate()
        self.refuse(f"there is no process {pid}", str(pid))

    def test_without_hakmem(self) -> None:
        with subprocess.Popen(["sleep", "100"], env={"PATH": "/usr/bin:/bin"}) as process:
            self.addCleanup(process.kill)
            self.refuse("runs without hakmem", str(process.pid))
            process.kill()

    def test_without_a_profile(self) -> None:
        _, pid = self.start_program("wait")
        self.refuse("runs hakmem without a profile: start it with HAKMEM_PROFILE=FILE or HAKMEM_LEAKS=1", str(pid))

    def test_before_the_first_sample(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE="1099511627776")
        self.refuse("took no sample yet", str(pid))

    @unittest.skipUnless(os.getuid() == 0, "needs another user")
    def test_of_another_user(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE="1")
        script = (
            "import os, sys\n"
            "sys.path.insert(0, os.getcwd())\n"
            "from tools.cli import samples\n"
            "from tools.cli.command import InputError\n"
            "os.setuid(65534)\n"
            "try: samples.read(int(sys.argv[1]))\n"
            "except InputError as error: print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, str(pid)], capture_output=True, text=True, check=False)
        self.assertEqual(
            done.stdout.strip(),
            f"process {pid} is another user's: only its user and root may look into it",
            done.stderr,
        )

    def test_arguments(self) -> None:
        self.refuse("x' is not the number of a process", "x")
        self.refuse("'0' is not the number of a process", "0")
        self.refuse("usage: ")


class ExplainTest(CommandCase):
    def leaks(self) -> str:
        return self.run_program(HAKMEM_LEAKS="1")

    def test_leaks_get_functions_and_lines(self) -> None:
        text = self.answer("explain", "-", text=self.leaks())
        for function in EXACT:
            self.assertRegex(text, rf"(?m)^    {function}( at .*sites\.c:\d+)?$")

    def test_a_single_block_is_a_leak_as_well(self) -> None:
        (line,) = [one for one in self.leaks().splitlines() if " in 5000 blocks from " in one and "sites+" in one]
        single = re.sub(r"\d+ bytes in 5000 blocks", "1 byte in 1 block", line)
        (explained,) = json.loads(self.answer("explain", "-", "--format=json", text=single))
        self.assertEqual(explained["function"], "make_small")

    def test_what_the_program_printed_beside_it_is_of_any_kind(self) -> None:
        """In the pipe of docs/profile.md its own output comes as well: other encodings, and lines of any length."""
        long = b"called from 0x1: " + b"x" * 1_000_000
        text = b"caf\xe9 \xff\xfe\n" + long + b"\n" + self.leaks().encode()
        done = subprocess.run([COMMAND, "explain", "-"], input=text, capture_output=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn("caf\ufffd", done.stdout.decode())
        self.assertRegex(done.stdout.decode(), r"(?m)^    make_small( at .*sites\.c:\d+)?$")

    def test_report_of_misuse_is_behind_the_call(self) -> None:
        line = next(one for one in self.leaks().splitlines() if "sites+" in one and " 5000 blocks " in one)
        path, offset = line.rsplit(": ", 1)[1].rsplit("+", 1)
        report = self.folder / "report.txt"
        # The return address is one behind the address within the call that the list has.
        report.write_text(
            f"hakmem: free(0x1): double free\nhakmem:   called from 0x1: {path}+{int(offset, 16) + 1:#x}\n"
        )
        first, second = json.loads(self.answer("explain", "report.txt", "--format=json"))
        self.assertEqual((first["function"], second["function"]), (None, "make_small"))

    def test_callers_of_a_profile_are_within_the_call(self) -> None:
        listed = subprocess.run(["nm", PROGRAM], capture_output=True, text=True, check=True).stdout
        start = next(int(line.split()[0], 16) for line in listed.splitlines() if line.endswith(" make_small"))
        for words, offset in (
            ("hakmem: leaks:   called", start),
            ("hakmem:     called", start),
            ("hakmem: leaks: 64 bytes in 1 block", start),
            ("hakmem:   called", start + 1),
            ("hakmem:   allocated", start + 1),
            ("hakmem:   freed before", start + 1),
        ):
            for more, is_there in ((0, True), (-1, False)):
                text = f"{words} from 0x1: {PROGRAM}+{offset + more:#x}"
                (found,) = json.loads(self.answer("explain", "-", "--format=json", text=text))
                self.assertEqual(found["function"] == "make_small", is_there, text)

    def test_address_of_a_process(self) -> None:
        _, pid = self.start_program("wait", HAKMEM_LEAKS="1")
        site = json.loads(self.answer("leaks", str(pid), "--most=1", "--format=json"))["sites"][0]
        found = json.loads(self.answer("explain", f"--pid={pid}", hex(site["address"]), "--format=json"))
        self.assertEqual((found["mapping"], found["function"]), (str(PROGRAM), site["function"]))
        self.assertIn("nothing is mapped there", self.answer("explain", f"--pid={pid}", "0x10"))

    def test_wrong_input(self) -> None:
        for line, words in (
            (("explain", "none.txt"), "neither an address"),
            (("explain", "--pid=1", "xyz"), "no address"),
            (("explain", "--pid=1", "--", "-5"), "no address"),
            (("explain", "--pid=1", "1" * 17), "no address"),
            (("leaks", "--most=-3", "1"), "whole number from 0"),
        ):
            done = self.hakmem(*line)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
