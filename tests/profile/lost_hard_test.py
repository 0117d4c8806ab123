# SPDX-License-Identifier: MIT
"""The search for lost blocks where it is hard: beside busy threads, with 20 GiB that nobody touches, with blocks that have an
inaccessible page, where memory or any file cannot be read, on a handler's small stack, and in a copy that is killed, outlives
its program or may not end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from tests.profile.case import SECONDS, environment, parse, texts
from tests.profile.running import RunningCase
from tools.cli import lost, published, samples, shared
from tools.cli.command import InputError

_PROGRAM = Path("tests/profile/lost_hard").resolve()
_LOST = 500
_REFUSED = 77
_SUM = re.compile(r"hakmem: leaks:   of these, nothing reaches \d+ bytes in (\d+) blocks: (\d+) blocks? directly, ")
_LIVE = re.compile(r"hakmem: leaks: \d+ bytes in (\d+) blocks live, from (\d+) paths; exact")
_ADDRESS = "0x[0-9a-f]+"

# What the program, the library and the search need, and much below 20 GiB.
_RESIDENT_MOST_BYTES = 400 << 20

# A copy that is stopped before it has asked to end with its program has a few; one that looks soon has a hundred.
_LOOKING_LEAST_FAULTS = 20


class ExitTest(RunningCase):
    def said(self, mode: str, **variables: str) -> str:
        """What it said on standard error; it ends well."""
        done = subprocess.run(
            [_PROGRAM, mode],
            env=environment({"HAKMEM_LEAKS": "1", **variables}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode == _REFUSED:
            self.skipTest("no filter of system calls can be set here")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def expect_all(self, said: str, live_least: int) -> None:
        live, found = _LIVE.search(said), _SUM.search(said)
        assert live is not None and found is not None, said
        self.assertGreaterEqual(int(live[1]), live_least)
        self.assertEqual((int(found[1]), int(found[2])), (_LOST, _LOST), said)

    def test_beside_busy_threads(self) -> None:
        """What they map is gone while it is read, or other memory is there."""
        for _ in range(5):
            said = self.said("busy")
            found = _SUM.search(said)
            assert found is not None, said
            # A block of a busy thread that only its registers lead to may be among them.
            self.assertGreaterEqual(int(found[1]), _LOST)
            self.assertLessEqual(int(found[1]), _LOST + 3 * 3)

    def test_with_memory_that_nobody_touches(self) -> None:
        """It is sparse, as a program's memory is whose pages are swapped out: what is not there reads zero, or is far away."""
        said = self.folder / "said"
        with said.open("w") as file, subprocess.Popen(
            [_PROGRAM, "sparse"], env=environment({"HAKMEM_LEAKS": "1"}), stderr=file
        ) as process:
            self.addCleanup(process.kill)
            most = 0
            while process.poll() is None and most < _RESIDENT_MOST_BYTES:
                most = max(most, published.resident_bytes(process.pid) or 0)
                time.sleep(0.005)
            process.kill()  # before it has the machine's memory
        self.assertLess(most, _RESIDENT_MOST_BYTES)
        self.assertEqual(process.returncode, 0)
        self.expect_all(said.read_text(), 1501)

    def test_blocks_with_a_guard_page(self) -> None:
        """They are stacks: two, and two blocks that only they lead to."""
        self.expect_all(self.said("guarded"), 1504)

    def test_where_memory_cannot_be_read(self) -> None:
        said = self.said("unread")
        self.assertIn("hakmem: warning: it is not known which of the leaks are lost, the memory cannot be read", said)
        live = _LIVE.search(said)
        assert live is not None, said
        self.assertEqual(int(live[1]), 1500)
        self.assertNotIn("lost: ", said)
        self.assertNotIn("nothing reaches", said)

    def expect_paths(self, said: str, place: str) -> None:
        """All blocks and each path are there, which are lost is not, and addresses end like that."""
        live, paths = _LIVE.search(said), re.findall(
            rf"(?m)^hakmem: leaks: \d+ bytes in (\d+) blocks? from {place}$", said
        )
        assert live is not None, said
        self.assertEqual((int(live[1]), sum(int(blocks) for blocks in paths)), (1500, 1500), said)
        self.assertEqual(int(live[2]), len(paths), said)
        self.assertRegex(said, rf"(?m)^hakmem: leaks:   called from {place}$")
        self.assertIn("hakmem: warning: it is not known which of the leaks are lost", said)
        self.assertNotIn("nothing reaches", said)

    def test_where_no_file_can_be_opened(self) -> None:
        """As in a chroot without /proc: the calls stand without their files, in the list and in the profile."""
        for name in ("older.pb.gz", "older.heap"):
            path = self.folder / name
            path.write_text("an older profile")
            said = self.said("unopened", HAKMEM_PROFILE=str(path))
            self.expect_paths(said, _ADDRESS)
            for what in ("list of leaks", "profile"):
                self.assertIn(
                    f"hakmem: warning: /proc/self/maps: it cannot be read, and the {what} does not say which files its calls "
                    "are in; No such file or directory\n",
                    said,
                )
        profile = parse(self.folder / "older.pb.gz")
        self.assertEqual(sum(one.value[2] for one in profile.sample), 1500)
        self.assertEqual((len(profile.mapping), {one.mapping_id for one in profile.location}), (0, {0}))
        self.assertRegex(
            (self.folder / "older.heap").read_text(), r"^heap profile: 1500: \d+ \[\d+: \d+\] @ heapprofile\n"
        )

    def test_without_a_descriptor(self) -> None:
        """An older profile stays as it was."""
        path = self.folder / "older.pb.gz"
        path.write_text("an older profile")
        said = self.said("full", HAKMEM_PROFILE=str(path))
        self.expect_paths(said, _ADDRESS)
        self.assertIn("does not say which files its calls are in; Too many open files\n", said)
        self.assertIn("the profile could not be written; Too many open files\n", said)
        self.assertEqual(path.read_text(), "an older profile")

    def test_with_one_descriptor(self) -> None:
        """One file after the other can be opened."""
        path = self.folder / "profile.pb.gz"
        said = self.said("nearly", HAKMEM_PROFILE=str(path))
        self.expect_paths(said, rf"{_ADDRESS}: /.+\+{_ADDRESS}")
        self.assertNotIn("/proc/self/maps", said)
        self.assertIn(str(_PROGRAM), texts(parse(path)))

    def test_on_a_handlers_small_stack(self) -> None:
        """The list is there, and which are lost is not looked for."""
        said = self.said("stack")
        live = _LIVE.search(said)
        assert live is not None, said
        self.assertEqual(int(live[1]), 1500)
        self.assertNotIn("nothing reaches", said)
        self.assertIn("hakmem: leaks:   called from ", said)


