# SPDX-License-Identifier: MIT
"""What a program publishes, read of real processes, loaded and quiet; and those that cannot be asked."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

import jsonschema

from tools.cli import published, shared
from tools.cli.observe_case import OBSERVED, SCHEMA, SECONDS, ObserveCase, page_of


class PageTest(ObserveCase):
    def test_readings_of_a_loaded_program_are_whole(self) -> None:
        process = self.observed("load", "3")
        page = published.open_page(process.pid)
        self.addCleanup(page.close)
        clocks: set[int] = set()
        allocations = 0
        deadline = time.monotonic() + SECONDS
        count = 0
        while count < 300 or len(clocks) < 4:
            self.assertLess(time.monotonic(), deadline)
            found = page.read()
            count += 1
            if found["clock_ms"] not in clocks:
                clocks.add(found["clock_ms"])
                jsonschema.validate(found, SCHEMA)
                made = sum(pool["allocations"] for pool in found["pools"].values())
                self.assertGreater(made, allocations)
                allocations = made
                self.assertEqual(found["process"]["threads"], 4)

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
        self.assertGreaterEqual(int(page_of(process.pid).name), 200)
        process.communicate()
        self.assertEqual(process.returncode, 0)

    def test_no_signal_handler_runs_on_the_publishing_thread(self) -> None:
        process = self.observed("quiet")
        blocked = {
            task.name: int(re.findall(r"SigBlk:\s+(\w+)", (task / "status").read_text())[0], 16)
            for task in Path(f"/proc/{process.pid}/task").iterdir()
        }
        del blocked[str(process.pid)]
        self.assertEqual(len(blocked), 1)
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGALRM):
            self.assertTrue(all(mask >> (number - 1) & 1 for mask in blocked.values()), number)

    def test_a_child_of_fork_publishes_its_own(self) -> None:
        parent = self.start(OBSERVED, "fork")
        child = int(self.said)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.until(lambda: self.is_published(child), "the child publishes")
        self.assertEqual(published.read(child)["pid"], child)
        self.assertEqual(published.read(parent.pid)["pid"], parent.pid)
        self.assertEqual(len(published.read(child)["threads"]), 1)

    def test_a_process_ends_with_its_last_thread(self) -> None:
        process = self.start(OBSERVED, "leave", is_ready=False)
        self.assertEqual(process.wait(SECONDS), 0)

    def test_a_signal_leaves_nothing_behind(self) -> None:
        before = set(os.listdir("/dev/shm"))
        process = self.observed("quiet")
        self.assertFalse([one for one in set(os.listdir("/dev/shm")) - before if str(process.pid) in one])
        process.kill()
        process.wait(SECONDS)
        for line in (("stat",), ("top", "--count=1")):
            self.refuse(published.GONE, f"there is no process {process.pid}", *line, str(process.pid))

    def test_a_descriptor_that_the_program_closed_comes_again(self) -> None:
        process = self.start(OBSERVED, "close")
        self.until(lambda: self.is_published(process.pid), "published once more")
        self.assertEqual(published.read(process.pid)["pid"], process.pid)

    def test_a_page_that_comes_while_it_is_looked_for_is_found(self) -> None:
        pid = self.observed("quiet").pid
        with mock.patch.object(shared, "open_shared", side_effect=[iter(()), shared.open_shared(pid, "hakmem")]):
            self.assertEqual(published.read(pid)["pid"], pid)

    def test_top_goes_on_with_the_new_page(self) -> None:
        process = self.start(OBSERVED, "close")
        self.until(lambda: self.is_published(process.pid), "published")
        page = published.open_page(process.pid)
        self.addCleanup(page.close)
        earlier = page.read()["clock_ms"]
        assert process.stdin is not None
        process.stdin.write("again\n")
        process.stdin.flush()
        self.assertEqual(self.line_of(process), "closed")
        self.until(lambda: self.is_published(process.pid), "published again")
        page.renew()
        self.assertGreater(page.read()["clock_ms"], earlier)


class RefusalTest(ObserveCase):
    def test_wrong_arguments(self) -> None:
        for line in (
            ("stat",),
            ("stat", "x"),
            ("stat", "0"),
            ("stat", "-1"),
            ("stat", "--format=xml", "1"),
            ("top", "--interval=0", "1"),
            ("top", "--interval=nan", "1"),
            ("top", "--count=0", "1"),
            ("top", "--list", "1"),
            ("run",),
            ("run", "--stats=xml", "true"),
            ("run", "--other", "true"),
            ("run", "--guard", "--guard-full", "true"),
            ("run", "--profile=none/none", "true"),
            ("run", "--profile=", "true"),
            ("run", "--profile=/proc", "true"),
        ):
            done = self.run_command(*line)
            self.assertEqual((done.returncode, done.stdout), (2, ""), (line, done.stderr))
            self.assertIn(f"hakmem {line[0]}", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_a_process_that_is_gone(self) -> None:
        process = subprocess.Popen(["true"])
        # It has ended, and nobody has asked how: still there, in a way.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.refuse(published.GONE, f"process {process.pid} has ended", "stat", str(process.pid))
        process.wait(SECONDS)
        self.refuse(published.GONE, f"there is no process {process.pid}", "stat", str(process.pid))
        self.refuse(published.GONE, f"there is no process {process.pid}", "top", str(process.pid))

    def test_a_process_that_is_about_to_be_gone(self) -> None:
        """While the kernel closes its files it maps nothing, and has not ended yet; a file in memory takes it long."""
        program = "import os; os.write(os.memfd_create('held'), bytes(256 << 20)); print('ready', flush=True); input()"
        process = self.start(sys.executable, "-c", program)
        self.until(lambda: self.is_published(process.pid), "published")
        process.kill()
        said: set[int] = set()
        while published.GONE not in said:
            try:
                os.close(published._require(process.pid))  # pylint: disable=protected-access
            except published.Unreachable as error:
                said.add(error.status)
        self.assertEqual(said, {published.GONE})

    def test_a_process_without_hakmem(self) -> None:
        process = self.start(OBSERVED, "quiet", preload="")
        self.refuse(published.WITHOUT_HAKMEM, "runs without hakmem", "stat", str(process.pid))
        self.refuse(published.WITHOUT_HAKMEM, "runs without hakmem", "top", str(process.pid))

    def test_a_process_that_does_not_publish(self) -> None:
        process = self.start(OBSERVED, "quiet", publish="0")
        self.refuse(
            published.NOT_PUBLISHED, "does not publish: start it with HAKMEM_PUBLISH=1", "stat", str(process.pid)
        )

    def test_a_process_that_became_another_program(self) -> None:
        process = self.start(OBSERVED, "exec", "/bin/cat")
        self.until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "cat\n", "exec")
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

    def test_a_page_of_another_layout(self) -> None:
        process = self.observed("quiet")
        with page_of(process.pid).open("r+b") as file:
            file.seek(8)
            file.write((77).to_bytes(4, "little"))
        self.refuse(published.NOT_PUBLISHED, "publishes in layout 77", "stat", str(process.pid))


if __name__ == "__main__":
    unittest.main()
