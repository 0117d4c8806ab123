# SPDX-License-Identifier: MIT
"""The profile of a running program, switched on, off and to another rate from outside, while it publishes."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path
from unittest import mock

from tests.profile.case import DEVIATIONS, LIBRARY, deviation
from tests.profile.running import COMMAND
from tests.profile.service import PROGRAM, SwitchCase
from tools.cli import leak_groups, published, samples, shared, switching, views
from tools.cli.command import InputError
from tools.cli.groups import Groups
from tools.cli.samples import RATE_DEFAULT, RATE_MAX, Samples
from tools.cli.switching import State

_GUARDED = Path("hakmem/preload/libhakmem-guard.so").absolute()
_GUARDED_FULL = Path("hakmem/preload/libhakmem-guard-full.so").absolute()
_WANTED_AT = 128 * 1024 - 16
_SEED = 11


class SwitchTest(SwitchCase):
    def test_on_and_off(self) -> None:
        for library in (LIBRARY, _GUARDED):
            with self.subTest(library.name):
                service = self.service(library)
                service.do("first 1000")
                self.assertEqual(switching.switch(service.pid, 1), State(True, 1))
                service.do("second 1000")
                self.assertEqual(self.blocks(service), {"make_second": 1000})
                self.assertFalse(switching.switch(service.pid, 0).is_on)
                service.do("third 1000")
                self.assertEqual(self.blocks(service), {"make_second": 1000})
                # Frees of what was sampled are seen all the same.
                service.do("free 1400")
                self.assertEqual(self.blocks(service), {"make_second": 600})
                switching.switch(service.pid, 1)
                service.do("fourth 300")
                self.assertEqual(self.blocks(service), {"make_second": 600, "make_fourth": 300})

    def test_it_is_said_how_to_switch_it_on(self) -> None:
        pid = str(self.service().pid)
        done = self.hakmem("leaks", pid)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr,
            f"hakmem leaks: process {pid} has no profile yet: `hakmem profile {pid} --on` switches one on\n",
        )

    def test_it_is_said_that_something_is_missing(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        service.do("second 10")
        said = self.answer("leaks", str(service.pid)).replace("\n", " ")
        self.assertRegex(
            said, r"The profile was switched while the program ran[^.]*: what was allocated without it is not"
        )
        self.assertIn("; of blocks that were sampled", said)
        switching.switch(service.pid, 0)
        self.assertIn(
            "The profile was switched off while the program ran",
            self.answer("profile", "--view=top", str(service.pid)).replace("\n", " "),
        )
        self.answer("profile", "-o", "now.pb.gz", str(service.pid))
        self.assertIn(
            "The profile was switched while the program ran",
            self.answer("profile", "--view=top", "now.pb.gz").replace("\n", " "),
        )

    def test_another_rate(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        service.do("second 1000")
        self.assertEqual(switching.switch_on(service.pid, 65536), State(True, 65536))
        service.do("third 20000")
        self.assertEqual(switching.switch_on(service.pid, None), State(True, 65536))  # as it is
        found = self.blocks(service)
        self.assertEqual(found["make_second"], 1000)
        self.assertLessEqual(abs(found["make_third"] - 20000), DEVIATIONS * deviation(20000, 5120, 65536) + 1)
        for name, words in (("now.pb.gz", "--view=folded"), ("now.heap", "")):
            self.answer("profile", "-o", name, str(service.pid))
            if words:
                said = self.answer("profile", words, "--value=inuse_objects", name)
                self.assertRegex(said, r"make_second 1000\n")
        # google-pprof scales all by one rate: what was counted by another stands for as many.
        done = subprocess.run(
            ["google-pprof", "--text", "--inuse_objects", str(PROGRAM), str(self.folder / "now.heap")],
            capture_output=True,
            text=True,
            check=True,
        )
        counted = re.search(r"(?m)^ *(\d+) .* make_second$", done.stdout)
        assert counted is not None, done.stdout
        # One sample of such a block stands for some 70 at that rate.
        self.assertLessEqual(abs(int(counted[1]) - 1000), 75)

    def test_each_thread_is_told(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        service.do("by anna 30")
        service.do("by bert 50")
        service.do("second 20")
        while len(published.read(service.pid)["threads"]) < 3:  # it publishes them half a second later
            time.sleep(0.02)
        found = samples.read(service.pid)
        with_names = leak_groups.gather(found, Groups(found, "thread"))
        self.assertEqual(
            {(re.sub(r"^thread \d+ ", "", one.name), round(one.live.blocks)) for one in with_names},
            {("(anna)", 30), ("(bert)", 50), ("(switched)", 20 + self.others(found))},
        )
        folded = views.folded(views.weighted(found, "inuse_objects", Groups(found, "thread")))
        self.assertTrue(any(re.match(r"thread \d+ \(anna\);.*;by_name;.*make_second 30$", line) for line in folded))

    def others(self, found: Samples) -> float:
        """Live blocks of threads that are started, which the C library made."""
        return sum(one.live for one in found.records if not 900 <= one.size <= 1024)

    def test_child_of_a_fork_has_a_switch_of_its_own(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        parent = service.pid
        service.do("second 100")
        child = service.do("fork")
        self.assertNotEqual(child, parent)
        service.do("second 100")
        self.wait_for_page(child)
        self.assertEqual(self.blocks(service), {"make_second": 200})
        switching.switch(service.pid, 0)
        service.do("second 100")
        self.assertEqual(self.blocks(service), {"make_second": 200})
        self.assertEqual((switching.state(parent).is_on, switching.state(child).is_on), (True, False))

    def test_no_descriptor_is_left_for_a_moment(self) -> None:
        service = self.service()
        service.do("no-files")
        for _ in range(2):
            with self.assertRaisesRegex(InputError, "cannot switch its profile: Too many open files"):
                switching.switch(service.pid, 1)
            self.assertFalse(switching.state(service.pid).is_on)
        service.do("second 100")
        service.do("files")
        self.assertEqual(switching.switch(service.pid, 1), State(True, 1))
        service.do("third 100")
        self.assertEqual(self.blocks(service), {"make_third": 100})

    def test_no_descriptor_is_left_for_a_profile_that_is_on(self) -> None:
        # No block of this program is sampled at such a rate.
        service = self.service(HAKMEM_PROFILE="/dev/null", HAKMEM_PROFILE_RATE=str(RATE_MAX))
        service.do("no-files")
        for rate in (1, RATE_MAX):
            with self.assertRaisesRegex(InputError, "cannot switch its profile: Too many open files"):
                switching.switch(service.pid, rate)
            self.assertEqual(switching.state(service.pid), State(True, RATE_MAX))
        service.do("files")
        self.assertEqual(switching.switch(service.pid, RATE_MAX), State(True, RATE_MAX))
        self.assertEqual(samples.read(service.pid).rate, RATE_MAX)
        switching.switch(service.pid, 1)
        service.do("third 100")
        self.assertEqual(self.blocks(service), {"make_third": 100})


class CommandTest(SwitchCase):
    def test_what_it_says(self) -> None:
        service = self.service()
        for line, said in (
            (("--on", "--rate=64K"), f"process {service.pid}: the profile is on, a sample every 64.0 KiB"),
            (("--on",), f"process {service.pid}: the profile is on, a sample every 64.0 KiB"),
            (("--off",), f"process {service.pid}: the profile is off"),
        ):
            self.assertEqual(self.answer("profile", *line, str(service.pid)), said + "\n")
        for option, wanted in (
            ("--on", {"pid": service.pid, "on": True, "rate_bytes": RATE_DEFAULT}),
            ("--off", {"pid": service.pid, "on": False, "rate_bytes": None}),
        ):
            self.assertEqual(json.loads(self.answer("profile", option, "--format=json", str(service.pid))), wanted)


class HarmTest(SwitchCase):
    """What a switch must not do."""

    def surface(self, pid: int) -> dict[str, list[str]]:
        """Threads, descriptors, what is loaded, and which signals are caught, blocked and ignored."""
        status = Path(f"/proc/{pid}/status").read_text()
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        return {
            "threads": os.listdir(f"/proc/{pid}/task"),
            "descriptors": sorted(os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()),
            "loaded": sorted({line.split()[5] for line in maps if len(line.split()) > 5 and " /usr/" in line}),
            "signals": re.findall(r"Sig(?:Cgt|Blk|Ign):\t(\w+)", status),
        }

    def test_nothing_comes_but_the_profile(self) -> None:
        service = self.service()
        before = self.surface(service.pid)
        self.assertNotIn(shared.name_of("hakmem-profile"), before["descriptors"])
        switching.switch(service.pid, 1)
        service.do("second 100")
        now = self.surface(service.pid)
        before["descriptors"] = sorted([*before["descriptors"], shared.name_of("hakmem-profile")])
        self.assertEqual(now, before)
        switching.switch(service.pid, 0)
        service.do("second 100")
        self.assertEqual(self.surface(service.pid), before)

    def test_words_of_any_kind(self) -> None:
        """Whoever may write the page may write anything."""
        service = self.service()
        numbers = random.Random(_SEED)
        words = [1, 2**40 + 1, 2**41 - 1, 2**64 - 1, 1 << 41, *(numbers.getrandbits(64) for _ in range(5))]
        is_on = False
        for word in words:
            (descriptor,) = shared.open_shared(service.pid, "hakmem", os.O_RDWR)
            os.pwrite(descriptor, struct.pack("=Q", word), _WANTED_AT)
            os.close(descriptor)
            rate = word & (1 << 41) - 1
            with self.subTest(word):
                self.wait_until_switched(service.pid, word)
                is_on = rate > 0 if rate <= 2**40 else is_on  # else it was refused
                self.assertEqual(switching.state(service.pid).is_on, is_on)
                service.do("second 100")
        with self.assertRaisesRegex(InputError, "cannot switch its profile: Invalid argument"):
            switching.switch(service.pid, 2**40 + 1)
        self.assertFalse(switching.switch(service.pid, 0).is_on)
        service.process.communicate()
        self.assertEqual(service.process.returncode, 0)

    def wait_until_switched(self, pid: int, word: int) -> None:
        (descriptor,) = shared.open_shared(pid, "hakmem")
        try:
            while struct.unpack("=Q", shared.read_at(descriptor, 8, _WANTED_AT - 8)) != (word,):
                time.sleep(0.02)
        finally:
            os.close(descriptor)

    def test_while_threads_allocate(self) -> None:
        """Whatever was sampled, at whichever rate, is seen when it is freed."""
        service = self.service()
        service.do("load 3")
        numbers = random.Random(_SEED)
        for _ in range(8):
            switching.switch(service.pid, numbers.choice((0, 1, 1000, RATE_DEFAULT)))
        switching.switch(service.pid, 100)
        found = switching.look(service.pid, 0)
        self.assertTrue(any(one.allocations for one in found.records))
        service.do("rest")
        found = switching.look(service.pid, 0)
        self.assertGreater(sum(one.allocations for one in found.records if one.size < 3100), 1000)
        # The C library's own, of threads that have ended, may stay.
        self.assertNotIn("make_load", self.blocks(service))
        service.process.communicate()
        self.assertEqual(service.process.returncode, 0)


class SecondsTest(SwitchCase):
    def test_the_profile_is_on_for_that_time(self) -> None:
        service = self.service()
        service.do("steady")
        for command in ("profile", "leaks"):
            line = ["--view=folded", "--rate=1"] if command == "profile" else ["--depth=0"]
            said = self.answer(command, "--seconds=1", *line, str(service.pid))
            if command == "profile":
                self.assertRegex(said, r"(?m);make_steady \d+$")
            self.assertFalse(switching.state(service.pid).is_on)

    def test_what_is_on_stays_on(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        service.do("steady")
        self.answer("profile", "--seconds=1", "--view=folded", str(service.pid))
        self.assertTrue(switching.state(service.pid).is_on)
        done = self.hakmem("profile", "--seconds=1", "--rate=2", str(service.pid))
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("has its profile on", done.stderr)

    def test_an_interrupted_look_leaves_it_off(self) -> None:
        service = self.service()
        service.do("steady")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with subprocess.Popen(
                [COMMAND, "profile", "--seconds=100000", str(service.pid)], stdout=subprocess.DEVNULL
            ) as look:
                self.addCleanup(look.kill)
                while not switching.state(service.pid).is_on:
                    time.sleep(0.02)
                look.send_signal(number)
            self.assertNotEqual(look.returncode, 0)
            self.assertFalse(switching.state(service.pid).is_on, number)

    def test_a_switch_between_the_looks_is_said(self) -> None:
        service = self.service()
        switching.switch(service.pid, 1)
        service.do("second 10")

        def switch_twice(_: float) -> None:
            switching.switch(service.pid, 0)
            switching.switch(service.pid, 1)

        clock = mock.Mock(sleep=switch_twice, monotonic_ns=time.monotonic_ns)
        with mock.patch.object(samples, "time", clock):
            with self.assertRaisesRegex(InputError, "its profile was switched meanwhile"):
                switching.look(service.pid, 60)


class RefusalTest(SwitchCase):
    def refuse(self, words: str, *line: str) -> None:
        done = self.hakmem("profile", *line)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_who_publishes_nothing(self) -> None:
        pid = str(self.start_waiting(PROGRAM))
        for line in (("--on", pid), ("--off", pid)):
            self.refuse("but does not publish: start it with HAKMEM_PUBLISH=1", *line)
        self.refuse("have `hakmem profile --on` switch one on", "--seconds=1", pid)

    def test_a_build_without_a_profile(self) -> None:
        service = self.start_service(_GUARDED_FULL)
        service.do("second 1000")
        service.do("free 1000")  # whose slow path starts the publishing thread here
        with self.assertRaisesRegex(InputError, "a build with guard full"):
            self.wait_for_page(service.pid)
        for line in (("--on",), ("--off",), ("--seconds=1",)):
            self.refuse("a build with guard full, which has no profile", *line, str(service.pid))

    def test_arguments(self) -> None:
        for words, line in (
            ("not allowed with argument --on", ("--on", "--off", "1")),
            ("'0' is no number of bytes from 1 to 1099511627776", ("--on", "--rate=0", "1")),
            ("'2048G' is no number of bytes", ("--on", "--rate=2048G", "1")),
            ("'-1' is no number of bytes", ("--on", "--rate=-1", "1")),
            ("--off has no rate", ("--off", "--rate=1", "1")),
            ("--rate is of --on, or of --seconds", ("--rate=1", "1")),
            ("--on and --off switch the profile of a running program", ("--on", "--view=top", "1")),
            ("--on and --off switch the profile of a running program", ("--off", "--seconds=1", "1")),
            ("--on and --off switch the profile of a running program", ("--on", __file__)),
        ):
            self.refuse(words, *line)
        self.refuse("there is no process 2147483647", "--on", "2147483647")


if __name__ == "__main__":
    unittest.main()