def _children(pid: int) -> list[int]:
    """All processes with that parent."""
    found = []
    for one in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() if one.isdigit() else []
        except OSError:
            continue
        if fields and int(fields[1]) == pid:
            found.append(int(one))
    return found


def _faults(pid: int) -> int:
    """Its page faults that read nothing from a disk; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])
    except OSError:
        return 0


def _state(pid: int) -> str:
    """One letter; Z: it has ended; empty: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


class CopyTest(RunningCase):
    def publishing(self, mode: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [_PROGRAM, mode],
            env=environment({"HAKMEM_LEAKS": "1", "HAKMEM_PUBLISH": "1"}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready"):
            self.assertEqual(process.wait(), _REFUSED)
            self.skipTest("no filter of system calls can be set here")
        self.until(lambda: any(shared.open_shared(process.pid, "hakmem")), "it publishes")
        return process

    def until(self, is_so: Callable[[], object], what: str) -> None:
        end = time.monotonic() + SECONDS
        while not is_so():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.002)

    def stop_copy(self, pid: int) -> tuple[subprocess.Popen[str], int]:
        """Asks, and stops the copy while it looks: the command that waits, and the copy. Where it was too fast, once more.

        One that is stopped before its first instructions has not asked yet to end with its program, so it goes on a little:
        each page that it writes costs it a fault, and to look takes hundreds."""
        while True:
            command = self.ask(pid)
            while command.poll() is None:
                for copy in _children(pid):
                    try:
                        os.kill(copy, signal.SIGSTOP)
                    except ProcessLookupError:
                        continue
                    self.until(lambda: _state(copy) in ("T", "Z", ""), "it stops")
                    if _state(copy) == "T" and _faults(copy) >= _LOOKING_LEAST_FAULTS:
                        self.addCleanup(self.end_copy, copy)
                        return command, copy
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(copy, signal.SIGCONT)

    def end_copy(self, copy: int) -> None:
        if _state(copy) not in ("", "Z"):
            os.kill(copy, signal.SIGKILL)

    def ask(self, pid: int) -> subprocess.Popen[str]:
        command = self.start_hakmem("leaks", "--lost", "--format=json", str(pid))

        def end() -> None:
            command.kill()
            command.communicate()

        self.addCleanup(end)
        return command

    def test_a_copy_with_a_guard_page(self) -> None:
        process = self.publishing("guarded")
        found = json.loads(self.answer("leaks", "--lost", "--format=json", str(process.pid)))
        self.assertEqual((found["lost"]["directly"], found["lost"]["through_others"]), (_LOST, 0))

    def test_a_copy_that_is_killed(self) -> None:
        process = self.publishing("many")
        command, copy = self.stop_copy(process.pid)
        os.kill(copy, signal.SIGKILL)
        said, error = command.communicate()
        self.assertEqual((command.returncode, said), (2, ""))
        self.assertIn(f"process {process.pid} cannot tell which blocks are lost: Operation canceled", error)
        # Nothing is left of it, and the next look is whole.
        self.until(lambda: _state(copy) == "", "the copy is gone")
        found = json.loads(self.answer("leaks", "--lost", "--format=json", str(process.pid)))
        self.assertEqual((found["lost"]["directly"], found["lost"]["through_others"]), (_LOST, 0))

    def test_a_copy_that_outlives_its_program(self) -> None:
        process = self.publishing("many")
        command, copy = self.stop_copy(process.pid)
        process.kill()
        process.wait()
        self.until(lambda: _state(copy) in ("", "Z"), "the copy ends with its program")
        _, error = command.communicate()
        self.assertEqual(command.returncode, 2)
        self.assertRegex(error, rf"process {process.pid} (has ended|has no profile|publishes)|there is no process")

    def test_a_copy_that_may_not_end(self) -> None:
        """Its program's filter refuses exit_group: it does not go on as a second program."""
        process = self.publishing("stay")
        try:
            lost.look(process.pid)  # what it found is there before it has to end
        except InputError as error:
            self.assertIn("cannot tell which blocks are lost: Operation canceled", str(error))
        self.until(lambda: _children(process.pid) == [], "the copy ends")
        self.assertRegex(_state(process.pid), "[RSD]")
        self.assertTrue(samples.read(process.pid).records)


if __name__ == "__main__":
    unittest.main()
